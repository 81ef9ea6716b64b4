"""Kill -9 of ``jobrouter serve`` and of its embedded server, in the middle of traffic."""

from __future__ import annotations

import os
import signal
from contextlib import closing
from pathlib import Path

from tests.faults import verify
from tests.faults.traffic import goes_on, make_lazy, traffic
from tests.runtime.processes import Process, serving
from tests.runtime.test_serve import inside, is_alive, server_pid
from tests.signed import Caller
from tests.support import eventually


def url_and_key(it: Process) -> tuple[str, str]:
    """Where it answers over plain http, and its access key."""
    return f"http://127.0.0.1:{it.port}", it.wait_for("accesskey=(.*)")[1]


def test_killed_serve(tmp_path: Path, notifications: str) -> None:
    """A new start shuts down the server that was left, which has everything, and goes on."""
    options = ("--notifications", notifications)
    with serving(tmp_path, *options) as it:
        url, key = url_and_key(it)
        with closing(Caller(url, key)) as call, traffic(url, key) as history:
            make_lazy(call)
            left = server_pid(tmp_path)
            it.process.kill()
            it.process.wait()
            assert is_alive(left)
            call.close()
            with serving(tmp_path, *options, "--port", str(it.port)):
                goes_on(history)
                assert not is_alive(left)
                assert history.unexpected == []
                assert history.interrupted > 0
                seen = history.copy()
                verify.kept(call, seen)
                verify.ends_of_offers(call)
                verify.once(verify.all_events(call), seen)
                verify.sound("--data-dir", str(tmp_path))


def test_killed_embedded_server(tmp_path: Path) -> None:
    """It is back at once. Guaranteed is what was synchronised: all that is older than a second.

    ``appendfsync everysec`` writes before it answers unless a synchronisation is under way, so that a killed
    process nearly always keeps the last second as well; only what was synchronised is asked for here.
    """
    with serving(tmp_path) as it:
        url, key = url_and_key(it)
        with closing(Caller(url, key)) as call, traffic(url, key) as history:
            make_lazy(call)
            synchronised = history.copy()
            pid = server_pid(tmp_path)
            with inside(tmp_path) as client:
                # it waits for the writes of its own connection and all before them
                client.set("mark", 1)
                assert client.waitaof(1, 0, 5000)[0] == 1
            goes_on(history, 1)
            os.kill(pid, signal.SIGKILL)
            eventually(lambda: server_pid(tmp_path) != pid, seconds=5)
            goes_on(history)
            assert history.interrupted > 0
            verify.kept(call, synchronised)
            verify.ends_of_offers(call)
            verify.sound("--data-dir", str(tmp_path))
