"""The checker finds what would be wrong: each test spoils a sound history in one way."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from engine import commands as c
from engine.errors import Refused
from tests import support
from tests.histories.book import NEVER, Call, Tagged
from tests.histories.checker import Checker, Found

COMMANDS: tuple[c.Command, ...] = (
    c.SettingsWrite(recording=1_000),
    c.PolicyUpsert("distribution", "p", expires_ms=60_000, mode="longestIdle", document="{}"),
    c.QueueUpsert("q", distribution="p"),
    c.WorkerUpsert("w", capacity=2, available=True, queues='"q"', channels='"v"\t1\t'),
    c.JobCreate("a", channel="v", queue="q"),
    c.JobRead("a"),
    c.JobCreate("b", channel="v", queue="q"),
    c.WorkerRead("w"),
    c.JobCancel("nobody"),
    c.JobCancel("a"),
    c.JobCancel("a"),
    c.AgendaDue(),
    c.JobRead("a"),
)
READ_OF_A = 5
CREATION_OF_B = 6
CANCELLATION = 9


class Lived:
    """A router that has lived a little: one client, one call after the other."""

    def __init__(self, client: redis.Redis, root: str) -> None:
        self.client: Any = client
        self.root = root
        self.calls: list[Call] = []
        self.store = support.SyncStore(client)
        for command in COMMANDS:
            self.call(command)

    def call(self, command: c.Command) -> Call:
        """One more call, a second after the last."""
        number = len(self.calls)
        call = Call(f"call-{number}", command, number, number + 0.5)
        self.calls.append(call)
        try:
            given: Any = Tagged(command, call.tag) if command.write else command
            call.outcome = command.completed(self.store.run(self.root, given))
        except Refused as refusal:
            call.outcome = refusal
        return call

    def check(self) -> Found:
        return Checker(self.client, self.root, self.calls).run()

    def rewrite(self, number: int, **fields: str) -> None:
        """Puts another entry into the log, in the place of one."""
        key = f"{self.root}:oplog"
        rows = self.client.xrange(key)
        self.client.delete(key)
        for i, (entry, old) in enumerate(rows):
            self.client.xadd(key, {**old, **(fields if i == number else {})}, id=entry)


@pytest.fixture
def lived(server: support.Server, root: str) -> Iterator[Lived]:
    with server.client() as client:
        yield Lived(client, root)


def problem(found: Found) -> str:
    """The first thing that is wrong."""
    assert found.mismatches
    return found.mismatches[0]


def test_a_sound_history(lived: Lived) -> None:
    found = lived.check()
    assert found.mismatches == []
    assert (found.operations, found.replies, found.refusals, found.reads) == (13, 8, 2, 3)
    assert (found.unknown, found.entries) == (0, 10)
    assert found.events >= 7


def test_another_reply_than_recorded(lived: Lived) -> None:
    call = lived.calls[CREATION_OF_B]
    assert isinstance(call.outcome, dict)
    call.outcome["op"] += 1
    assert "recorded" in problem(lived.check())


def test_another_refusal_than_recorded(lived: Lived) -> None:
    lived.calls[8].outcome = Refused("CONFLICT", "")
    assert "recorded" in problem(lived.check())


def test_another_reply_than_that_of_the_twin(lived: Lived) -> None:
    call = lived.calls[CREATION_OF_B]
    assert isinstance(call.outcome, dict)
    call.outcome["status"] = "queued"
    lived.rewrite(5, reply='["outcome","created","op",6,"status","queued","created_at","1"]')
    assert "status" in "".join(lived.check().mismatches)


def test_a_call_at_another_time(lived: Lived) -> None:
    lived.rewrite(5, at="1000")
    assert "created_at" in problem(lived.check())


def test_an_answered_call_that_was_not_executed(lived: Lived) -> None:
    outcome = lived.calls[CREATION_OF_B].outcome
    lived.calls.append(Call("call-lost", c.JobCreate("c", channel="v", queue="q"), 50, 51, outcome))
    assert "is not in the log" in problem(lived.check())


def test_an_entry_that_is_missing(lived: Lived) -> None:
    key = f"{lived.root}:oplog"
    lived.client.xdel(key, lived.client.xrange(key)[4][0])
    assert "is not in the log" in problem(lived.check())
    assert "the twin stands at" in "".join(lived.check().mismatches)


def test_a_call_that_was_executed_twice(lived: Lived) -> None:
    first = lived.call(c.JobCreate("c", channel="v", queue="q"))
    second = lived.call(c.JobCreate("d", channel="v", queue="q"))
    lived.calls.remove(second)
    lived.rewrite(len(lived.client.xrange(f"{lived.root}:oplog")) - 1, document5=first.tag)
    assert "done twice" in problem(lived.check())


def test_a_call_that_nobody_has_made(lived: Lived) -> None:
    del lived.calls[CANCELLATION]
    assert "nobody has called it" in problem(lived.check())


def test_a_call_before_one_that_was_over(lived: Lived) -> None:
    call = lived.calls[CREATION_OF_B]
    call.invoked, call.completed = 100, 101
    assert "was over before" in problem(lived.check())


def test_calls_at_the_same_time_may_stand_in_any_order(lived: Lived) -> None:
    for call in lived.calls:
        call.invoked, call.completed = 1, 2
    assert lived.check().mismatches == []


def test_a_lost_answer_may_have_been_executed_or_not(lived: Lived) -> None:
    call = lived.calls[CREATION_OF_B]
    call.outcome, call.completed = None, NEVER
    lived.calls.append(Call("call-lost", c.JobCreate("c", channel="v", queue="q"), 50))
    found = lived.check()
    assert found.mismatches == []
    assert (found.unknown, found.executed) == (2, 1)


def test_a_lost_answer_cannot_have_come_before_it_was_asked_for(lived: Lived) -> None:
    call = lived.calls[CREATION_OF_B]
    call.outcome, call.completed, call.invoked = None, NEVER, 100
    assert "was over before" in problem(lived.check())


def test_a_read_of_what_never_was(lived: Lived) -> None:
    call = lived.calls[READ_OF_A]
    assert isinstance(call.outcome, dict)
    call.outcome["priority"] = "7"
    assert "at no moment had the answer" in problem(lived.check())


def test_a_read_of_the_past(lived: Lived) -> None:
    old, new = lived.calls[READ_OF_A], lived.calls[-1]
    new.outcome = old.outcome
    assert "at no moment had the answer" in problem(lived.check())


def test_reads_that_go_back_in_time(lived: Lived) -> None:
    """Each may be at any time of its own, but not one after the other in this order."""
    old, new = lived.calls[READ_OF_A], lived.calls[-1]
    for call in lived.calls:
        if call.command.write:
            call.completed = 200
    old.invoked, old.completed = 150, 151
    new.invoked, new.completed = 148, 149
    assert "at no moment had the answer" in problem(lived.check())
    new.invoked, new.completed = 148, 150
    assert lived.check().mismatches == []


def test_another_state_in_the_end(lived: Lived) -> None:
    lived.client.hset(f"{lived.root}:job:b", "priority", "9")
    assert "priority" in "".join(lived.check().mismatches)


def test_another_event(lived: Lived) -> None:
    key = f"{lived.root}:events"
    entry, fields = lived.client.xrange(key)[-1]
    lived.client.delete(key)
    lived.client.xadd(key, {name: text.replace('"a"', '"z"') for name, text in fields.items()}, id=entry)
    assert "events" in "".join(lived.check().mismatches)


def test_found_adds_up() -> None:
    one = Found(operations=1, reads=2, mismatches=["x"])
    one.add(Found(operations=3, mismatches=["y"]))
    assert dataclasses.asdict(one) == dataclasses.asdict(Found(operations=4, reads=2, mismatches=["x", "y"]))
