"""``jobrouter history``: a timeline of a job or worker."""

from __future__ import annotations

import re

import pytest

from api.cli import main
from engine import commands as c
from tests.support import Server, SyncStore

START = 1_700_000_000_000


@pytest.fixture
def served_job(store: SyncStore, root: str) -> None:
    """A job that is offered after a second, and accepted after 65 more."""

    def run(command: c.Command, after: int) -> dict[str, str]:
        return store.run(root, command, START + after)

    run(c.PolicyUpsert("distribution", "p", expires_ms=90_000, mode="longestIdle", document="{}"), 0)
    run(c.QueueUpsert("sales", distribution="p"), 0)
    run(c.JobCreate("call-1", channel="voice", queue="sales", priority=5), 0)
    anna = c.WorkerUpsert("an\x1bna", capacity=1, available=True, queues='"sales"', channels='"voice"\t1\t')
    run(anna, 1_000)
    offer = next(name[2:] for name in run(c.WorkerRead("an\x1bna"), 1_000) if name.startswith("o:"))
    run(c.OfferAccept("an\x1bna", offer), 66_000)


def told(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    assert main(["history", *words]) == 0
    return [re.sub(" +", " ", line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.usefixtures("served_job")
def test_timeline(server: Server, tenant: str, capsys: pytest.CaptureFixture[str]) -> None:
    where = ("--redis-url", server.url, "--tenants", tenant)
    lines = told(capsys, "job", "call-1", *where)
    assert lines[0] == "job call-1: assigned"
    assert lines[1:4] == [
        "2023-11-14T22:13:20 Received created 0 s queue sales, priority 5",
        "2023-11-14T22:13:20 Queued waiting 1 s queue sales, priority 5",
        "2023-11-14T22:13:21 WorkerOfferIssued offered 1 min 5 s worker 'an\\x1bna', queue sales, "
        "as the first job for the freed worker",
    ]
    assert "WorkerOfferAccepted assigned" in lines[4]
    assert lines[5].startswith("in all: assigned ")
    assert lines[5].endswith(" h, created 0 s, offered 1 min 5 s, waiting 1 s")
    lines = told(capsys, "worker", "an\x1bna", *where)
    assert lines[0] == "worker 'an\\x1bna': busy"
    assert [line.split()[1:3] for line in lines[1:4]] == [
        ["Registered", "idle"],
        ["OfferIssued", "offered"],
        ["OfferAccepted", "busy"],
    ]


def test_unknown(server: Server, tenant: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["history", "worker", "nobody", "--redis-url", server.url, "--tenants", tenant]) == 1
    assert capsys.readouterr().err == "jobrouter: there is no worker nobody\n"


def test_operands(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["queue", "q"], ["job"]):
        with pytest.raises(SystemExit):
            main(["history", *words])
    assert main(["history", "job", "j", "--before", "x", "--redis-url", "redis://x"]) == 2
    assert "the place of an event, as 17.2" in capsys.readouterr().err
