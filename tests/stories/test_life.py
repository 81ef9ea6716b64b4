"""The life of a job: every row of its state machine that needs neither classification nor a schedule."""

from __future__ import annotations

import pytest

from engine import commands as c
from engine.model import members, notes
from tests.stories.router import START, Router, wants


def test_job_create_shows_created_then_is_queued_and_offered(router: Router) -> None:
    router.policy(expires=600_000)
    router.worker("w1")
    router.told()
    assert router.job("j1")["status"] == "created"
    assert router.told() == ["JobReceived j1", "JobQueued j1", "OfferIssued w1 j1"]
    job = router.read("j1")
    assert (job.status, job.priority, job.mode) == ("queued", 1, "queueAndMatch")
    assert job.enqueued_at == START
    worker = router.read_worker("w1")
    (offer,) = worker.offers
    assert (offer.job, offer.cost, offer.expires_at) == ("j1", 1, offer.offered_at + 600_000)
    assert worker.load_ratio == 1


def test_job_events_of_its_whole_life(router: Router) -> None:
    router.worker("w1")
    router.told()
    router.job("j1")
    router.at(1_000)
    router.accept("w1", "j1")
    assert router.status("j1") == "assigned"
    router.at(2_000)
    router.complete("j1", "well done")
    assert router.status("j1") == "completed"
    router.at(3_000)
    router.close("j1", "tidied up")
    job = router.read("j1")
    assert (job.status, job.disposition) == ("closed", "Closed")
    assert (job.assigned_at, job.completed_at, job.closed_at) == (START + 1_000, START + 2_000, START + 3_000)
    assert [(n.message, n.added_ms) for n in notes(job.notes)] == [
        ("well done", job.completed_at),
        ("tidied up", job.closed_at),
    ]
    assert job.worker == "w1"
    assert router.told() == [
        "JobReceived j1",
        "JobQueued j1",
        "OfferIssued w1 j1",
        "OfferAccepted w1 j1",
        "JobCompleted j1",
        "JobClosed j1",
    ]


def test_offer_accept_answers_assignment_job_and_worker(router: Router) -> None:
    router.worker("w1")
    router.job("j1")
    offer = router.offer_id("w1", "j1")
    reply = router.accept("w1", "j1")
    assert (reply["job"], reply["worker"]) == ("j1", "w1")
    assert router.assignment("j1") == reply["assignment"]
    with router.refuses("NOT_FOUND", "Offer not found"):
        router.run(c.OfferDecline("w1", offer))


def test_assignment_complete_holds_capacity_until_close(router: Router) -> None:
    router.worker("w1")
    router.job("j1")
    router.accept("w1", "j1")
    router.job("j2")
    router.complete("j1")
    assert (router.load("w1"), router.offers("w1")) == (1, [])
    router.close("j1")
    assert router.offers("w1") == ["j2"]


def test_assignment_close_later_stays_completed_until_then(router: Router) -> None:
    router.worker("w1")
    router.job("j1")
    router.accept("w1", "j1")
    router.complete("j1")
    router.job("j2")
    router.told()
    router.close("j1", disposition="done", close_at=10_000)
    assert (router.status("j1"), router.told(), router.offers("w1")) == ("completed", [], [])
    router.at(9_999)
    assert router.status("j1") == "completed"
    router.at(10_000)
    job = router.read("j1")
    assert (job.status, job.disposition, job.closed_at) == ("closed", "done", START + 10_000)
    assert router.told() == ["JobClosed j1", "OfferIssued w1 j2"]


@pytest.mark.parametrize("close_at", [0, -1_000_000])
def test_assignment_close_in_the_past_is_now(router: Router, close_at: int) -> None:
    router.worker("w1")
    router.job("j1")
    router.accept("w1", "j1")
    router.complete("j1")
    router.close("j1", close_at=close_at)
    assert router.status("j1") == "closed"


def test_assignment_close_again_moves_the_time(router: Router) -> None:
    router.worker("w1")
    router.job("j1")
    router.accept("w1", "j1")
    router.complete("j1")
    router.close("j1", close_at=10_000)
    router.close("j1", close_at=20_000)
    router.at(19_999)
    assert router.status("j1") == "completed"
    router.at(20_000)
    assert router.status("j1") == "closed"


def test_assignment_close_later_without_disposition_is_closed_by_default(router: Router) -> None:
    router.worker("w1")
    router.job("j1")
    router.accept("w1", "j1")
    router.complete("j1")
    router.close("j1", close_at=10_000)
    router.job("j1", disposition="")
    router.at(10_000)
    assert (router.status("j1"), router.read("j1").disposition) == ("closed", "Closed")


