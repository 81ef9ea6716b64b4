"""Scenarios for commands that the library calls seldom, in the form of tests/lua/scenarios.py."""

from __future__ import annotations

from collections.abc import Callable

from bench.entities import policy, queue, region_and_skill, worker
from bench.site import Site
from engine import commands as c
from engine.exception_rules import Change, Rule, rules_text
from tests.lua.scenarios import excepted, fresh, new_job, waiting

SMALL_BATCH = 5
"""Of which a portion of offers is one."""


def check_of_a_queue(here: Site) -> c.Command:
    return c.Check(ids=["queue:empty"])


def check_in_a_review(here: Site) -> c.Command:
    """Jobs that have not yet taken the change of their queue's policy."""
    here.run(c.SettingsWrite(batch=SMALL_BATCH))
    name = excepted(here)
    jobs = [new_job(here, name) for _ in range(2 * SMALL_BATCH)]
    here.build(jobs)
    rules = rules_text([Rule("late", "wait", 5_000, [Change(priority=9)])])
    doc = here.run(c.PolicyRead("exception", name))["doc"]
    here.run(c.PolicyUpsert(kind="exception", id=name, doc=int(doc), document="{}", rules=rules))
    return c.Check(ids=[f"job:{job.id}" for job in jobs])


def events_trimmed(here: Site) -> c.Command:
    for _ in range(3):
        waiting(here)
    here.run(c.SettingsWrite(keep_events_count=1))
    return c.AgendaDue()


def offers_taken_back_in_portions(here: Site) -> c.Command:
    here.run(c.SettingsWrite(batch=SMALL_BATCH))
    name = fresh(here, "queue")
    here.run(policy(name, offers=3))
    here.run(queue(name, name))
    here.build(worker(n, region_and_skill(n), queues=[name]) for n in here.take_serials(3))
    job = new_job(here, name)
    here.run(job)
    for _ in range(3):
        here.run(c.AgendaDue())
    here.run(c.JobCancel(job.id))
    return c.AgendaDue()


def time_of_the_server(here: Site) -> c.Command:
    here.now = 0
    return c.RouterStatus()


RARE: dict[str, Callable[[Site], c.Command]] = {
    made.__name__: made
    for made in (
        check_of_a_queue,
        check_in_a_review,
        events_trimmed,
        offers_taken_back_in_portions,
        time_of_the_server,
    )
}
