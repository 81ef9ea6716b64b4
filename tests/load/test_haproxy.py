"""The configuration of deploy/haproxy.cfg in front of real replicas."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from bench.http import signed
from bench.load import balancer, calls
from bench.load.calls import Call
from bench.load.stack import Size, Stack, stack
from bench.load.wire import Wire
from tests.support import PATIENCE_SECONDS

QUEUE = "behind-haproxy"


def ask(target: str, key: bytes, call: Call) -> tuple[int, bytes]:
    async def main() -> tuple[int, bytes]:
        wire = Wire(target, key)
        try:
            return await asyncio.wait_for(wire.ask(call), PATIENCE_SECONDS)
        finally:
            wire.close()

    return asyncio.run(main())


@contextlib.contextmanager
def opened(target: str, key: bytes, call: Call) -> Iterator[http.client.HTTPResponse]:
    """An answer whose head has come."""
    host = urlsplit(target).netloc
    connection = http.client.HTTPConnection(host, timeout=PATIENCE_SECONDS)
    with contextlib.closing(connection):
        connection.request(call.method, call.target, headers=signed(call.method, call.target, host, key=key))
        yield connection.getresponse()


def test_what_is_delivered_is_a_valid_configuration(haproxy: str) -> None:
    subprocess.run([haproxy, "-c", "-q", "-f", str(balancer.CONFIGURATION)], check=True)


def test_only_addresses_are_changed() -> None:
    original = balancer.CONFIGURATION.read_text()
    assert balancer.configuration("127.0.0.1:8080", [8081, 8082]) == original
    three = balancer.configuration("fd@9", [1, 2, 3])
    assert three.count("\n  bind fd@9\n") == 1
    assert three.count("server api-3 127.0.0.1:3") == 2
    assert "server api-3 127.0.0.1:3 track routers/api-3\n" in three
    assert three.count("server api-") == 6


def test_signatures_pass_and_the_replicas_take_turns(deployment: Stack) -> None:
    assert len(deployment.ports) == 2
    status, _ = ask(deployment.targets[0], deployment.key, Call("", "GET", "/ext/v1/queues"))
    assert status == 200
    status, _ = ask(
        deployment.targets[0], b"another key of thirty-two bytes.", Call("", "GET", "/ext/v1/queues")
    )
    assert status in (401, 403)


def shown(port: int, path: str) -> tuple[int, bytes]:
    """What somebody without a key gets, who asks as this machine does."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
    with contextlib.closing(connection):
        connection.request("GET", path, headers={"host": "localhost"})
        answer = connection.getresponse()
        return answer.status, answer.read()


def test_what_is_for_this_machine_is_passed_on_to_nobody(deployment: Stack) -> None:
    """HAProxy is on the machine of the replicas, whoever asks it."""
    front = urlsplit(deployment.targets[0]).port or 0
    back = deployment.ports[0]
    assert shown(back, "/metrics")[0] == 200
    assert "settings" in msgspec.json.decode(shown(back, "/health/ready")[1])
    for path in ("/metrics", "/metrics?x=1", "/%6detrics"):
        assert shown(front, path)[0] == 403, path
    assert shown(front, "/health/ready") == (200, b'{"status":"ready"}')


def test_a_stream_is_not_held_back(deployment: Stack) -> None:
    """Its head and each event come while it goes on."""
    (target,), key = deployment.targets, deployment.key
    with opened(
        target, key, Call("", "GET", "/ext/v1/events/stream?eventType=RouterWorkerRegistered")
    ) as stream:
        assert stream.status == 200
        for call in (calls.policy("p", 60, 1), calls.queue(QUEUE, "p"), calls.sign_on("streamed", QUEUE)):
            assert ask(target, key, call)[0] in call.wanted
        while not (line := stream.readline()).startswith(b"event:"):
            assert line
        assert line == b"event: RouterWorkerRegistered\n"


def test_a_long_poll_is_held_and_answered_by_its_offer(deployment: Stack) -> None:
    (target,), key = deployment.targets, deployment.key
    for call in (calls.policy("p", 60, 1), calls.queue("polled", "p"), calls.sign_on("polling", "polled")):
        assert ask(target, key, call)[0] in call.wanted
    answers: list[tuple[int, bytes]] = []
    poll = threading.Thread(
        target=lambda: answers.append(ask(target, key, calls.next_offer("polling", "", 14)))
    )
    poll.start()
    call = calls.create("for-polling", "polled", 1)
    assert ask(target, key, call)[0] in call.wanted
    poll.join()
    ((status, body),) = answers
    assert status == 200
    assert [offer["jobId"] for offer in msgspec.json.decode(body)["value"]] == ["for-polling"]


def test_a_replica_that_is_gone_is_not_asked(haproxy: str, tmp_path: Path) -> None:
    with stack(Size(replicas=2), tmp_path) as it:
        (target,) = it.targets
        gone = it.processes.running["api-1"]
        gone.kill()
        gone.wait()
        # before the check has seen it, a request finds the port closed and goes to the other one
        for _ in range(20):
            assert ask(target, it.key, Call("", "GET", "/ext/v1/queues"))[0] == 200
