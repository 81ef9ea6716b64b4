"""A replica dies while it is asked: HAProxy asks again, or answers so that the SDK does."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest
from azure.communication.jobrouter import JobRouterClient
from azure.core.credentials import AzureKeyCredential

from bench.load import balancer
from bench.load.processes import Processes
from tests.support import PATIENCE_SECONDS, eventually

KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
ACCEPTED = b'{"jobId":"j","workerId":"w","assignmentId":"a"}'


class Replica(ThreadingHTTPServer):
    """It is healthy, and dies upon its first POST, or the first few; ``asked`` has the request ids of all."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str | None] = []
        self.dies = 1


class Handler(BaseHTTPRequestHandler):
    server: Replica

    def do_GET(self) -> None:
        self._answer(b"{}")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.asked.append(self.headers["x-ms-client-request-id"])
        if len(self.server.asked) <= self.server.dies:
            self.close_connection = True
        else:
            self._answer(ACCEPTED)

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Prints nothing."""


@contextlib.contextmanager
def balanced(haproxy: str, folder: Path, ports: list[int]) -> Iterator[int]:
    """HAProxy in front of these ports; gives its own."""
    with socket.create_server(("127.0.0.1", 0)) as listening, Processes(folder) as processes:
        file = folder / "haproxy.cfg"
        file.write_text(balancer.configuration(f"fd@{listening.fileno()}", ports))
        processes.start("haproxy", (haproxy, "-db", "-f", str(file)), {}, fds=(listening.fileno(),))
        yield listening.getsockname()[1]


@pytest.fixture
def replica() -> Iterator[Replica]:
    with Replica() as it:
        thread = threading.Thread(target=it.serve_forever)
        thread.start()
        yield it
        it.shutdown()
        thread.join()


def asked(port: int, method: str, **headers: str) -> tuple[int, str | None, str]:
    """Status, Retry-After and the code of the error that is answered."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    with contextlib.closing(HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)) as connection:
        connection.request(method, "/routing/jobs/j", headers=given)
        answer = connection.getresponse()
        body = answer.read()
        code = "" if answer.status == 200 else msgspec.json.decode(body)["error"]["code"]
        return answer.status, answer.getheader("retry-after"), code


DEPENDS = {"x_ms_client_request_id": "one", "if_match": "abc"}


@pytest.mark.parametrize("headers", [{}, DEPENDS], ids=["without an id", "of a version"])
def test_what_may_not_be_sent_twice(
    haproxy: str, tmp_path: Path, replica: Replica, headers: dict[str, str]
) -> None:
    with balanced(haproxy, tmp_path, [replica.server_port]) as port:
        assert asked(port, "POST", **headers) == (502, "1", "BadGateway")
    assert len(replica.asked) == 1


def test_what_acts_once_is_sent_again(haproxy: str, tmp_path: Path, replica: Replica) -> None:
    with balanced(haproxy, tmp_path, [replica.server_port]) as port:
        assert asked(port, "POST", x_ms_client_request_id="one") == (200, None, "")
    assert replica.asked == ["one", "one"]


@pytest.mark.parametrize("dies", [1, 4], ids=["HAProxy asks again", "the client asks again"])
def test_the_official_client_notices_nothing(
    haproxy: str, tmp_path: Path, replica: Replica, dies: int
) -> None:
    replica.dies = dies
    with (
        balanced(haproxy, tmp_path, [replica.server_port]) as port,
        JobRouterClient(f"http://127.0.0.1:{port}", AzureKeyCredential(KEY)) as client,
    ):
        assert client.accept_job_offer("w", "o").assignment_id == "a"
    assert len(replica.asked) == dies + 1
    assert len(set(replica.asked)) == 1


def test_without_any_replica(haproxy: str, tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with balanced(haproxy, tmp_path, [closed.getsockname()[1]]) as port:
            # until the check has seen it
            found = eventually(lambda: (answer := asked(port, "GET"))[0] == 503 and answer)
            assert found == (503, "1", "ServiceUnavailable")
