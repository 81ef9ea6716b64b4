"""The library flushed, or replaced by older and newer ones, five times a second: it heals.

Agents work on while it happens, and repeat what is answered with 503. Older texts lack an operation, so that
whoever needs it loads the present one; newer ones have all and stay. At the end of each part nothing that was
acknowledged is missing, nothing has happened twice, and the timers have been done.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Callable, Iterator

import redis

from engine.library import VERSION, assemble, library, lua_directory
from tests import support
from tests.chaos.figures import Figures
from tests.chaos.ledger import Ledger
from tests.chaos.proofs import Options
from tests.chaos.site import KEY, site
from tests.chaos.sleeper import Sleeper
from tests.chaos.soundness import unsound
from tests.chaos.times import Times
from tests.faults import verify
from tests.faults.traffic import goes_on, make_lazy, make_queue, traffic
from tests.signed import Caller

SECONDS, QUICK_SECONDS = 20.0, 1.0
BLOW_SECONDS = 0.2
LEAST = 3
HEALED_SECONDS = 1.0
SINGLE, QUICK_SINGLE = 50, 2
PAUSE_SECONDS = 0.01
PATIENCE_SECONDS = 10.0
WAITING = "waiting"
"""A job, and its queue, that nobody works for."""

LACKS = "ops/job_position.lua"
"""What older libraries do not know yet."""


def text_of(version: int, *, lacks: str = "") -> str:
    """Our library as another version of it would be."""
    text = assemble(lua_directory(), {lacks: ""} if lacks else None).source
    digest = library().digest
    for head, number in (("-- version ", " digest"), ("LIBRARY_VERSION, LIBRARY_DIGEST = ", ",")):
        assert f"{head}{VERSION}{number}" in text
        text = text.replace(f"{head}{VERSION}{number}", f"{head}{version}{number}", 1)
    return text.replace(digest, f"{version:0>16}")


def prove(options: Options) -> Figures:
    """Runs it: flushed all the time, replaced all the time, and flushed now and then."""
    figures, times = Figures(), Times()
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(support.server(options.program))
        store = stack.enter_context(server.client())
        here = stack.enter_context(site([server.url] * 2, [server.url] * 2))
        urls = [f"http://127.0.0.1:{port}" for port in here.ports]
        call = stack.enter_context(contextlib.closing(Caller(urls[0], KEY)))
        make_queue(call, WAITING, 600)
        call("PATCH", f"/routing/jobs/{WAITING}", {"channelId": "voice", "queueId": WAITING})
        older, newer = text_of(VERSION - 1, lacks=LACKS), text_of(VERSION + 1)
        turns = itertools.cycle([older, newer])
        with Sleeper() as sleeper, traffic(urls[1], KEY) as history:
            make_lazy(call)
            _single(figures, times, options, store, Prober(call))
            _under(figures, times, options, "flushed", lambda: _flush(store), Prober(call), history)
            replace = lambda: store.function_load(next(turns), replace=True)  # noqa: E731
            _under(figures, times, options, "replaced", replace, Prober(call), history)
            _flush(store)
            goes_on(history)
        times.judge(figures, options, sleeper)
        figures.at_least("life cycles", history.closed(), 1)
        figures.tell("requests repeated after 503", history.interrupted)
        figures.none("answers but success and 503", history.unexpected)
        verify.kept(call, history)
        verify.ends_of_offers(call)
        verify.once(verify.all_events(call), history)
        figures.none("parts that have ended", here.ended())
        figures.none("invariants violated", unsound(server.url, "main"))
    return figures


class Prober:
    """Somebody who asks on, and notes when that succeeds."""

    def __init__(self, call: Caller) -> None:
        self.refused = 0
        self.wrong: list[str] = []
        self.successes: list[float] = []
        self._call = call

    def ask(self) -> bool:
        """Asks for the place of a job that waits; whether that was answered."""
        status, answer = self._call("GET", f"/routing/jobs/{WAITING}/position")
        if status == 200:
            self.successes.append(time.monotonic())
            return True
        self.refused += 1
        if status != 503:
            self.wrong.append(f"{status} {answer}")
        return False

    def gaps(self) -> list[float]:
        """The times between two successes, in seconds."""
        return [after - before for before, after in itertools.pairwise(self.successes)]


def _single(figures: Figures, times: Times, options: Options, store: redis.Redis, prober: Prober) -> None:
    """Flushed once, again and again: how long until somebody is answered."""
    healed = []
    for _ in range(options.times(SINGLE, QUICK_SINGLE)):
        begun = time.monotonic()
        _flush(store)
        while not prober.ask():
            time.sleep(PAUSE_SECONDS)
        healed.append(time.monotonic() - begun)
        time.sleep(BLOW_SECONDS)
    figures.tell("flushed once: refused", prober.refused)
    times.note("flushed once: healed after s, at most", max(healed), HEALED_SECONDS)
    figures.none("flushed once: answers but success and 503", prober.wrong)


def _under(
    figures: Figures,
    times: Times,
    options: Options,
    what: str,
    blow: Callable[[], object],
    prober: Prober,
    history: Ledger,
) -> None:
    """Blow after blow, while somebody asks and agents work; then it is whole again."""
    closed = history.closed()
    with _blows(blow) as blows:
        end = time.monotonic() + (QUICK_SECONDS if options.quick else SECONDS)
        while time.monotonic() < end or len(blows) < LEAST:
            prober.ask()
            time.sleep(PAUSE_SECONDS)
    begun = time.monotonic()
    while not prober.ask() and time.monotonic() < begun + PATIENCE_SECONDS:
        time.sleep(PAUSE_SECONDS)
    figures.at_least(f"{what}: times", len(blows), LEAST)
    figures.tell(f"{what}: life cycles meanwhile", history.closed() - closed)
    figures.tell(f"{what}: asked, refused", f"{len(prober.successes):,}, {prober.refused:,}")
    figures.none(f"{what}: answers but success and 503", prober.wrong)
    times.note(f"{what}: longest time without an answer, s", max(prober.gaps()), HEALED_SECONDS)
    times.note(f"{what}: healed after s", prober.successes[-1] - begun, HEALED_SECONDS)
    goes_on(history)


def _flush(store: redis.Redis) -> None:
    store.function_flush("SYNC")


@contextlib.contextmanager
def _blows(blow: Callable[[], object]) -> Iterator[list[float]]:
    """Blow after blow during the block; when they were."""
    times: list[float] = []
    stop = threading.Event()

    def go_on() -> None:
        while not stop.wait(BLOW_SECONDS):
            blow()
            times.append(time.monotonic())

    thread = threading.Thread(target=go_on, daemon=True)
    thread.start()
    try:
        yield times
    finally:
        stop.set()
        thread.join(PATIENCE_SECONDS)