def test_job_cancel_while_it_waits_to_be_closed_forgets_the_time(router: Router) -> None:
    router.worker("w1")
    router.job("j1")
    router.accept("w1", "j1")
    router.complete("j1")
    router.close("j1", close_at=10_000)
    router.cancel("j1")
    router.job("j1")
    router.accept("w1", "j1")
    router.complete("j1")
    router.at(10_000)
    assert router.status("j1") == "completed"


# ---- suspend and activation ----------------------------------------------------------------------


def test_job_create_suspended_waits_at_once(router: Router) -> None:
    router.worker("w1")
    router.told()
    assert router.job("j1", mode="suspend")["status"] == "waitingForActivation"
    assert router.told() == ["JobReceived j1"]
    assert (router.offers("w1"), router.order()) == ([], [])
    assert router.read("j1").enqueued_at is None


def test_job_update_activates(router: Router) -> None:
    router.worker("w1")
    router.job("j1", mode="suspend")
    router.at(5_000)
    router.told()
    reply = router.job("j1", mode="queueAndMatch", priority=7)
    assert (reply["status"], int(reply["priority"])) == ("queued", 7)
    assert int(reply["enqueued_at"]) == START + 5_000
    assert router.told() == ["JobQueued j1", "OfferIssued w1 j1"]
    assert router.read("j1").mode == "queueAndMatch"


def test_job_update_suspends_and_keeps_its_place(router: Router) -> None:
    router.worker("w1")
    router.job("j1")
    router.job("j2")
    router.told()
    router.at(1_000)
    assert router.job("j1", mode="suspend")["status"] == "waitingForActivation"
    assert router.told() == ["OfferRevoked w1 j1", "JobWaitingForActivation j1", "OfferIssued w1 j2"]
    router.job("j1", mode="queueAndMatch")
    assert router.order() == ["j1", "j2"]
    assert router.read("j1").enqueued_at == START


# ---- updates -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [{"labels": {"a": 2}}, {"queue": "q2"}, {"channel": "chat"}, {"selectors": [wants("a", "!=", 1)]}],
    ids=["labels", "queue", "channel", "selectors"],
)
def test_job_update_requeues(router: Router, change: dict[str, object]) -> None:
    router.queue("q2")
    router.worker("w1", queues=["q", "q2"], channels={"voice": 1, "chat": 1}, capacity=2)
    router.job("j1", labels={"a": 1})
    router.told()
    assert router.job("j1", **change)["status"] == "queued"  # type: ignore[arg-type]
    assert router.told() == ["OfferRevoked w1 j1", "JobQueued j1", "OfferIssued w1 j1"]


@pytest.mark.parametrize(
    "change",
    [{"tags": {"a": 2}}, {"notes": ["n"]}, {"reference": "r"}, {"disposition": "d"}, {"priority": 9}],
    ids=["tags", "notes", "reference", "disposition", "priority"],
)
def test_job_update_only_stores(router: Router, change: dict[str, object]) -> None:
    router.worker("w1")
    router.job("j1")
    router.told()
    router.job("j1", **change)  # type: ignore[arg-type]
    assert router.told() == []
    assert router.offers("w1") == ["j1"]


def test_job_update_of_priority_sorts_again_and_keeps_offers(router: Router) -> None:
    router.worker("w1")
    for job in ("j1", "j2", "j3"):
        router.job(job)
    router.job("j3", priority=5)
    assert router.order() == ["j3", "j1", "j2"]
    assert router.offers("w1") == ["j1"]


def test_job_update_with_nothing_new_changes_nothing(router: Router) -> None:
    router.worker("w1")
    router.job("j1", labels={"a": 1}, selectors=[wants("b", "!=", 1, seconds=50)])
    router.told()
    router.at(1_000)
    router.job("j1")
    assert (router.told(), router.offers("w1"), router.status("j1")) == ([], ["j1"], "queued")


def test_job_update_of_an_assigned_job_stores_and_does_nothing(router: Router) -> None:
    router.worker("w1")
    router.job("j1")
    router.accept("w1", "j1")
    router.told()
    router.job("j1", labels={"a": 1}, selectors=[wants("a", "=", 1)])
    assert (router.status("j1"), router.told()) == ("assigned", [])
    assert members(router.read("j1").labels) == {"a": 1}


def test_job_update_with_a_stale_counter_is_refused(router: Router) -> None:
    router.job("j1")
    router.job("j1", tags={"a": 1})
    with router.refuses("CHANGED"):
        router.run(c.JobUpdate(id="j1", doc=1, channel="voice", queue="q"))
    with router.refuses("CHANGED"):
        router.run(c.JobUpdate(id="j1", doc=2, rev=0, channel="voice", queue="q"))
    with router.refuses("CHANGED"):
        router.run(c.JobUpdate(id="nobody", doc=2, channel="voice", queue="q"))


