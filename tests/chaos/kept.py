"""Compares what agents were told with what a store has and what its log tells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from engine.commands import JobRead
from engine.errors import Refused
from tests.chaos.agents import Team
from tests.chaos.event_log import ENDS, OFFER, EventLog
from tests.chaos.figures import Figures
from tests.support import SyncStore


def read_jobs(store: SyncStore, root: str, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The records of jobs, by id; without those that are not there."""
    found = {}
    for name in names:
        try:
            found[name] = store.run(root, JobRead(name))
        except Refused:
            continue
    return found


def judge(figures: Figures, store: SyncStore, root: str, log: EventLog, team: Team) -> None:
    """The promises about what was acknowledged, and about the events of it."""
    jobs = read_jobs(store, root, team.ledger.stages)
    figures.none("acknowledged operations lost", team.ledger.lost(jobs))
    figures.none("acknowledged operations without exactly one event", mistold(log, team))
    figures.none("refused although it was done", denied(log, team))
    figures.none("answers that should not be", team.ledger.unexpected)
    consistent(figures, log, jobs)


def consistent(figures: Figures, log: EventLog, jobs: Mapping[str, Mapping[str, Any]]) -> None:
    """What must be true of any log and records, whatever was lost with the store."""
    figures.tell("events", len(log.events))
    figures.none("what happened twice", log.repeated())
    figures.none("events without their cause", log.out_of_order())
    figures.none("gaps in the log", log.gaps)
    figures.none("states that no event tells of", log.untold(jobs))


def mistold(log: EventLog, team: Team) -> list[str]:
    """Accepts and declines that were acknowledged, and are not told once in the log."""
    accepts = [event.data["assignmentId"] for event in log.of(f"{OFFER}Accepted")]
    declines = [event.data["offerId"] for event in log.of(f"{OFFER}Declined")]
    accepted = [ack.assignment for ack in team.ledger.acks if ack.stage == "assigned"]
    wrong = [f"assignment {one}" for one in accepted if accepts.count(one) != 1]
    return wrong + [f"declined offer {one}" for one in team.declined if declines.count(one) != 1]


def denied(log: EventLog, team: Team) -> list[str]:
    """Offers whose acceptance or refusal was done, though the only one who asked was told it was not."""
    done = {event.data["offerId"] for event in log.events if event.kind in ENDS}
    done -= {event.data["offerId"] for end in ("Expired", "Revoked") for event in log.of(OFFER + end)}
    return [offer for offer in team.refused if offer in done]
