"""The spans of jobs' lives, out of the events in their order: waits, offers, handling."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

Measured = Callable[[str, str, str, float], None]
"""Takes a figure, queue, channel and seconds."""
Unmeasured = Callable[[str], None]
"""Takes the figure of a span whose beginning was not seen."""

REMEMBERED = 200_000
"""Jobs whose lives are followed; of more, those that were seen first are forgotten."""


class _Data(msgspec.Struct, rename="camel"):
    job_id: str = ""
    queue_id: str = ""
    channel_id: str = ""
    offer_id: str = ""


class _Payload(msgspec.Struct):
    data: _Data


_decode = msgspec.json.Decoder(_Payload).decode


class _Job:
    """A job under way. Times in epoch ms, 0 = not."""

    __slots__ = ("assigned_at", "offered", "offers", "queued_at")

    def __init__(self) -> None:
        self.queued_at = 0
        self.offered = False
        self.assigned_at = 0
        self.offers: dict[str, int] = {}


class Lives:
    """Follows jobs from the queue to their end.

    A job that stays in its queue, or moves from queue to queue, waits from the first enqueue on; one that
    comes back after an assignment, an activation or a new life waits anew.
    """

    def __init__(self, measured: Measured, unmeasured: Unmeasured, remembered: int = REMEMBERED) -> None:
        self._measured = measured
        self._unmeasured = unmeasured
        self._remembered = remembered
        self._jobs: dict[str, _Job] = {}
        self._steps: dict[str, Callable[[int, _Data], None]] = {
            "RouterJobReceived": self._over,
            "RouterJobQueued": self._queued,
            "RouterJobWaitingForActivation": self._out_of_queue,
            "RouterJobClassificationFailed": self._out_of_queue,
            "RouterWorkerOfferIssued": self._offered,
            "RouterWorkerOfferDeclined": self._offer_over,
            "RouterWorkerOfferExpired": self._offer_over,
            "RouterWorkerOfferRevoked": self._offer_over,
            "RouterWorkerOfferAccepted": self._accepted,
            "RouterJobUnassigned": self._unassigned,
            "RouterJobClosed": self._closed,
            "RouterJobCancelled": self._over,
            "RouterJobDeleted": self._over,
        }

    def __len__(self) -> int:
        return len(self._jobs)

    def tell(self, at: int, kind: str, payload: bytes) -> None:
        """The next event: when (epoch ms), its type without prefix, and its payload."""
        step = self._steps.get(kind)
        if step is None:
            return
        try:
            data = _decode(payload).data
        except (msgspec.DecodeError, UnicodeDecodeError):
            # an id that is no text, made by hand
            return
        step(at, data)

    def _job(self, job_id: str) -> _Job:
        job = self._jobs.get(job_id)
        if job is None:
            if len(self._jobs) >= self._remembered:
                del self._jobs[next(iter(self._jobs))]
            job = self._jobs[job_id] = _Job()
        return job

    def _span(self, figure: str, begun: int, at: int, data: _Data) -> None:
        if begun:
            self._measured(figure, data.queue_id, data.channel_id, (at - begun) / 1000)
        else:
            self._unmeasured(figure)

    def _over(self, at: int, data: _Data) -> None:
        self._jobs.pop(data.job_id, None)

    def _queued(self, at: int, data: _Data) -> None:
        job = self._job(data.job_id)
        if not job.queued_at:
            job.queued_at, job.offered = at, False

    def _out_of_queue(self, at: int, data: _Data) -> None:
        job = self._jobs.get(data.job_id)
        if job is not None:
            job.queued_at = 0

    def _offered(self, at: int, data: _Data) -> None:
        job = self._job(data.job_id)
        job.offers[data.offer_id] = at
        if not job.offered:
            job.offered = True
            self._span("time_to_offer", job.queued_at, at, data)

    def _offer_over(self, at: int, data: _Data) -> None:
        job = self._jobs.get(data.job_id)
        if job is not None:
            job.offers.pop(data.offer_id, None)

    def _accepted(self, at: int, data: _Data) -> None:
        job = self._job(data.job_id)
        self._span("offer_to_accept", job.offers.get(data.offer_id, 0), at, data)
        self._span("wait", job.queued_at, at, data)
        job.queued_at, job.assigned_at = 0, at
        job.offers.clear()

    def _unassigned(self, at: int, data: _Data) -> None:
        self._job(data.job_id).assigned_at = 0

    def _closed(self, at: int, data: _Data) -> None:
        job = self._jobs.pop(data.job_id, None)
        self._span("handling", job.assigned_at if job else 0, at, data)
