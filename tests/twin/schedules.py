"""Jobs that wait for a time before they may be activated (semantics 10)."""

from __future__ import annotations

from tests.twin import events, jobs
from tests.twin.model import Job, Router


def start(r: Router, job: Job) -> None:
    """Waits for the time of its schedule; a past one has come."""
    job.scheduled_at = 0
    if job.status != "scheduled":
        jobs.move(r, job, "scheduled")
    r.agenda.pop(f"schedule:{job.id}", None)
    if job.schedule_at > r.now:
        r.agenda[f"schedule:{job.id}"] = job.schedule_at
    else:
        ring(r, job)


def stop(r: Router, job: Job) -> None:
    r.agenda.pop(f"schedule:{job.id}", None)


def ring(r: Router, job: Job) -> None:
    """Its time has come."""
    jobs.move(r, job, "waitingForActivation")
    job.scheduled_at = r.now
    events.job_waiting_for_activation(r, job)


def due(r: Router, job_id: str) -> None:
    job = r.jobs.get(job_id)
    if job and job.status == "scheduled":
        r.number()
        ring(r, job)
