"""A store that stands still: so many requests wait for it, all others are refused, and then all is well."""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from tests import support
from tests.signed import Caller

PLACES = 8
ASKED = 40


def test_a_stalled_store_keeps_few_waiting(server_program: Path) -> None:
    refused = threading.Semaphore(0)
    with (
        support.server(server_program) as server,
        support.served(server.url, works=False, max_requests=PLACES) as served,
        ThreadPoolExecutor(ASKED) as pool,
    ):

        def ask(_: int) -> int:
            with closing(Caller(served.url, served.key)) as call:
                status, _answer = call("GET", "/routing/queues")
                if status == 503:
                    refused.release()
                return status

        assert ask(0) == 200
        assert server.process
        os.kill(server.process.pid, signal.SIGSTOP)
        try:
            asked = [pool.submit(ask, number) for number in range(ASKED)]
            # they do not wait for the store, which stands until all of them have their answers
            for _ in range(ASKED - PLACES):
                assert refused.acquire(timeout=support.PATIENCE_SECONDS)
        finally:
            os.kill(server.process.pid, signal.SIGCONT)
        statuses = sorted(answer.result() for answer in asked)
        assert statuses == [200] * PLACES + [503] * (ASKED - PLACES)
        assert ask(0) == 200
