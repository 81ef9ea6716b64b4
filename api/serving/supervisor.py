"""Several processes that do the same, kept alive by one that does nothing else.

They are forks, so what has been imported and what listens is shared. One that dies is started anew. When the
supervisor is told to end it ends them all, and when it is killed itself they notice and end.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import selectors
import shutil
import signal
import socket
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

log = logging.getLogger("jobrouter")

END_SECONDS = 10.0
"""How long processes may take to end before they are killed."""

PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0
"""Before one is started anew that had not become ready, or could not be started: they begin short and
double."""

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)


class Place(NamedTuple):
    """What one of the processes knows of itself: its number, from 0 on, and how many there are.

    ``folder`` is for sockets by which they reach each other; ``lifeline`` is a file that ends when the
    supervisor is gone.
    """

    number: int
    processes: int
    folder: Path
    lifeline: int
    report: int

    def ready(self, text: str) -> None:
        """Tells the supervisor that this process does its work; ``text`` is told to people once."""
        os.write(self.report, text.encode())
        os.close(self.report)

    def tells_first(self, text: str) -> bool:
        """Whether no other process of them has told this sentence; what ends one ends most of them alike."""
        try:
            (self.folder / f"told-{hashlib.sha256(text.encode()).hexdigest()}").touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


class _Child:
    def __init__(self, number: int, pause: float) -> None:
        self.number = number
        self.pause = pause
        self.pid = 0
        self.start_at = time.monotonic() + pause
        self.report: int | None = None
        self.text = b""
        self.ready = False


class Supervisor:
    """Runs ``work`` in so many processes; it gives the exit status of its process.

    ``say`` is called once, with what the last one has reported, when all are ready.
    """

    def __init__(self, count: int, work: Callable[[Place], int], say: Callable[[str], None]) -> None:
        self._work = work
        self._say = say
        self._children = [_Child(number, 0.0) for number in range(count)]
        self._selector = selectors.DefaultSelector()
        self._said = False
        self._told = 0

    def run(self) -> int:
        """Runs until it is told to end, or one of them fails at the very start. Gives the exit status."""
        with contextlib.ExitStack() as stack:
            self._folder = Path(tempfile.mkdtemp(prefix="jobrouter-"))
            stack.callback(shutil.rmtree, self._folder, ignore_errors=True)
            self._lifeline, self._held = os.pipe()
            stack.callback(os.close, self._lifeline)
            stack.callback(os.close, self._held)
            self._wakes, self._signals = stack.enter_context(_told_of_signals(self._tell))
            self._selector.register(self._wakes, selectors.EVENT_READ)
            try:
                return self._watch()
            finally:
                self._end()
                for child in self._children:
                    self._forget_report(child)
                self._selector.close()

    def _tell(self, number: int, _: object) -> None:
        if number != signal.SIGCHLD:
            self._told = self._told or number

    def _watch(self) -> int:
        while True:
            now = time.monotonic()
            for child in self._children:
                if not child.pid and child.start_at <= now:
                    self._start(child)
            waits = [child.start_at - now for child in self._children if not child.pid]
            for key, _ in self._selector.select(max(0.0, min(waits)) if waits else None):
                if key.fileobj is self._wakes:
                    with contextlib.suppress(BlockingIOError):
                        self._wakes.recv(1024)
                else:
                    self._hear(key.data)
            if self._told:
                return 0
            for child in self._children:
                if (status := _reaped(child.pid)) is not None:
                    if not child.ready and not self._said:
                        # the others would fail as well
                        child.pid = 0
                        return status or 1
                    self._again(child, status)

    def _start(self, child: _Child) -> None:
        try:
            self._fork(child)
        except OSError as error:
            # the system has no process, memory or file to spare: perhaps in a moment
            child.pause = min(LONGEST_PAUSE_SECONDS, max(PAUSE_SECONDS, 2 * child.pause))
            child.start_at = time.monotonic() + child.pause
            log.error("process %d of the API cannot be started, trying on: %s", child.number, error)

    def _fork(self, child: _Child) -> None:
        child.report, told = os.pipe()
        place = Place(child.number, len(self._children), self._folder, self._lifeline, told)
        # what a new process is told at once must not reach the handlers that it has from us
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            child.pid = os.fork()
            if not child.pid:
                self._become(place, mask)
        except OSError:
            os.close(child.report)
            child.report = None
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            os.close(told)
        os.set_blocking(child.report, False)
        self._selector.register(child.report, selectors.EVENT_READ, child)

    def _become(self, place: Place, mask: Iterable[int]) -> None:
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in _SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            for inherited in (self._wakes, self._signals, self._selector):
                inherited.close()
            os.close(self._held)
            for child in self._children:
                if child.report is not None:
                    os.close(child.report)
            status = self._work(place)
        except BaseException:
            traceback.print_exc()
        finally:
            with contextlib.suppress(OSError, ValueError):
                logging.shutdown()
            os._exit(status)

    def _hear(self, child: _Child) -> None:
        """Reads what a process reports; the end of it means that it is ready, or has ended before."""
        assert child.report is not None
        part = os.read(child.report, 65536)
        child.text += part
        if part:
            return
        self._forget_report(child)
        if not child.text:
            return
        child.ready, child.pause = True, 0.0
        if not self._said and all(other.ready for other in self._children):
            self._said = True
            self._say(child.text.decode())

    def _forget_report(self, child: _Child) -> None:
        if child.report is not None:
            self._selector.unregister(child.report)
            os.close(child.report)
            child.report = None

    def _again(self, child: _Child, status: int) -> None:
        self._forget_report(child)
        pause = 0.0 if child.ready else min(LONGEST_PAUSE_SECONDS, max(PAUSE_SECONDS, 2 * child.pause))
        log.error("process %d of the API has ended with %d and is started again", child.pid, status)
        self._children[child.number] = _Child(child.number, pause)

    def _end(self) -> None:
        """Ends all, kindly at first."""
        alive = {child.pid for child in self._children if child.pid}
        for pid in alive:
            os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + END_SECONDS
        while alive := {pid for pid in alive if _reaped(pid) is None}:
            if time.monotonic() > deadline:
                for pid in alive:
                    os.kill(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)
                return
            self._selector.select(0.1)
            with contextlib.suppress(BlockingIOError):
                self._wakes.recv(1024)


def _reaped(pid: int) -> int | None:
    """The exit status of a process that has ended, else None; of a signal its number below 0."""
    if not pid:
        return None
    gone, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if gone else None


@contextlib.contextmanager
def _told_of_signals(
    tell: Callable[[int, object], None],
) -> Iterator[tuple[socket.socket, socket.socket]]:
    """A socket that becomes readable with each signal, and the other end of it."""
    wakes, signals = socket.socketpair()
    with wakes, signals:
        wakes.setblocking(False)
        signals.setblocking(False)
        before = {number: signal.signal(number, tell) for number in _SIGNALS}
        woken = signal.set_wakeup_fd(signals.fileno(), warn_on_full_buffer=False)
        try:
            yield wakes, signals
        finally:
            signal.set_wakeup_fd(woken)
            for number, handler in before.items():
                signal.signal(number, handler)
