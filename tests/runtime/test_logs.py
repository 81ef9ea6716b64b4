"""The log: lines for people and for machines, what they are about, and what they never tell."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.serving import logs
from api.serving.logs import RARELY_SECONDS, JsonFormatter, Rarely, TextFormatter
from api.serving.request import CURRENT, RequestInfo
from engine.log_context import context_of
from tests.runtime.processes import jobrouter, serving


def record(message: str = "it is %s", *arguments: Any, level: int = logging.INFO, **fields: Any) -> Any:
    made = logging.LogRecord("jobrouter.test", level, "f.py", 1, message, arguments or ("so",), None)
    made.__dict__.update(fields)
    return made


@pytest.fixture
def request_info() -> Iterator[RequestInfo]:
    info = RequestInfo("ab" * 16)
    info.tenant = "main"
    token = CURRENT.set(info)
    yield info
    CURRENT.reset(token)


def failed() -> Any:
    made = record(level=logging.ERROR)
    try:
        raise ValueError("no good")
    except ValueError as error:
        made.exc_info = (ValueError, error, error.__traceback__)
    return made


def test_a_line_for_machines() -> None:
    made = record(created=1_700_000_000.25, msecs=250.0)
    assert json.loads(JsonFormatter().format(made)) == {
        "time": "2023-11-14T22:13:20.250Z",
        "level": "info",
        "logger": "jobrouter.test",
        "message": "it is so",
    }


def test_what_anybody_may_cause_is_told_rarely() -> None:
    now = 0.0
    rarely = Rarely(lambda: now)

    def told(message: str, level: int = logging.WARNING, name: str = "uvicorn.error") -> bool:
        return rarely.filter(logging.LogRecord(name, level, "f.py", 1, message, (), None))

    assert [told("no http") for _ in range(3)] == [True, False, False]
    assert told("another")
    assert all(told("it failed", logging.ERROR) for _ in range(2))
    assert all(told("no http", name=name) for name in ("jobrouter.api", "uvicorns") for _ in range(2))
    now = RARELY_SECONDS
    assert [told("no http") for _ in range(2)] == [True, False]


def test_a_line_for_people() -> None:
    assert TextFormatter().format(record()) == "INFO jobrouter.test: it is so"


def test_lines_about_a_request(request_info: RequestInfo) -> None:
    line = json.loads(JsonFormatter().format(record(method="GET", route="/x/{}", status=200, ms=1.5)))
    about = {name: line[name] for name in ("tenant", "request_id", "method", "route", "status", "ms")}
    assert about == {
        "tenant": "main",
        "request_id": request_info.trace,
        "method": "GET",
        "route": "/x/{}",
        "status": 200,
        "ms": 1.5,
    }
    assert TextFormatter().format(record()).endswith(f"it is so (request {request_info.trace})")


def test_lines_of_a_worker_tell_its_router() -> None:
    async def work() -> str:
        async def told() -> str:
            return JsonFormatter().format(record())

        return await asyncio.create_task(told(), context=context_of("other"))

    assert json.loads(asyncio.run(work()))["tenant"] == "other"


def test_exceptions() -> None:
    assert "ValueError: no good" in json.loads(JsonFormatter().format(failed()))["exception"]
    first, *rest = TextFormatter().format(failed()).splitlines()
    assert first == "ERROR jobrouter.test: it is so"
    assert rest[-1] == "ValueError: no good"


def test_no_text_begins_a_line_of_its_own() -> None:
    hostile = record("%s", "a\nERROR jobrouter: it is over\x1b[2J")
    assert TextFormatter().format(hostile).splitlines() == [
        "INFO jobrouter.test: a\\nERROR jobrouter: it is over\\x1b[2J"
    ]
    assert len(JsonFormatter().format(hostile).splitlines()) == 1


def test_texts_of_no_encoding() -> None:
    line = json.loads(JsonFormatter().format(record("%s", "a\udcff")))
    assert line["message"] == "a\\udcff"


@pytest.mark.parametrize(("terminal", "kind"), [(True, TextFormatter), (False, JsonFormatter)])
def test_the_format_is_that_of_the_terminal(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, kind: type[logging.Formatter]
) -> None:
    root = logging.getLogger()
    before, level = root.handlers[:], logging.getLogger("jobrouter").level
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal, raising=False)
    try:
        logs.begin("auto")
        assert isinstance(root.handlers[0].formatter, kind)
    finally:
        root.handlers[:] = before
        logging.getLogger("jobrouter").setLevel(level)


# ---- requests ----------------------------------------------------------------------------------------------


def lines_of(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def test_every_request_on_demand(tmp_path: Path) -> None:
    with serving(tmp_path, "--access-log", "--log-format", "json") as it:
        assert it.get("/health/live?token=hidden")[0] == 200
        assert it.get("/routing/jobs/hidden?api-version=hidden")[0] == 401
        assert it.end() == 0
        text = it.rest()
    lines = [line for line in lines_of(text) if line["logger"] == "jobrouter.access"]
    told = {(line["method"], line["route"], line["status"], line["level"]) for line in lines}
    assert ("GET", "/health/live", 200, "info") in told
    assert ("GET", "none", 401, "info") in told
    assert all(len(line["request_id"]) == 32 and line["ms"] > 0 for line in lines)
    assert "hidden" not in text


def test_slow_requests_are_always_told(tmp_path: Path) -> None:
    with serving(tmp_path, "--slow-request", "1ms", "--log-format", "text") as it:
        assert it.get("/health/ready")[0] == 200
        assert it.end() == 0
        assert "WARNING jobrouter.access: GET /health/ready 200 in " in it.rest()


def test_quick_requests_are_not(tmp_path: Path) -> None:
    with serving(tmp_path, "--slow-request", "0") as it:
        assert it.get("/health/live")[0] == 200
        assert it.end() == 0
        assert "jobrouter.access" not in it.rest()


def test_an_unknown_format_is_refused() -> None:
    with jobrouter("worker", "--log-format", "xml") as it:
        assert it.process.wait(10) == 2
        assert "it must be auto, text or json" in it.rest()


def test_what_is_no_http_is_told_once(tmp_path: Path) -> None:
    upgrade = b"GET /health/live HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
    with serving(tmp_path) as it:
        for sent, status in ((b"no http\r\n\r\n", b"400"), (upgrade, b"200")):
            for _ in range(3):
                with socket.create_connection(("127.0.0.1", it.port), timeout=15) as connection:
                    connection.sendall(sent)
                    assert connection.recv(1024).startswith(b"HTTP/1.1 " + status)
        it.end()
        text = it.rest()
    assert text.count("Invalid HTTP request received.") == 1
    assert "pgrade" not in text
