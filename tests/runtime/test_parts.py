"""The commands beside ``serve``: parts alone, check, demo, and the wheel."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from base64 import b64encode
from pathlib import Path

import pytest
from azure.communication.jobrouter import JobRouterAdministrationClient
from azure.core.credentials import AzureKeyCredential

from engine.commands import RouterStatus, WorkerRead, WorkerUpsert
from engine.inspection import SLICE
from engine.store import root_of
from tests import support
from tests.runtime.processes import ROOT, jobrouter, serving
from tests.support import eventually

KEY = b64encode(support.KEY).decode()


def test_api_and_worker_alone(server: support.Server, store: support.SyncStore, tenant: str) -> None:
    with (
        jobrouter(
            *("api", "--show-keys", "--port", "0", "--redis-url", server.url),
            JOBROUTER_ACCESS_KEYS=f"main={KEY}",
        ) as api,
        jobrouter("worker", "--redis-url", server.url, "--tenants", f"main,{tenant}") as worker,
    ):
        api.wait_for("^ready")
        worker.wait_for("^working")
        eventually(api.ready)
        told = api.wait_for(r'Python: JobRouterClient\("(.*)", AzureKeyCredential\("(.*)"\)\)$')
        assert told[1] == f"http://localhost:{api.port}"
        with JobRouterAdministrationClient(told[1], AzureKeyCredential(told[2])) as client:
            assert list(client.list_queues()) is not None
        alarm = f"{root_of(tenant)}:alarm"
        # an alarm without anything due is set anew or left by the sweep: the worker has heard it
        swept = store.run(root_of(tenant), RouterStatus())["swept_at"]
        store.redis.set(alarm, 1, px=1)
        eventually(lambda: store.run(root_of(tenant), RouterStatus())["swept_at"] > swept)
        assert api.end() == worker.end() == 0


@pytest.mark.parametrize(
    ("command", "text"),
    [
        (("api", "--redis-url", "unix:///nowhere"), "access keys are missing"),
        (("api",), "access keys are missing"),
        (("worker",), "address of the store is missing"),
        (("worker", "--redis-url", "http://x"), "cannot be used"),
        (("check", "--data-dir", "/nowhere"), "No embedded server runs"),
        (("serve", "--tls-cert", "x"), "belong together"),
        (("serve", "--wait-replicas", "1"), "The embedded server has no replicas"),
        (("worker", "--redis-url", "redis+sentinel://x"), "the name of the service is missing"),
        (
            ("api", "--redis-url", "unix:///nowhere", "--access-keys", f"main={KEY}", "--tls-port", "0"),
            "--tls-port (or JOBROUTER_TLS_PORT) needs a certificate: give --tls-cert and --tls-key.",
        ),
    ],
)
def test_what_is_missing_is_told(command: tuple[str, ...], text: str, tmp_path: Path) -> None:
    more = ("--data-dir", str(tmp_path)) if command[0] == "serve" else ()
    with jobrouter(*command, *more) as it:
        assert it.process.wait(10) == 2
        assert text in it.rest()
        assert "Traceback" not in it.rest()


@pytest.mark.parametrize(
    ("source", "status", "shown"),
    [
        ('If(job.A > 1, worker.B & queue.C & """")', 0, '"bc"""'),
        ("job.A + 0.5", 0, "2.5"),
        ("job.Missing", 0, "Blank()"),
        ("job.A = 2", 0, "true"),
        ("job.A / 0", 1, "jobrouter: The expression fails: division by zero."),
        (
            "1 +\n\tjob.A == 2",
            2,
            "\tjob.A == 2\n\t       ^\njobrouter: line 2, column 9: Equality is written '='.",
        ),
    ],
)
def test_expression_is_tried(source: str, status: int, shown: str) -> None:
    labels = ("--job", '{"A":2}', "--worker", '{"B":"b"}', "--queue", '{"C":"c"}')
    with jobrouter("expression", source, *labels) as it:
        assert it.process.wait(10) == status
        assert it.rest() == shown


def test_check_finds_what_is_wrong(tmp_path: Path) -> None:
    with serving(tmp_path) as it:
        with jobrouter("check", "--data-dir", str(tmp_path)) as check:
            assert check.process.wait(10) == 0
            assert "0 problems" in check.rest()
        assert it.end(signal.SIGINT) == 0


def test_check_of_a_router_that_is_not_there(server: support.Server, tenant: str) -> None:
    with jobrouter("check", "--redis-url", server.url, "--tenants", f"{tenant}-mistyped") as check:
        assert check.process.wait(10) == 1
        assert f"{tenant}-mistyped: there is no such router" in check.rest()


def test_check_of_what_was_left_behind(server: support.Server, store: support.SyncStore, tenant: str) -> None:
    """Rows of the agenda whose jobs and workers are gone."""
    rows = ("schedule:a", "exception:b:c", "selector:d", "close:e", "life:f", "idle:w")
    with server.client() as client:
        client.zadd(f"{root_of(tenant)}:agenda", dict.fromkeys(rows, 4_102_444_800_000))
        client.zadd(f"{root_of(tenant)}:tasks", {"classify:g": 4_102_444_800_000})
    with jobrouter("check", "--redis-url", server.url, "--tenants", tenant) as check:
        assert check.process.wait(10) == 1
        told = check.rest()
    for name in ("job a", "job b:c", "job d", "job e", "job f", "worker w"):
        assert f"{name} is gone but on the agenda" in told
    assert "job g is gone but has a task" in told


def test_check_of_damage(server: support.Server, store: support.SyncStore, tenant: str) -> None:
    root = root_of(tenant)
    store.run(root, WorkerUpsert(id="w", capacity=10, available=True, channels='"voice"\t1\t'))
    assert store.run(root, WorkerRead(id="w"))["state"] == "active"
    store.redis.hset(f"{root}:worker:w", "used", 7)
    with jobrouter("check", "--redis-url", server.url, "--tenants", tenant) as check:
        assert check.process.wait(10) == 1
        assert "worker w" in check.rest()


def test_check_tells_once_what_concerns_the_whole_router(
    server: support.Server, store: support.SyncStore, tenant: str
) -> None:
    root = root_of(tenant)
    for n in range(SLICE + 1):
        store.run(root, WorkerUpsert(id=f"w{n}", capacity=1))
    store.redis.zadd(f"{root}:closed", {"gone": 1})
    with jobrouter("check", "--redis-url", server.url, "--tenants", tenant) as check:
        assert check.process.wait(10) == 1
        told = check.rest()
    assert told.count("the closed queues are counted wrongly") == 1
    assert "1 problems" in told


def test_demo() -> None:
    with jobrouter("demo") as it:
        assert it.process.wait(30) == 0, it.rest()
        assert "every invariant holds" in it.rest()


def test_wheel_in_an_environment_of_its_own(tmp_path: Path) -> None:
    """The package has all it needs: its Lua files, and the dependencies that it names."""
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    pip = [
        str(environment / "bin" / "python"),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]
    # the certificate that other tests trust here is not the one of the package index
    clean = {name: value for name, value in os.environ.items() if name != "REQUESTS_CA_BUNDLE"}
    subprocess.run([*pip, str(wheel), "-c", str(ROOT / "constraints.txt")], check=True, env=clean)
    demo = [str(environment / "bin" / "jobrouter"), "demo"]
    done = subprocess.run(demo, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
