"""What the clients of a tenant know of it: what they were answered, and the events that they have read.

It is kept in the records of the twin, so that the random steps of the twin's tests find their ids in it. It
lags behind, as the knowledge of clients does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from engine import commands as c
from tests.histories.book import Reply
from tests.twin.model import Job, Offer, Policy, Queue, Router, Worker
from tests.twin.placeholders import Memory

_STATUS = {
    "JobClassificationFailed": "classificationFailed",
    "JobQueued": "queued",
    "JobWaitingForActivation": "waitingForActivation",
    "JobCompleted": "completed",
    "JobClosed": "closed",
    "JobCancelled": "cancelled",
    "WorkerOfferAccepted": "assigned",
}
_ENDS = ("WorkerOfferAccepted", "WorkerOfferDeclined", "WorkerOfferExpired", "WorkerOfferRevoked")
_NUMBERS = ("priority", "schedule_at", "doc")


class Known:
    """The knowledge of one tenant."""

    def __init__(self, root: str) -> None:
        self.router = Router(root)
        self.memory = Memory()
        self.entry = 0
        """The last entry of the outbox that was read."""

    # ---- what was answered -------------------------------------------------------------------------------

    def answered(self, command: c.Command, reply: Reply) -> None:
        """Takes in the reply to a command."""
        r = self.router
        match command:
            case c.PolicyUpsert() | c.PolicyRead():
                r.policies[command.kind, command.id] = Policy(
                    command.kind, command.id, {}, doc=int(reply["doc"])
                )
            case c.QueueUpsert() | c.QueueRead():
                r.queues[command.id] = Queue(command.id, doc=int(reply["doc"]))
            case c.WorkerUpsert() | c.WorkerRead():
                self._worker(command.id).doc = int(reply["doc"])
            case c.JobCreate() | c.JobUpdate() | c.JobRead():
                self._take_job(command.id, reply)
            case c.OfferAccept():
                job = self._job(reply["job"])
                job.status, job.assignment, job.worker = "assigned", reply["assignment"], reply["worker"]
                self.memory.assignments.append((job.id, job.assignment))
            case c.AssignmentComplete():
                self._job(command.job).status = "completed"
            case c.AssignmentClose() if not command.close_at:
                self._job(command.job).status = "closed"
            case c.JobCancel():
                self._job(command.id).status = "cancelled"
            case c.TaskLease():
                for row in reply["rows"]:
                    self._asked(row)
            case c.JobDelete():
                r.jobs.pop(command.id, None)
            case c.WorkerDelete():
                r.workers.pop(command.id, None)
            case c.QueueDelete():
                r.queues.pop(command.id, None)
            case c.PolicyDelete():
                r.policies.pop((command.kind, command.id), None)
            case c.EventList():
                for row in reply["rows"]:
                    self._told(row["events"])
                self.entry = max(self.entry, int(reply["next"]))

    def taken(self, command: c.Command) -> None:
        """A client has chosen this: others should look for something else."""
        match command:
            case c.OfferAccept() | c.OfferDecline():
                self._worker(command.worker).offers.pop(command.offer, None)
            case c.JobCreate():
                self._job(command.id).status = "creating"
            case c.AssignmentComplete():
                self._job(command.job).status = "completing"
            case c.AssignmentClose():
                self._job(command.job).status = "closing"

    def is_free(self, job_id: str) -> bool:
        """May a job of this id be created?"""
        job = self.router.jobs.get(job_id)
        return job is None or job.finished

    def missing(self, command: c.Command) -> None:
        """What a command was about is not there (any more)."""
        r = self.router
        match command:
            case c.OfferAccept() | c.OfferDecline():
                self._worker(command.worker).offers.pop(command.offer, None)
            case c.JobRead() | c.JobUpdate() | c.JobCreate():
                r.jobs.pop(command.id, None)
            case c.WorkerRead():
                r.workers.pop(command.id, None)
            case c.QueueRead():
                r.queues.pop(command.id, None)
            case c.PolicyRead():
                r.policies.pop((command.kind, command.id), None)
            case c.AssignmentComplete() | c.AssignmentClose() | c.AssignmentUnassign():
                self._job(command.job).assignment = ""

    @staticmethod
    def look_at(command: c.Command) -> c.Command | None:
        """How to read anew what a command was about, after it had changed."""
        match command:
            case c.PolicyUpsert():
                return c.PolicyRead(command.kind, command.id)
            case c.QueueUpsert():
                return c.QueueRead(command.id)
            case c.WorkerUpsert():
                return c.WorkerRead(command.id)
            case c.JobCreate() | c.JobUpdate():
                return c.JobRead(command.id)
            case c.AssignmentComplete() | c.AssignmentClose() | c.AssignmentUnassign():
                return c.JobRead(command.job)
        return None

    def _take_job(self, job_id: str, reply: Mapping[str, Any]) -> None:
        job = self.router.jobs[job_id] = Job(job_id)
        for name in ("channel", "queue", "classification", "reference", "disposition", "mode"):
            setattr(job, name, reply.get(name, getattr(job, name)))
        for name in ("status", "labels", "tags", "notes", "selectors", "assignment", "worker"):
            setattr(job, name, reply.get(name, ""))
        for name in _NUMBERS:
            setattr(job, name, int(reply.get(name, getattr(job, name))))

    def _asked(self, row: Mapping[str, Any]) -> None:
        kind, _, job_id = row["task"].partition(":")
        asked, revision = int(row["asked"]), int(row["revision"])
        setattr(self._job(job_id), "asked" if kind == "classify" else "scoring", asked)
        self.memory.questions.append((row["task"], asked, revision, row.get("pipeline", "")))

    def _job(self, job_id: str) -> Job:
        return self.router.jobs.setdefault(job_id, Job(job_id))

    def _worker(self, worker_id: str) -> Worker:
        return self.router.workers.setdefault(worker_id, Worker(worker_id))

    # ---- what was told -----------------------------------------------------------------------------------

    def _told(self, flat: list[str]) -> None:
        for kind, text in zip(flat[::2], flat[1::2], strict=True):
            kind = kind.removeprefix("Router")
            data = json.loads(text)["data"]
            if kind == "WorkerOfferIssued":
                self._offered(data["offerId"], data["workerId"], data["jobId"])
            elif kind in _ENDS:
                self._worker(data["workerId"]).offers.pop(data["offerId"], None)
            if kind == "JobDeleted":
                self.router.jobs.pop(data["jobId"], None)
            elif kind == "WorkerDeleted":
                self.router.workers.pop(data["workerId"], None)
            elif kind in _STATUS:
                job = self._job(data["jobId"])
                job.status, job.assignment = _STATUS[kind], data.get("assignmentId", "")

    def _offered(self, offer_id: str, worker: str, job: str) -> None:
        self.router.offers_made += 1
        place = self.router.offers_made
        self._worker(worker).offers[offer_id] = Offer(offer_id, job, worker, "", "", 1, 0, 0, place)
        self.memory.offers.append((worker, offer_id))
