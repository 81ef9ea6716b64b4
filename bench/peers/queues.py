"""The job queues that the router is compared with, each with its own client in a process of its own.

They are installed into ``.peers/`` on first use, in the versions that stand here.
"""

from __future__ import annotations

import contextlib
import functools
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from bench.entities import body
from bench.load.processes import ROOT
from bench.meters import Cost, Meter
from bench.peers.driven import driven
from bench.peers.peer import Peer, Run
from bench.rounds import Plan
from bench.site import Site

FOLDER = ROOT / ".peers"
BULLMQ = ("bullmq@6.7.0", "ioredis@5.11.1")
SAQ = ("saq[redis]==0.26.4", "redis==7.4.1", "hiredis==3.5.0", "uvloop==0.23.0")
INSTALL_SECONDS = 300.0

_HERE = Path(__file__).parent


class Queue(msgspec.Struct, frozen=True):
    """How a queue is installed into a folder and run; ``sent`` are the commands that its client sends.

    What it both sends and makes inside (SET of saq) counts as made inside: a microsecond more or less.
    """

    name: str
    sent: frozenset[str]
    install: Callable[[Path], None]
    command: tuple[str, ...]
    variables: Callable[[Path], Mapping[str, str]]


def installed(queue: Queue) -> Path:
    """The folder in which a queue is, installed now if it is not. Raises RuntimeError when that fails."""
    folder = FOLDER / queue.name
    done = folder / "installed"
    if not done.exists():
        print(f"installing {queue.name} into {folder}", file=sys.stderr, flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        queue.install(folder)
        done.touch()
    return folder


@contextlib.contextmanager
def _opened(queue: Queue, here: Site, plan: Plan) -> Iterator[Run]:
    folder = installed(queue)
    meter = Meter(here.client, queue.sent)
    socket = here.url.removeprefix("unix://")
    with driven(queue.name, [*queue.command, socket], queue.variables(folder)) as process:

        def run(cycles: int) -> Cost:
            asked = msgspec.json.encode({"jobs": cycles, "body": msgspec.Raw(body(0))}).decode()
            process.ask("start", "started")
            _, cost = meter.of(lambda: process.ask(asked, "done"))
            process.ask("stop", "stopped")
            return cost

        yield run


def _install_bullmq(folder: Path) -> None:
    for program in ("node", "npm"):
        if not shutil.which(program):
            raise RuntimeError(
                f"{program} is missing: apt-get install nodejs npm (or leave out bullmq: --only)"
            )
    _install(
        [
            "npm",
            "install",
            "--prefix",
            str(folder),
            "--silent",
            "--no-audit",
            "--no-fund",
            "--save-exact",
            *BULLMQ,
        ]
    )


def _install_saq(folder: Path) -> None:
    _install(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--target", str(folder), *SAQ),
        ]
    )


def _install(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} has failed:\n{(done.stderr or done.stdout).strip()[-2000:]}")


_BULLMQ = Queue(
    "bullmq",
    frozenset({"evalsha", "eval", "bzpopmin"}),
    _install_bullmq,
    ("node", str(_HERE / "bullmq.cjs")),
    lambda folder: {"NODE_PATH": str(folder / "node_modules"), "NODE_ENV": "production"},
)
# saq has packages of versions that ours are not, so it sees its own folder first
_SAQ = Queue(
    "saq",
    frozenset({"evalsha", "blmove", "get", "multi", "exec", "publish"}),
    _install_saq,
    (sys.executable, str(_HERE / "saq_driver.py")),
    lambda folder: {"PYTHONPATH": str(folder)},
)

_NO_ROUTING = (
    "workers with capacity, skills and channels: any process takes the next job",
    "offers that somebody accepts, declines or lets expire: a job is taken and processed",
)
BULLMQ_PEER = Peer(
    "bullmq",
    4_000,
    f"{' '.join(BULLMQ)}: Queue.add by 100 tasks at once while a Worker of concurrency 100 runs, "
    "removeOnComplete; one Node process",
    (
        *_NO_ROUTING,
        "four decisions a job: two calls are enough, add, and complete with taking the next",
        "events with the whole job: they are short entries of a stream; a completed job is removed at once",
    ),
    functools.partial(_opened, _BULLMQ),
)
SAQ_PEER = Peer(
    "saq",
    1_000,
    f"{' '.join(SAQ)}: enqueue by 100 tasks at once while a Worker of concurrency 100 runs, jobs "
    "removed when they end; one Python process with uvloop",
    (
        *_NO_ROUTING,
        "atomic steps: a job is taken and ended by plain commands, what a dead worker leaves is swept up",
        "stored events: what happens is published to whoever listens then",
    ),
    functools.partial(_opened, _SAQ),
)
