"""Which events somebody wants to hear of: of streams, pulled pages and subscriptions alike.

A filter that is left empty lets everything pass; an event has to pass all of them. What an event is about is
read from its payload as it is stored:

* its job and its worker, if it has one (an assignment's events have both);
* its queues and channels: a job's or an offer's own; of a worker all that it serves. An event that tells of
  none, as that of a job without a queue or a worker that signs off, passes no filter of them.

Texts are compared character by character: upper and lower case differ, as they do in ids.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

PREFIX = "Microsoft.Communication."
"""What stands before the type of an event in its payload; it is stored, and may be asked for, without."""

TYPES = frozenset(
    {
        "RouterJobReceived",
        "RouterJobClassified",
        "RouterJobClassificationFailed",
        "RouterJobQueued",
        "RouterJobCompleted",
        "RouterJobClosed",
        "RouterJobCancelled",
        "RouterJobExceptionTriggered",
        "RouterJobWorkerSelectorsExpired",
        "RouterJobUnassigned",
        "RouterJobWaitingForActivation",
        "RouterJobSchedulingFailed",
        "RouterJobDeleted",
        "RouterWorkerOfferIssued",
        "RouterWorkerOfferAccepted",
        "RouterWorkerOfferDeclined",
        "RouterWorkerOfferRevoked",
        "RouterWorkerOfferExpired",
        "RouterWorkerRegistered",
        "RouterWorkerDeregistered",
        "RouterWorkerDeleted",
        "RouterWorkerUpdated",
    }
)
"""All types of events. Those of schedules that fail never occur here."""


class About(NamedTuple):
    """What an event is about; texts are empty where it does not say."""

    subject: str = ""
    job: str = ""
    worker: str = ""
    queues: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()


class EventFilters(msgspec.Struct, frozen=True, omit_defaults=True):
    """The events that are wanted: types without prefix, beginning and end of the subject, ids."""

    types: frozenset[str] = frozenset()
    subject_begins: str = ""
    subject_ends: str = ""
    queues: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()
    workers: frozenset[str] = frozenset()
    jobs: frozenset[str] = frozenset()

    @property
    def look_inside(self) -> bool:
        """Whether the type of an event does not tell if it passes."""
        return bool(
            self.subject_begins
            or self.subject_ends
            or self.queues
            or self.channels
            or self.workers
            or self.jobs
        )

    def passes(self, kind: str, payload: bytes | str) -> bool:
        """Whether an event of a type (without prefix) and an Event Grid payload is wanted."""
        if self.types and kind not in self.types:
            return False
        return not self.look_inside or self.admits(kind, about(payload))

    def admits(self, kind: str, event: About) -> bool:
        """The same, for an event that many ask about: what it is about was read before."""
        return (
            (not self.types or kind in self.types)
            and (not self.workers or event.worker in self.workers)
            and (not self.jobs or event.job in self.jobs)
            and (not self.queues or not self.queues.isdisjoint(event.queues))
            and (not self.channels or not self.channels.isdisjoint(event.channels))
            and event.subject.startswith(self.subject_begins)
            and event.subject.endswith(self.subject_ends)
        )


def type_of(text: str) -> str:
    """A type without its prefix, which may be there or not. Raises ValueError for none of ``TYPES``."""
    kind = text.removeprefix(PREFIX)
    if kind not in TYPES:
        raise ValueError(f"'{text}' is no type of event")
    return kind


class _Queue(msgspec.Struct):
    id: str = ""


class _Channel(msgspec.Struct, rename="camel"):
    channel_id: str = ""


class _Data(msgspec.Struct, rename="camel"):
    job_id: str = ""
    worker_id: str = ""
    queue_id: str = ""
    channel_id: str = ""
    queue_assignments: list[_Queue] = []
    channel_configurations: list[_Channel] = []


class _Payload(msgspec.Struct):
    subject: str
    data: _Data


_decode: Any = msgspec.json.Decoder(_Payload).decode


def about(payload: bytes | str) -> About:
    """What an event is about; nothing, if its payload is not of an event."""
    try:
        subject, data = msgspec.structs.astuple(_decode(payload))
    except (msgspec.MsgspecError, UnicodeError):
        return About()
    if not data.job_id:
        return About(
            subject,
            "",
            data.worker_id,
            tuple(queue.id for queue in data.queue_assignments),
            tuple(channel.channel_id for channel in data.channel_configurations),
        )
    queue = data.queue_id
    if not queue:
        # a job classified in the queue that it had names it in the subject alone
        head = f"job/{data.job_id}/channel/{data.channel_id}/queue/"
        queue = subject[len(head) :] if subject.startswith(head) else ""
    return About(subject, data.job_id, data.worker_id, (queue,) if queue else (), (data.channel_id,))
