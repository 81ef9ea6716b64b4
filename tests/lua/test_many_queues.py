"""Many queues: what a classification asks of the store does not grow with them."""

from __future__ import annotations

import msgspec
import pytest

from bench.entities import Labels, classification_policy, classified, policy, queue
from bench.site import Site
from engine.commands import Check, JobRead
from tests.budget import CALLS

QUEUES = 1_500


@pytest.fixture(name="here", params=[20, QUEUES], ids=["few-label-sets", "own-label-sets"])
def _here(empty: Site, request: pytest.FixtureRequest) -> Site:
    """Queues of teams."""
    empty.build([policy(), classification_policy()])
    empty.build(queue(f"queue-{number}", labels=_labels(number, request.param)) for number in range(QUEUES))
    return empty


def _labels(number: int, label_sets: int) -> Labels:
    return {"team": f"team-{number % label_sets}", "open": True}


def _create(here: Site, team: str) -> tuple[str, int]:
    """Where a new job of a team is put, and with how many calls."""
    created = classified(here.take_serials(1)[0], team)
    _, cost = here.meter.run(here.packed([created]))
    return here.run(JobRead(created.id)).get("queue", ""), int(cost.commands)


def test_the_queue_is_found_with_few_calls(here: Site) -> None:
    """The first time a team is asked for, and again."""
    _create(here, "team-1")
    for team in ("team-7", "team-13", "team-7"):
        found, calls = _create(here, team)
        assert int(found.removeprefix("queue-")) % 20 == int(team.removeprefix("team-")) % 20
        assert calls <= CALLS["job_create__classified"] + 4


def test_a_team_without_a_queue(here: Site) -> None:
    assert _create(here, "team-99999")[0] == ""


def test_labels_that_change_are_found(here: Site) -> None:
    """Also when it was remembered who fits, and all of it stays sound."""
    assert _create(here, "team-x")[0] == ""
    moved = queue("queue-3", labels={"team": "team-x", "open": True})
    here.run(msgspec.structs.replace(moved, doc=1))
    assert _create(here, "team-x")[0] == "queue-3"
    assert here.run(Check(ids=["queue:queue-3", "queue:queue-4"]))["problems"] == []
