"""Drives saq as it documents: one queue, one worker; the argument is the socket of the server.

It runs with saq's own versions of its packages, so nothing of the router is imported here.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import uvloop
from redis.asyncio import Redis
from saq import Worker
from saq.queue.redis import RedisQueue

AT_ONCE = 100


class Driver:
    """One queue, and a worker between ``start`` and ``stop``."""

    def __init__(self, socket: str) -> None:
        # as many operations at once as there are tasks, so that nobody waits for a turn
        client = Redis(unix_socket_path=socket)
        self._queue = RedisQueue(client, name="bench", max_concurrent_ops=AT_ONCE)
        self._left = 0
        self._ended = asyncio.Event()

    async def work(self, context: Any, **body: Any) -> None:
        """A job that does nothing."""

    async def end(self, context: Any) -> None:
        """A job has been processed and is finished in the store."""
        self._left -= 1
        if not self._left:
            self._ended.set()

    async def start(self) -> str:
        """Starts the worker, and has it do a job on each of its connections, which it opens late."""
        self._worker: Any = Worker(
            self._queue, [("work", self.work)], concurrency=AT_ONCE, after_process=self.end, dequeue_timeout=1
        )
        self._task = asyncio.create_task(self._worker.start())
        await self.run(10 * AT_ONCE, {})
        return "started"

    async def run(self, jobs: int, body: dict[str, Any]) -> str:
        """Enqueues jobs and waits until all are done."""
        self._left = jobs
        self._ended.clear()
        numbers = iter(range(jobs))

        async def enqueue() -> None:
            for _ in numbers:
                # a negative time to live: removed when it ends
                await self._queue.enqueue("work", ttl=-1, **body)

        await asyncio.gather(*(enqueue() for _ in range(AT_ONCE)))
        await self._ended.wait()
        return "done"

    async def stop(self) -> str:
        """Stops the worker."""
        self._worker.event.set()
        await self._task
        return "stopped"


async def main() -> None:
    """Does what each line of the input says."""
    driver = Driver(sys.argv[1])
    loop = asyncio.get_running_loop()
    while line := (await loop.run_in_executor(None, sys.stdin.readline)).strip():
        if line == "start":
            answer = await driver.start()
        elif line == "stop":
            answer = await driver.stop()
        else:
            answer = await driver.run(**json.loads(line))
        print(answer, flush=True)


uvloop.run(main())
