"""``jobrouter serve`` as operators run it: starts, ends, second starts, kills."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from azure.communication.jobrouter import JobRouterAdministrationClient, JobRouterClient, models
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.runtime.processes import Process, jobrouter, serving
from tests.support import eventually


def socket_of(folder: Path) -> Path:
    return Path((folder / "server" / "socket").read_text())


@contextlib.contextmanager
def inside(folder: Path) -> Iterator[redis.Redis]:
    client = redis.Redis(
        unix_socket_path=str(socket_of(folder)), retry=Retry(NoBackoff(), 0), decode_responses=True
    )
    with client:
        yield client


def server_pid(folder: Path) -> int:
    def look() -> int:
        with contextlib.suppress(redis.ConnectionError), inside(folder) as client:
            return int(client.info("server")["process_id"])
        return 0

    return eventually(look)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # a killed child of nobody waits for the system to take it
    return not Path(f"/proc/{pid}/stat").exists() or " Z " not in Path(f"/proc/{pid}/stat").read_text()


@contextlib.contextmanager
def clients(it: Process) -> Iterator[tuple[Any, Any]]:
    """Official clients of a served router, by connection string over TLS."""
    text = it.wait_for(r"connection string: (\S+)")[1]
    trust: dict[str, Any] = {"connection_verify": it.wait_for(r"development CA: (\S+)")[1]}
    administration = JobRouterAdministrationClient.from_connection_string(text, **trust)
    client = JobRouterClient.from_connection_string(text, **trust)
    with administration, client:
        yield administration, client


def make_offer(it: Process, seconds: float) -> None:
    """A job offered to a worker for so many seconds."""
    with clients(it) as (administration, client):
        policy = models.DistributionPolicy(offer_expires_after_seconds=seconds, mode=models.LongestIdleMode())
        administration.upsert_distribution_policy("p", policy)
        administration.upsert_queue("q", models.RouterQueue(distribution_policy_id="p"))
        channels = [models.RouterChannel(channel_id="voice", capacity_cost_per_job=1)]
        client.upsert_worker(
            "w",
            models.RouterWorker(capacity=1, queues=["q"], channels=channels, available_for_offers=True),
        )
        client.upsert_job("j", models.RouterJob(channel_id="voice", queue_id="q"))
        assert len(client.get_worker("w").offers) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_it_well(tmp_path: Path, number: int) -> None:
    with serving(tmp_path / "data", "--log-format", "text") as it:
        pid = server_pid(tmp_path / "data")
        assert it.end(number) == 0
        assert not is_alive(pid)
        assert "Traceback" not in it.rest()
        assert "ERROR" not in it.rest()


def test_signal_to_all_processes_at_once_ends_it_well(tmp_path: Path) -> None:
    """As Ctrl-C in a terminal does."""
    with serving(tmp_path / "data") as it:
        os.killpg(it.process.pid, signal.SIGINT)
        assert it.process.wait(10) == 0
        assert "started again" not in it.rest()


def test_tells_how_to_use_it(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with serving(folder) as it:
        text = "\n".join(it.lines)
        assert f"redis-cli -s {socket_of(folder)}" in text
        assert f"REQUESTS_CA_BUNDLE={folder / 'tls' / 'ca.pem'}" in text
        assert it.wait_for("accesskey=(.*)")[1] == (folder / "access-key").read_text().strip()


def test_subscriptions_are_told_its_address(tmp_path: Path) -> None:
    """Its URLs for endpoints begin with the port that it really has."""
    file = tmp_path / "addresses"
    with serving(tmp_path) as it:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        words = ("add", "crm", "https://crm.example.com/", "--data-dir", str(tmp_path))
        with jobrouter("subscriptions", *words) as adding:
            assert adding.process.wait(10) == 0
        with inside(tmp_path) as client:
            assert client.hget("jr:{main}:subscription:crm", "origin") == f"http://localhost:{it.port}"
        assert it.end() == 0
    assert not file.exists()


def test_keys_are_for_people(tmp_path: Path) -> None:
    """Where nobody looks, as in the logs of a container, they are not printed."""
    with serving(tmp_path, "--show-keys", "auto") as it:
        keys = [(tmp_path / name).read_text().strip() for name in ("access-key", "view-key")]
        text = "\n".join(it.lines)
        assert not any(key in text for key in keys)
        assert f"accesskey=… (in {tmp_path / 'access-key'})" in text
        assert f"viewing key: … (in {tmp_path / 'view-key'})" in text


def test_keys_that_are_given_are_not_printed(tmp_path: Path) -> None:
    keys = {"JOBROUTER_ACCESS_KEYS": f"main={'a' * 32}", "JOBROUTER_VIEW_KEYS": f"main={'v' * 32}"}
    with serving(tmp_path, "--show-keys", "auto", **keys) as it:
        text = "\n".join(it.lines)
        assert "a" * 32 not in text
        assert "v" * 32 not in text
        assert "accesskey=… (as given)" in text


def test_second_start_continues(tmp_path: Path) -> None:
    with serving(tmp_path) as it:
        make_offer(it, 600)
        key = it.wait_for("accesskey=.*")[0]
        assert it.end() == 0
    with serving(tmp_path) as it:
        assert it.wait_for("accesskey=.*")[0] == key
        with clients(it) as (_, client):
            assert [offer.job_id for offer in client.get_worker("w").offers] == ["j"]


def test_start_after_kill_cleans_up_and_continues(tmp_path: Path) -> None:
    with serving(tmp_path) as it:
        make_offer(it, 600)
        left = server_pid(tmp_path)
        it.process.kill()
        it.process.wait()
        assert is_alive(left)
        with serving(tmp_path) as again:
            assert "is shut down" in "\n".join(again.lines)
            assert not is_alive(left)
            with clients(again) as (_, client):
                assert [offer.job_id for offer in client.get_worker("w").offers] == ["j"]


def test_second_serve_on_the_same_data_ends_at_once(tmp_path: Path) -> None:
    with serving(tmp_path) as it:
        ports = ("--port", "0", "--tls-port", "0")
        with jobrouter("serve", *ports, "--data-dir", str(tmp_path)) as second:
            assert second.process.wait(10) == 1
            assert f"in use by process {it.process.pid}" in second.rest()
        assert it.ready()


def test_killed_server_is_started_again(tmp_path: Path) -> None:
    with serving(tmp_path) as it:
        make_offer(it, 600)
        # all that was acknowledged before this write is on disk
        with inside(tmp_path) as client:
            client.set("written", 1)
            assert client.waitaof(1, 0, 5000)[0] == 1
        pid = server_pid(tmp_path)
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: server_pid(tmp_path) != pid, seconds=2)
        eventually(it.ready)
        with clients(it) as (_, client):
            assert [offer.job_id for offer in client.get_worker("w").offers] == ["j"]


def test_offers_expire_by_themselves(tmp_path: Path) -> None:
    with serving(tmp_path) as it:
        make_offer(it, 1)
        with clients(it) as (_, client):
            eventually(lambda: client.get_worker("w").offers == [])


def test_files_are_for_their_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with serving(folder):
        for name in (".", "server", "tls"):
            assert stat.S_IMODE((folder / name).stat().st_mode) == 0o700
        for name in ("access-key", "tls/key.pem"):
            assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600


def test_long_path_takes_a_socket_elsewhere(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 25)
    with serving(folder) as it:
        place = socket_of(folder).parent
        assert folder not in place.parents
        assert stat.S_IMODE(place.stat().st_mode) == 0o700
        assert it.end() == 0
        assert not place.exists()


def test_settings_reach_the_store(tmp_path: Path) -> None:
    with serving(tmp_path, "--keep-finished", "12h", JOBROUTER_KEEP_EVENTS_COUNT="77") as it:
        status, report = it.get("/health/ready")
        assert status == 200
        assert report["warnings"] == []
        assert report["settings"]["main"]["keep_finished_ms"] == 12 * 3_600_000
        assert report["settings"]["main"]["keep_events_count"] == 77


def test_taken_port_is_told(tmp_path: Path) -> None:
    with serving(tmp_path / "one") as it:
        arguments = ("--port", str(it.port), "--tls-port", "0", "--data-dir", str(tmp_path / "two"))
        with jobrouter("serve", *arguments) as second:
            assert second.process.wait(10) == 2
            told = second.rest()
            assert f"Cannot listen on 127.0.0.1 port {it.port}" in told
            assert "end what listens there, or give another port." in told
