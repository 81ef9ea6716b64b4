"""The language of the stories: a router whose time is an argument.

Times are milliseconds since the story began. Upserts are patches: what they do not name stays as it is. After
every step the naive twin must have answered the same, and the whole store must be sound.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
import redis

from engine import commands as c
from engine.errors import Refused
from engine.model import (
    Channel,
    JobRecord,
    Note,
    QueueRecord,
    Scalar,
    Selector,
    WorkerRecord,
    channels_text,
    json_text,
    members_text,
    notes_text,
    selectors,
    selectors_text,
    strings_text,
    undated_selectors,
)
from engine.pipelines import Attachment, Given, Pipeline, Rule, answers_text, pipeline_text
from tests.twin.driver import START, Pair

__all__ = ["START", "Router", "wants"]

Reply = dict[str, Any]
VOICE = "voice"


def wants(
    key: str, operator: str, value: Any = None, *, seconds: float | None = None, expedite: bool = False
) -> Selector:
    """A worker selector; without a value it asks whether the label is there."""
    text = "" if value is None else json_text(value)
    return Selector(key, operator, text, "" if seconds is None else json_text(seconds), expedite)


class Router:
    """One tenant, its twin beside it, and the verbs of a story."""

    def __init__(self, client: redis.Redis, root: str) -> None:
        self.pair = Pair(client, root, thorough=True)
        self.root = root
        self.redis: Any = client
        self.now = 0
        self._told = 0
        self.sweep()

    # ---- time ------------------------------------------------------------------------------------

    def at(self, time: int) -> None:
        """Lets time pass as with living workers: a sweep at every due time, and none late."""
        assert time >= self.now
        while (due := self.next_due()) is not None and due <= time:
            if due - 1 > self.now:
                self.outage(due - 1)
                self.sweep()
            self.outage(max(due, self.now))
            while self.sweep()["more"]:
                pass
        self.outage(time)
        self.sweep()

    def outage(self, time: int) -> None:
        """Lets time pass while nobody sweeps."""
        self.now = time

    def sweep(self) -> Reply:
        """What a worker does when something is due."""
        return self.run(c.AgendaDue())

    def next_due(self) -> int | None:
        """When something is due next."""
        due = self.run(c.RouterStatus())["next"]
        return due - START if due else None

    # ---- commands --------------------------------------------------------------------------------

    def run(self, command: c.Command) -> Reply:
        """Runs a command, on the twin too, and verifies everything; a refusal has changed nothing."""
        now = START + self.now
        if isinstance(command, c.RouterStatus | c.EventList | c.Check | c.JobPreview):
            return self.pair.store.run(command, now)
        before = self.digest() if not self.is_due() else None
        outcome = self.pair.run(command, now)
        if isinstance(outcome, Refused):
            assert before in (None, self.digest()), "a refusal has changed something"
            raise outcome
        return outcome

    def is_due(self) -> bool:
        """Is anything due now, so that even a refused call has work to do first?"""
        return any(due <= START + self.now for due in self.pair.state.agenda.values())

    def digest(self) -> str:
        """A digest of all keys of the tenant and their values."""
        digest = hashlib.sha256()
        pool = self.redis.connection_pool
        options = {**pool.connection_kwargs, "decode_responses": False}
        raw = redis.Redis(
            connection_pool=redis.ConnectionPool(connection_class=pool.connection_class, **options)
        )
        keys = sorted(raw.scan_iter(match=f"{self.root.replace('[', '?')}*", count=10_000))
        kinds, values = raw.pipeline(transaction=False), raw.pipeline(transaction=False)
        for key in keys:
            kinds.type(key)
        for key, kind in zip(keys, kinds.execute(), strict=True):
            # a dump has members in the order of a table, which a server may rearrange at any time
            {b"hash": values.hgetall, b"set": values.smembers}.get(kind, values.dump)(key)
        for key, value in zip(keys, values.execute(), strict=True):
            members = value.items() if isinstance(value, dict) else value
            content = repr(sorted(members)).encode() if isinstance(value, dict | set) else value or b""
            digest.update(key + b"\0" + content)
        raw.close()
        return digest.hexdigest()

    @contextlib.contextmanager
    def refuses(self, code: str, text: str = "") -> Iterator[None]:
        """What is done inside is refused with this code (and words)."""
        with pytest.raises(Refused) as refused:
            yield
        assert refused.value.code == code, refused.value
        assert text in refused.value.text, refused.value

    def settings(self, **given: int) -> None:
        self.run(c.SettingsWrite(**given))

    # ---- configuration ---------------------------------------------------------------------------

    def policy(
        self,
        policy_id: str = "p",
        *,
        mode: str = "longestIdle",
        expires: int = 60_000,
        offers: int = 1,
        **more: Any,
    ) -> Reply:
        """A distribution policy."""
        return self.policy_of(
            "distribution", policy_id, mode=mode, expires_ms=expires, max_offers=offers, **more
        )

    def policy_of(self, kind: str, policy_id: str, **given: Any) -> Reply:
        """A policy of any kind, replaced as a whole."""
        found = self.pair.state.policies.get((kind, policy_id))
        doc = found.doc if found else 0
        return self.run(c.PolicyUpsert(kind=kind, id=policy_id, doc=doc, document="{}", **given))

    def classification(
        self,
        policy_id: str = "c",
        *,
        priority: Rule | None = None,
        workers: Sequence[Attachment] = (),
        queues: Sequence[Attachment] = (),
        fallback: str = "",
    ) -> Reply:
        """A classification policy."""
        text = pipeline_text(Pipeline(priority, workers, queues))
        return self.policy_of("classification", policy_id, pipeline=text, fallback=fallback)

    def queue(self, queue_id: str = "q", **given: Any) -> Reply:
        """A queue; its policy is ``p`` unless it says otherwise."""
        old = self.found(QueueRecord, c.QueueRead(queue_id))
        fields = (
            {"name": old.name, "distribution": old.distribution, "exception": old.exception} if old else {}
        )
        fields |= {"labels": old.labels} if old else {"distribution": "p"}
        if "labels" in given:
            given["labels"] = members_text(given["labels"])
        return self.run(c.QueueUpsert(id=queue_id, doc=old.doc if old else 0, **fields | given))

    def found(self, kind: type[Any], command: c.Command) -> Any:
        """The record that a read finds, or None."""
        try:
            return kind.parse(self.run(command))
        except Refused:
            return None

    # ---- workers ---------------------------------------------------------------------------------

    def worker(
        self,
        worker_id: str,
        *,
        queues: Sequence[str] | None = None,
        channels: Mapping[str, int | tuple[int, int]] | None = None,
        labels: Mapping[str, Scalar] | None = None,
        tags: Mapping[str, Scalar] | None = None,
        **given: Any,
    ) -> Reply:
        """A worker: on queue ``q``, capacity 1, channel voice at cost 1, available, unless it says otherwise.

        A channel is its cost, or cost and maximum.
        """
        old = self.found(WorkerRecord, c.WorkerRead(worker_id))
        if old:
            fields = {
                name: getattr(old, name)
                for name in (
                    "doc",
                    "capacity",
                    "available",
                    "max_offers",
                    "queues",
                    "channels",
                    "labels",
                    "tags",
                )
            }
        else:
            channels = {VOICE: 1} if channels is None else channels
            queues = ["q"] if queues is None else queues
            fields = {"capacity": 1, "available": True}
        if queues is not None:
            fields["queues"] = strings_text(queues)
        if channels is not None:
            rows = [(name, x if isinstance(x, tuple) else (x, None)) for name, x in channels.items()]
            fields["channels"] = channels_text(Channel(name, cost, most) for name, (cost, most) in rows)
        for name, members in (("labels", labels), ("tags", tags)):
            if members is not None:
                fields[name] = members_text(members)
        return self.run(c.WorkerUpsert(id=worker_id, **fields | given))

    def read_worker(self, worker_id: str) -> WorkerRecord:
        return WorkerRecord.parse(self.run(c.WorkerRead(worker_id)))

    def state(self, worker_id: str) -> str:
        return self.read_worker(worker_id).state

    def load(self, worker_id: str) -> float:
        """Its load ratio."""
        return self.read_worker(worker_id).load_ratio

    def offers(self, worker_id: str) -> list[str]:
        """The jobs offered to it, in the order in which they were."""
        worker = self.pair.state.workers[worker_id]
        shown = {offer.id: offer.job for offer in self.read_worker(worker_id).offers}
        return [shown[o.id] for o in sorted(worker.offers.values(), key=lambda o: o.place) if not o.void]

    def offered(self, job_id: str) -> list[str]:
        """The workers to whom a job is offered, in the order in which it was."""
        job = self.pair.state.jobs[job_id]
        return [o.worker for o in self.pair.state.open_offers(job)]

    # ---- jobs ------------------------------------------------------------------------------------

    def job(
        self,
        job_id: str,
        *,
        labels: Mapping[str, Scalar] | None = None,
        tags: Mapping[str, Scalar] | None = None,
        notes: Sequence[str] | None = None,
        selectors: Sequence[Selector] | None = None,
        **given: Any,
    ) -> Reply:
        """A job: created (channel voice, queue ``q`` or what its policy finds), patched, or revived."""
        old = self.found(JobRecord, c.JobRead(job_id))
        fields: dict[str, Any] = {"queue": "" if given.get("classification") else "q", "channel": VOICE}
        if old:
            kept = (
                "channel",
                "queue",
                "classification",
                "priority",
                "reference",
                "disposition",
                "mode",
                "schedule_at",
                "labels",
                "tags",
                "notes",
            )
            fields = {name: getattr(old, name) for name in kept}
            fields |= {"doc": old.doc, "selectors": undated_selectors(old.selectors)}
            if old.finished:
                fields |= {"notes": "", "disposition": ""}
        for name, members in (("labels", labels), ("tags", tags)):
            if members is not None:
                fields[name] = members_text(members)
        if notes is not None:
            fields["notes"] = notes_text(Note(message) for message in notes)
        if selectors is not None:
            fields["selectors"] = selectors_text(selectors)
        if given.get("mode", "scheduleAndSuspend") != "scheduleAndSuspend":
            fields["schedule_at"] = 0
        kind = c.JobUpdate if old and not old.finished else c.JobCreate
        return self.run(kind(id=job_id, **fields | given))

    def read(self, job_id: str) -> JobRecord:
        return JobRecord.parse(self.run(c.JobRead(job_id)))

    def selectors(self, job_id: str) -> list[Selector]:
        """Its requested selectors."""
        return selectors(self.read(job_id).selectors)

    def status(self, job_id: str) -> str:
        return self.read(job_id).status

    def order(self, queue_id: str = "q") -> list[str]:
        """The jobs of a queue, first to last."""
        jobs: list[str] = self.redis.zrange(f"{self.root}:queue.order:{queue_id}", 0, -1)
        return jobs

    def reclassify(self, job_id: str, **more: Any) -> Reply:
        return self.run(c.JobReclassify(job_id, **more))

    def lease(self, count: int = 100, lease_ms: int = 30_000) -> list[Reply]:
        """The questions that a worker takes."""
        rows: list[Reply] = self.run(c.TaskLease(count, lease_ms))["rows"]
        return rows

    def answer(self, question: Reply, **answers: Given) -> str:
        """Brings the answers to a question, by the places of their rules (with _ for a point)."""
        text = answers_text({place.replace("_", "."): given for place, given in answers.items()})
        asked, revision = int(question["asked"]), int(question["revision"])
        outcome: str = self.run(c.TaskAnswer(question["task"], asked, revision, text))["outcome"]
        return outcome

    def rank(self, question: Reply, *ranking: tuple[str, float | None]) -> str:
        """Brings the ranking that a question asks for."""
        asked, revision = int(question["asked"]), int(question["revision"])
        command = c.TaskAnswer(question["task"], asked, revision, json_text(ranking))
        outcome: str = self.run(command)["outcome"]
        return outcome

    def position(self, job_id: str) -> Reply:
        return self.run(c.JobPosition(job_id))

    def statistics(self, queue_id: str = "q") -> Reply:
        return self.run(c.QueueStatistics(queue_id))

    # ---- actions ---------------------------------------------------------------------------------

    def offer_id(self, worker_id: str, job_id: str) -> str:
        return next(offer.id for offer in self.read_worker(worker_id).offers if offer.job == job_id)

    def accept(self, worker_id: str, job_id: str, **more: Any) -> Reply:
        return self.run(c.OfferAccept(worker_id, self.offer_id(worker_id, job_id), **more))

    def decline(self, worker_id: str, job_id: str, *, retry_at: int | None = None, **more: Any) -> Reply:
        at = 0 if retry_at is None else START + retry_at
        return self.run(c.OfferDecline(worker_id, self.offer_id(worker_id, job_id), at, **more))

    def assignment(self, job_id: str) -> str:
        return self.read(job_id).assignment

    def complete(self, job_id: str, note: str = "", **more: Any) -> Reply:
        text = json_text(note) if note else ""
        return self.run(c.AssignmentComplete(job_id, self.assignment(job_id), note=text, **more))

    def close(self, job_id: str, note: str = "", *, close_at: int | None = None, **more: Any) -> Reply:
        at = 0 if close_at is None else START + close_at
        text = json_text(note) if note else ""
        return self.run(c.AssignmentClose(job_id, self.assignment(job_id), close_at=at, note=text, **more))

    def unassign(self, job_id: str, **more: Any) -> Reply:
        return self.run(c.AssignmentUnassign(job_id, self.assignment(job_id), **more))

    def cancel(self, job_id: str, note: str = "", **more: Any) -> Reply:
        return self.run(c.JobCancel(job_id, note=json_text(note) if note else "", **more))

    def serve(self, worker_id: str, job_id: str) -> None:
        """Accepts, completes and closes in one go."""
        self.accept(worker_id, job_id)
        self.complete(job_id)
        self.close(job_id)

    # ---- events ----------------------------------------------------------------------------------

    def events(self) -> list[Reply]:
        """The payloads of the events since the last look."""
        listed = self.pair.store.run(c.EventList(self._told, 1000), START + self.now)
        self._told = listed["next"]
        return [json.loads(text) for row in listed["rows"] for text in row["events"][1::2]]

    def told(self) -> list[str]:
        """The same in short: JobQueued j1, OfferIssued w1 j1, WorkerRegistered w1."""
        return [short(event) for event in self.events()]


def short(event: Reply) -> str:
    """An event in words: its kind, its worker, its job."""
    kind = event["eventType"].removeprefix("Microsoft.Communication.Router").replace("WorkerOffer", "Offer")
    data = event["data"]
    ids = [
        data[name]
        for name in ("workerId", "jobId")
        if name in data and (name == "jobId" or "Job" not in kind)
    ]
    return " ".join([kind, *ids])
