"""Ids of requests that bring none."""

from __future__ import annotations

import os
import re
import sys
import threading

from api.serving.request import drawn_id

COUNT = 20_000


def test_many_threads_draw_different_ids() -> None:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    drawn: list[str] = []
    try:
        threads = [
            threading.Thread(target=lambda: drawn.extend(drawn_id() for _ in range(COUNT))) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert len(drawn) == len(set(drawn)) == 4 * COUNT
    assert all(re.fullmatch("[0-9a-f]{32}", one) for one in drawn)


def test_a_fork_draws_others() -> None:
    drawn_id()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, " ".join(drawn_id() for _ in range(300)).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as theirs:
        others = theirs.read().split()
    os.waitpid(child, 0)
    assert len(others) == 300
    assert not {*others} & {drawn_id() for _ in range(300)}
