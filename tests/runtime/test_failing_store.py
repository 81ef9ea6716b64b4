"""The worker's loops go on through failures of the store, say so once, and say when it is over."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import hiredis
import pytest

from engine import commands as c
from engine.errors import Failed, Unavailable
from engine.outgoing.errors import EndpointBusy
from engine.servers import Servers
from engine.store import Reply, Store, root_of
from engine.worker import expiry, remote_rules
from engine.worker.expiry import Sweeper
from engine.worker.questions import Answers
from engine.worker.remote_rules import RemoteRules

PATIENCE_SECONDS = 15.0
GONE, BROKEN = Unavailable("it is gone"), Failed("it is broken")


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expiry, "SWEEP_SECONDS", 0.001)
    monkeypatch.setattr(remote_rules, "SWEEP_SECONDS", 0.001)
    monkeypatch.setattr(remote_rules, "_TURN_SECONDS", 0.001)


class Connection:
    """Every key is absent; the clock stands."""

    async def call(self, name: str, *_: str) -> Any:
        return ["0", "0"] if name == "TIME" else None


class Scripted(Store):
    """A store that gives or raises one thing after another, the last stays; ``lost`` answers do not come."""

    def __init__(self, *outcomes: Reply | Exception, lost: int = 0) -> None:
        self.servers = Servers.of("unix:///nowhere")
        self.servers.known[root_of("t")] = Connection()  # type: ignore[assignment]
        self.outcomes = list(outcomes)
        self.lost = lost
        self.commands: list[c.Command] = []

    async def run(self, root: str, command: c.Command, now_ms: int = 0) -> Reply:
        self.commands.append(command)
        # as every store does: who sweeps again and again would let nobody else look
        await asyncio.sleep(0)
        if isinstance(command, c.TaskAnswer):
            self.lost -= 1
            if self.lost >= 0:
                raise GONE
            return {"outcome": "done"}
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


class Scribe:
    """Answers questions as told, one after another; the last stays."""

    total_seconds = 1.0

    def __init__(self, *outcomes: Answers | Exception) -> None:
        self.outcomes = list(outcomes)

    async def answers(self, _: Any) -> Answers:
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def rules_of(store: Scripted, scribe: Scribe) -> RemoteRules:
    return RemoteRules(store, "t", scribe, None)  # type: ignore[arg-type]


@asynccontextmanager
async def running(loop: Sweeper | RemoteRules) -> AsyncIterator[Callable[[Callable[[], bool]], Any]]:
    task = asyncio.create_task(loop.run())

    async def reached(look: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not look():
                await asyncio.sleep(0.001)

    try:
        yield reached
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


NOTHING_DUE: Reply = {"more": 0, "done": 0, "next": 0}
NO_TASKS: Reply = {"rows": []}
TASK: Reply = {"rows": [{"task": "classify:j", "asked": 7, "revision": 2, "pipeline": "p"}]}


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (GONE, "t: cannot sweep, trying on: it is gone"),
        (BROKEN, "t: a sweep has failed, trying on: it is broken"),
    ],
)
def test_sweeps(caplog: pytest.LogCaptureFixture, error: Exception, text: str) -> None:
    async def work() -> None:
        sweeper = Sweeper(Scripted(*[error] * 5, NOTHING_DUE), "t")
        async with running(sweeper) as reached:
            await reached(lambda: sweeper.sweeps > 0)

    asyncio.run(work())
    assert told(caplog) == [text, "t: sweeping again"]


def test_error_replies_of_the_server_are_told_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    """A store that is loading its data answers the clock with an error, as it answers a sweep."""

    class Loading(Connection):
        left = 5

        async def call(self, name: str, *_: str) -> Any:
            self.left -= 1
            if self.left >= 0:
                raise hiredis.ReplyError("LOADING the dataset is in memory")
            return ["0", "0"]

    async def work() -> None:
        store = Scripted({**NOTHING_DUE, "next": 1})
        store.servers.known[root_of("t")] = Loading()  # type: ignore[assignment]
        sweeper = Sweeper(store, "t")
        async with running(sweeper) as reached:
            await reached(lambda: "t: sweeping again" in told(caplog))

    asyncio.run(work())
    assert told(caplog) == [
        "t: cannot sweep, trying on: the store cannot answer now (LOADING the dataset is in memory); "
        "the call was not executed",
        "t: sweeping again",
    ]


def test_single_failures_are_nothing_special(caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        sweeper = Sweeper(Scripted(GONE, NOTHING_DUE, GONE, GONE, NOTHING_DUE), "t")
        async with running(sweeper) as reached:
            await reached(lambda: sweeper.sweeps > 1)

    asyncio.run(work())
    assert told(caplog) == []


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (GONE, "t: cannot look for tasks, trying on: it is gone"),
        (BROKEN, "t: tasks cannot be taken, trying on: it is broken"),
    ],
)
def test_looks_for_tasks(caplog: pytest.LogCaptureFixture, error: Exception, text: str) -> None:
    async def work() -> None:
        rules = rules_of(Scripted(*[error] * 5, NO_TASKS), Scribe(GONE))
        async with running(rules) as reached:
            await reached(lambda: rules.looks > 0)

    asyncio.run(work())
    assert told(caplog) == [text, "t: taking tasks again"]


def brought(store: Scripted) -> list[c.TaskAnswer]:
    return [command for command in store.commands if isinstance(command, c.TaskAnswer)]


def test_an_answer_is_brought_again_until_it_has_arrived() -> None:
    answers = Answers(json.dumps({"priority": {"kind": "value", "text": "1"}}), True)

    async def work() -> None:
        store = Scripted(TASK, NO_TASKS, lost=2)
        async with running(rules_of(store, Scribe(answers))) as reached:
            await reached(lambda: store.lost < 0)
        assert brought(store) == [c.TaskAnswer("classify:j", 7, 2, answers.text)] * 3

    asyncio.run(work())


def test_a_task_at_a_busy_endpoint_waits_for_its_turn() -> None:
    answers = Answers("{}", True)

    async def work() -> None:
        store = Scripted(TASK, NO_TASKS)
        scribe = Scribe(EndpointBusy(), EndpointBusy(), answers)
        async with running(rules_of(store, scribe)) as reached:
            await reached(lambda: bool(brought(store)))
        assert [answer.answers for answer in brought(store)] == ["{}"]

    asyncio.run(work())


def test_a_task_that_cannot_be_answered_is_left_to_its_lease(caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        store = Scripted(TASK, NO_TASKS)
        rules = rules_of(store, Scribe(BROKEN))
        async with running(rules) as reached:
            await reached(lambda: bool(told(caplog)))
            looks = rules.looks
            await reached(lambda: rules.looks > looks)
        assert brought(store) == []

    asyncio.run(work())
    assert told(caplog) == ["t: classify:j: cannot be answered, trying again later"]


def test_a_fault_of_the_library_is_told_at_once(caplog: pytest.LogCaptureFixture) -> None:
    store = Scripted(BROKEN, NOTHING_DUE, BROKEN, Failed("something else"), NOTHING_DUE)

    async def work() -> None:
        async with running(Sweeper(store, "t")) as reached:
            await reached(lambda: len(store.outcomes) == 1 and len(store.commands) >= 6)

    asyncio.run(work())
    assert told(caplog) == [
        f"t: a sweep has failed, trying on: {fault}"
        for fault in ("it is broken", "it is broken", "something else")
    ]
