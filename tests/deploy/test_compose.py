"""deploy/compose.yaml: known options, files that are there, and parts that work together."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.cli import main
from api.options import COMMANDS, parse, variable
from bench.load import balancer
from engine.embedded import OPTIONS
from tests import support
from tests.deploy.composed import DEPLOY, FILE, composed, mounted, wanted_variables
from tests.deploy.guarded import denied
from tests.nodes import free_ports
from tests.runtime.processes import Process, jobrouter
from tests.signed import Caller
from tests.support import eventually
from tests.tree.sources import ROOT, missing

KEY = b64encode(support.KEY).decode()
GIVEN = {
    "ADMIN_PASSWORD": "admin-secret",
    "API_PASSWORD": "api-secret",
    "WORKER_PASSWORD": "worker-secret",
    "READER_PASSWORD": "reader-secret",
    "ACCESS_KEYS": f"main={KEY}",
    "VIEW_KEYS": "main=a-viewing-key-of-this-router",
}
OURS = ("users", "api", "worker", "look")


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = composed(GIVEN)["services"]
    return found


def command_of(service: dict[str, Any]) -> list[str]:
    """What `jobrouter` is called with."""
    if "entrypoint" in service:
        (script,) = service["command"]
        return shlex.split(script.partition(">")[0])[1:]
    return list(service["command"])


# ---- what stands there -------------------------------------------------------------------------------------


def test_all_secrets_have_to_be_given() -> None:
    assert wanted_variables() == set(GIVEN)
    text = FILE.read_text()
    for name in GIVEN:
        assert f"${{{name}:-" not in text


def test_the_secrets_of_the_readme_are_whole_and_for_the_owner_alone(tmp_path: Path) -> None:
    (tmp_path / "deploy").mkdir()
    (block,) = re.findall(
        r"```console\n(\$ [^`]*deploy/\.env.*?)```", (DEPLOY / "README.md").read_text(), re.S
    )
    script = block.split("\n$ ")[0].removeprefix("$ ")
    subprocess.run(["sh", "-c", script], cwd=tmp_path, check=True)
    file = tmp_path / "deploy" / ".env"
    assert file.stat().st_mode & 0o077 == 0
    made = dict(line.split("=", 1) for line in file.read_text().splitlines())
    assert made.keys() == GIVEN.keys()
    services = composed(made)["services"]
    for name in OURS:
        parse(command_of(services[name]), services[name]["environment"])
    assert "deploy/.env" in (ROOT / ".gitignore").read_text().splitlines()


@pytest.mark.parametrize("name", OURS)
def test_options_are_those_of_the_command(services: dict[str, Any], name: str) -> None:
    service = services[name]
    words = command_of(service)
    known = {variable(flag) for flag in COMMANDS[words[0]][1]}
    assert set(service["environment"]) <= known
    parse(words, service["environment"])


def test_files_and_volumes_are_there(services: dict[str, Any]) -> None:
    for service in services.values():
        for file in mounted(service).values():
            assert file.is_file()
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert source.startswith("./") or source in composed(GIVEN)["volumes"]
    build = services["users"]["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).is_file()


def test_the_image_is_built_once_and_never_pulled(services: dict[str, Any]) -> None:
    """Builds of one name beside each other may fail, and no registry has it."""
    assert [name for name, service in services.items() if "build" in service] == ["users"]
    for name in OURS:
        assert services[name]["image"] == services["users"]["image"]
        assert services[name]["pull_policy"] == "never"


def test_security_options_are_written_as_docker_wants_them(services: dict[str, Any]) -> None:
    """A colon between name and value is warned of at each start."""
    for name in OURS:
        assert services[name]["security_opt"] == ["no-new-privileges"]


def test_who_waits_for_whom(services: dict[str, Any]) -> None:
    """Only what is well, or has ended well, is waited for, and each that is has a check of its health."""
    for service in services.values():
        for other, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert services[other]["healthcheck"]["test"]
            else:
                assert how["condition"] == "service_completed_successfully"
                assert services[other]["restart"] == "no"


def test_nothing_but_haproxy_is_published(services: dict[str, Any]) -> None:
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert published == {"haproxy": ["127.0.0.1:8080:8080"]}


def test_the_image_has_all_that_the_package_is_made_of() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().split()
    copied = [name for line in re.findall(r"^COPY (?!--)(.*) \S+$", text, re.M) for name in line.split()]
    assert {f"!{name}" for name in copied} == {line for line in ignored if line.startswith("!")}
    assert ignored[0] == "*"
    for name in copied:
        assert (ROOT / name).exists()


def test_the_image_is_built_of_what_it_copies(tmp_path: Path) -> None:
    """The package builds where only those files are."""
    for line in re.findall(r"^COPY (?!--)(.*) \S+$", (DEPLOY / "Dockerfile").read_text(), re.M):
        for name in line.split():
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, tmp_path / name)
    build = [
        sys.executable,
        "-m",
        "hatchling",
        "build",
        "--target",
        "wheel",
        "--directory",
        str(tmp_path / "dist"),
    ]
    subprocess.run(build, cwd=tmp_path, check=True, capture_output=True, env=os.environ)
    assert len([*(tmp_path / "dist").glob("jobrouter-*.whl")]) == 1


# ---- HAProxy -----------------------------------------------------------------------------------------------


def test_the_configuration_of_haproxy_is_valid() -> None:
    program = balancer.program()
    if program is None:
        missing(balancer.MISSING)
    assert program
    file = DEPLOY / "haproxy-compose.cfg"
    subprocess.run([program, "-c", "-q", "-f", str(file)], check=True)


def test_it_is_the_other_one_but_for_the_addresses() -> None:
    """So what the tests find with haproxy.cfg holds for it."""
    ours = _sections(DEPLOY / "haproxy-compose.cfg")
    assert ours.pop("resolvers docker")
    theirs = _sections(balancer.CONFIGURATION)
    # `track` knows no templates: the streams look for themselves
    theirs["backend streams"] += [
        line for line in theirs["backend routers"] if re.search("check|httpchk", line)
    ]
    assert {name: sorted(lines) for name, lines in ours.items()} == {
        name: sorted(lines) for name, lines in theirs.items()
    }


def _sections(file: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    name = ""
    for line in file.read_text().splitlines():
        text = line.split("#")[0].rstrip()
        if text and not text.startswith(" "):
            name = text
            found[name] = []
        elif text and not re.match(r"  (server|server-template|bind) ", text):
            found[name].append(text.strip())
    return found


# ---- all of it ---------------------------------------------------------------------------------------------


class Running:
    """The services of the file as processes, without containers."""

    def __init__(self, port: int, folder: Path, services: dict[str, Any]) -> None:
        self.port = port
        self.folder = folder
        self.services = services

    def environment(self, name: str) -> dict[str, str]:
        """Its variables, with addresses of this machine."""
        given = {key: str(text) for key, text in self.services[name]["environment"].items()}
        given |= {key: "0" for key in given if key.endswith("_PORT")}
        return {key: text.replace("@redis:6379", f"@127.0.0.1:{self.port}") for key, text in given.items()}

    def start(self, name: str) -> contextlib.AbstractContextManager[Process]:
        return jobrouter(*command_of(self.services[name]), **self.environment(name))

    @contextlib.contextmanager
    def store(self, program: Path) -> Iterator[None]:
        """Redis as the file starts it."""
        service = self.services["redis"]
        places = {target: str(file) for target, file in mounted(service).items()}
        places |= {"/users/users.acl": str(self.folder / "users.acl"), "/data": str(self.folder)}
        words = [places.get(word, word) for word in service["command"][1:]]
        local = ["--port", str(self.port), "--bind", "127.0.0.1"]
        with (self.folder / "log").open("wb") as log:
            process = subprocess.Popen([program, *words, *local], stdout=log, stderr=log, env={"LC_ALL": "C"})
        try:
            eventually(lambda: process.poll() is not None or self.is_well(), "a store that is well")
            assert process.poll() is None, (self.folder / "log").read_text()
            yield
        finally:
            process.kill()
            process.wait()

    def is_well(self) -> bool:
        """Its check of health, by the client of this machine."""
        client = shutil.which("redis-cli") or missing("there is no redis-cli")
        kind, script = self.services["redis"]["healthcheck"]["test"]
        assert kind == "CMD-SHELL"
        script = script.replace("redis-cli", f"{client} -p {self.port}", 1)
        given = {**os.environ, **self.services["redis"]["environment"]}
        return subprocess.run(script, shell=True, env=given, capture_output=True).returncode == 0


@pytest.fixture(scope="module")
def running(services: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Running:
    (port,) = free_ports(1)
    return Running(port, tmp_path_factory.mktemp("compose"), services)


def test_the_parts_work_together(
    running: Running, server_program: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.MonkeyPatch.context() as environment:
        # what all supported servers understand: this one may be older than that of the file
        for key, text in {**running.environment("users"), "JOBROUTER_SERVER_VERSION": "redis-7.0"}.items():
            environment.setenv(key, text)
        assert main(command_of(running.services["users"])) == 0
    out, err = capfd.readouterr()
    assert not err
    (running.folder / "users.acl").write_text(out)
    with running.store(server_program), running.start("worker") as worker, running.start("api") as api:
        worker.wait_for("^working")
        eventually(api.ready)
        status, report = api.get("/health/ready")
        assert (status, report["warnings"]) == (200, [])
        caller = Caller(f"http://127.0.0.1:{api.port}", KEY)
        with contextlib.closing(caller) as call:
            policy = {"offerExpiresAfterSeconds": 60, "mode": {"kind": "longestIdle"}}
            assert call("PATCH", "/routing/distributionPolicies/p", policy)[0] == 201
        reader = running.environment("look")["JOBROUTER_REDIS_URL"]
        eventually(lambda: main(["doctor", "--redis-url", reader]) == 0, "a doctor who finds nothing")
        admin = support.redis.Redis(
            port=running.port, username="admin", password=GIVEN["ADMIN_PASSWORD"], decode_responses=True
        )
        with admin:
            # a client's name for itself is refused where the list is that of the oldest server
            assert [one for one in denied(admin) if "client|setinfo" not in one] == []
            for name in ("appendonly", "hash-max-listpack-value", "zset-max-listpack-entries", "appendfsync"):
                assert admin.config_get(name)[name] == OPTIONS[name]
            assert "nopass" not in admin.acl_getuser("default")["flags"]


def test_the_store_is_set_as_the_embedded_one() -> None:
    """What the router is measured and tested with."""
    rows = [line.split(maxsplit=1) for line in (DEPLOY / "redis.conf").read_text().splitlines()]
    given = {row[0]: row[1].strip('"') for row in rows if row and not row[0].startswith("#")}
    own = {"port", "unixsocketperm", "daemonize", "loglevel"}
    assert {name: given[name] for name in OPTIONS.keys() - own} == {
        name: OPTIONS[name] for name in OPTIONS.keys() - own
    }