def test_job_create_of_what_exists_shows_it(router: Router) -> None:
    router.job("j1", priority=3)
    reply = router.run(c.JobCreate(id="j1", channel="other", queue="q"))
    assert (reply["outcome"], reply["channel"], reply["priority"]) == ("exists", "voice", "3")


# ---- unassign ------------------------------------------------------------------------------------


def test_assignment_unassign_brings_the_job_back(router: Router) -> None:
    router.worker("w1")
    router.job("j1")
    router.accept("w1", "j1")
    router.at(5_000)
    router.told()
    reply = router.unassign("j1")
    assert (reply["job"], reply["count"]) == ("j1", 1)
    assert router.told() == ["JobUnassigned j1", "JobQueued j1", "OfferIssued w1 j1"]
    job = router.read("j1")
    assert (job.status, job.assignment, job.enqueued_at) == ("queued", "", START)
    assert router.offers("w1") == ["j1"]


def test_assignment_unassign_suspended_waits_for_activation(router: Router) -> None:
    router.worker("w1")
    router.job("j1")
    router.accept("w1", "j1")
    router.told()
    router.unassign("j1", suspend=True)
    assert (router.status("j1"), router.told(), router.load("w1")) == (
        "waitingForActivation",
        ["JobUnassigned j1"],
        0,
    )
    assert router.job("j1", mode="queueAndMatch")["status"] == "queued"


def test_assignment_unassign_a_fourth_time_is_refused(router: Router) -> None:
    router.worker("w1")
    router.job("j1")
    for count in (1, 2, 3):
        router.accept("w1", "j1")
        assert router.unassign("j1")["count"] == count
    router.accept("w1", "j1")
    with router.refuses("LIMIT"):
        router.unassign("j1")
    router.complete("j1")
    router.close("j1")
    # a new life counts anew, but the reported count goes on
    router.job("j1")
    router.accept("w1", "j1")
    assert router.unassign("j1")["count"] == 4


def test_assignment_unassign_needs_an_assigned_job(router: Router) -> None:
    router.worker("w1")
    router.job("j1")
    router.accept("w1", "j1")
    router.complete("j1")
    with router.refuses("CONFLICT"):
        router.unassign("j1")


# ---- cancel --------------------------------------------------------------------------------------


def test_job_cancel_while_queued(router: Router) -> None:
    router.worker("w1")
    router.job("j1")
    router.told()
    router.cancel("j1", "not needed")
    assert router.told() == ["OfferRevoked w1 j1", "JobCancelled j1"]
    job = router.read("j1")
    assert (job.status, job.disposition) == ("cancelled", "Cancelled")
    assert [note.message for note in notes(job.notes)] == ["not needed"]
    assert router.load("w1") == 0


@pytest.mark.parametrize("completed", [False, True])
def test_job_cancel_while_assigned_frees_the_worker(router: Router, completed: bool) -> None:
    router.worker("w1")
    router.job("j1")
    router.accept("w1", "j1")
    if completed:
        router.complete("j1")
    router.job("j2")
    router.at(1_000)
    router.told()
    router.cancel("j1", disposition="wrong number")
    assert router.told() == ["JobCancelled j1", "OfferIssued w1 j2"]
    job = router.read("j1")
    assert (job.status, job.disposition, job.closed_at) == ("cancelled", "wrong number", START + 1_000)


def test_job_cancel_while_suspended(router: Router) -> None:
    router.job("j1", mode="suspend")
    router.told()
    router.cancel("j1")
    assert (router.status("j1"), router.told()) == ("cancelled", ["JobCancelled j1"])


# ---- the end, and a new life ---------------------------------------------------------------------


@pytest.mark.parametrize("end", ["closed", "cancelled"])
def test_job_create_revives(router: Router, end: str) -> None:
    router.worker("w1")
    router.job("j1", labels={"a": 1}, priority=5, notes=["old"])
    if end == "closed":
        router.serve("w1", "j1")
    else:
        router.cancel("j1")
    router.at(5_000)
    router.told()
    reply = router.job("j1")
    assert (reply["outcome"], reply["status"]) == ("updated", "created")
    assert router.told() == ["JobReceived j1", "JobQueued j1", "OfferIssued w1 j1"]
    job = router.read("j1")
    assert (job.assignment, job.worker, job.notes, job.disposition) == ("", "", "", "")
    assert (job.closed_at, job.enqueued_at, job.priority) == (0, START + 5_000, 5)
    assert members(job.labels) == {"a": 1}


@pytest.mark.parametrize("begins", ["new", "revived"])
def test_a_repeated_create_does_not_revive(router: Router, begins: str) -> None:
    """Its answer was lost; by the time it comes again the job is done."""
    router.worker("w1")
    if begins == "revived":
        router.job("j1")
        router.serve("w1", "j1")
    router.job("j1", request_id="r1")
    router.serve("w1", "j1")
    router.told()
    reply = router.job("j1", request_id="r1")
    assert (reply["outcome"], reply["status"]) == ("exists", "closed")
    assert router.told() == []
    assert router.job("j1", request_id="r2")["outcome"] == "updated"
    assert "JobReceived j1" in router.told()


def test_a_repeated_update_does_not_revive(router: Router) -> None:
    router.worker("w1")
    router.job("j1", mode="suspend", request_id="r1")
    router.job("j1", mode="queueAndMatch", request_id="r2")
    router.serve("w1", "j1")
    router.told()
    assert router.job("j1", request_id="r2")["outcome"] == "exists"
    assert router.told() == []
    # the next life knows nothing of the requests of this one
    assert router.job("j1", request_id="r3")["outcome"] == "updated"
    router.serve("w1", "j1")
    assert router.job("j1", request_id="r2")["outcome"] == "updated"


def test_a_create_whose_entry_is_gone_revives(router: Router) -> None:
    """A request id is known as long as the events are kept."""
    router.worker("w1")
    router.job("j1", request_id="r1")
    router.serve("w1", "j1")
    router.settings(keep_events_count=1)
    router.at(1_000)
    router.sweep()
    assert router.job("j1", request_id="r1")["outcome"] == "updated"


def test_job_create_revives_without_bars(router: Router) -> None:
    router.worker("w1")
    router.job("j1")
    router.decline("w1", "j1")
    router.cancel("j1")
    router.job("j1")
    assert router.offers("w1") == ["j1"]


def test_job_delete_needs_an_end(router: Router) -> None:
    router.worker("w1")
    router.job("j1")
    with router.refuses("IN_USE", "active"):
        router.run(c.JobDelete("j1"))
    router.cancel("j1")
    router.told()
    assert router.run(c.JobDelete("j1"))["outcome"] == "deleted"
    assert router.told() == ["JobDeleted j1"]
    with router.refuses("NOT_FOUND", "The item was not found."):
        router.read("j1")
    assert router.run(c.JobDelete("j1"))["outcome"] == "absent"


ACTIONS = {
    "complete": lambda r: r.complete("j1"),
    "close": lambda r: r.close("j1"),
    "unassign": lambda r: r.unassign("j1"),
    "cancel": lambda r: r.cancel("j1"),
    "reclassify": lambda r: r.run(c.JobReclassify("j1")),
    "position": lambda r: r.position("j1"),
}
WRONG = {
    "suspended": {"position"},
    "assigned": {"close", "reclassify", "position"},
    "completed": {"complete", "unassign", "reclassify", "position"},
    "closed": {"complete", "close", "unassign", "cancel", "reclassify", "position"},
    "cancelled": {"complete", "close", "unassign", "cancel", "reclassify", "position"},
}


def bring(router: Router, state: str) -> None:
    """Brings job j1 into a state; where it can, it keeps its assignment."""
    router.worker("w1")
    router.job("j1", **({"mode": "suspend"} if state == "suspended" else {}))  # type: ignore[arg-type]
    if state == "suspended":
        return
    router.accept("w1", "j1")
    if state in ("completed", "closed"):
        router.complete("j1")
    if state == "closed":
        router.close("j1")
    if state == "cancelled":
        router.cancel("j1")


@pytest.mark.parametrize(("state", "action"), [(s, a) for s in WRONG for a in sorted(WRONG[s])])
def test_actions_in_a_wrong_state_are_refused(router: Router, state: str, action: str) -> None:
    bring(router, state)
    with router.refuses("CONFLICT"):
        ACTIONS[action](router)


def test_actions_on_what_is_missing_are_refused(router: Router) -> None:
    router.worker("w1")
    router.job("j1")
    missing: list[c.Command] = [
        c.JobRead("x"),
        c.JobCancel("x"),
        c.JobReclassify("x"),
        c.JobPosition("x"),
        c.AssignmentComplete("x", "a"),
        c.AssignmentClose("j1", "a"),
        c.AssignmentUnassign("j1", "a"),
        c.OfferAccept("w1", "o"),
        c.OfferDecline("x", "o"),
        c.WorkerRead("x"),
        c.QueueRead("x"),
        c.QueueStatistics("x"),
        c.PolicyRead("exception", "x"),
    ]
    for command in missing:
        with router.refuses("NOT_FOUND"):
            router.run(command)


def test_job_reclassify_without_a_policy_is_invalid(router: Router) -> None:
    router.job("j1")
    with router.refuses("INVALID"):
        router.run(c.JobReclassify("j1"))
