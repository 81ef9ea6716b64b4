"""What the processes of one API tell each other: the metrics of all, whichever of them is asked.

Each listens on a socket of its own in a folder that they share. Series are told with the label ``process``,
the number of the process, so that none counts twice and sums are right.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import msgspec
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

SECONDS = 1.0
"""How long another process may take to tell; one that takes longer is left out."""

LABEL = "process"


class Sample(msgspec.Struct, array_like=True):
    """One value of a family of metrics."""

    name: str
    labels: dict[str, str]
    value: float


class Family(msgspec.Struct, array_like=True):
    """A family of metrics."""

    name: str
    about: str
    kind: str
    samples: list[Sample]


_decode = msgspec.json.Decoder(list[Family]).decode


class Siblings:
    """The processes of an API: ``number`` is this one, of so many."""

    def __init__(self, folder: Path, number: int, count: int) -> None:
        self._folder = folder
        self._number = number
        self._count = count

    @contextlib.asynccontextmanager
    async def telling(self, registry: CollectorRegistry) -> AsyncIterator[None]:
        """Tells the others, in the block, what is in a registry."""

        async def tell(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError):
                writer.write(msgspec.json.encode(await asyncio.to_thread(_families, registry)))
                await writer.drain()
            writer.close()

        path = self._socket(self._number)
        # that of the process which had this number before
        path.unlink(missing_ok=True)
        async with await asyncio.start_unix_server(tell, path):
            yield

    async def gather(self, registry: CollectorRegistry) -> CollectorRegistry:
        """What this process has in a registry and what the others have."""
        others = [number for number in range(self._count) if number != self._number]
        told = await asyncio.gather(*map(self._ask, others))
        mine = await asyncio.to_thread(_families, registry)
        whole = CollectorRegistry()
        whole.register(_Told({self._number: mine, **dict(zip(others, told, strict=True))}))
        return whole

    async def _ask(self, number: int) -> list[Family]:
        try:
            async with asyncio.timeout(SECONDS):
                reader, writer = await asyncio.open_unix_connection(self._socket(number))
                try:
                    return _decode(await reader.read())
                finally:
                    writer.close()
        except (OSError, TimeoutError, msgspec.MsgspecError):
            # it is being started anew
            return []

    def _socket(self, number: int) -> Path:
        return self._folder / str(number)


def _families(registry: CollectorRegistry) -> list[Family]:
    return [
        Family(
            one.name, one.documentation, one.type, [Sample(s.name, s.labels, s.value) for s in one.samples]
        )
        for one in registry.collect()
    ]


class _Told(Collector):
    """The families of several processes as one."""

    def __init__(self, told: dict[int, Sequence[Family]]) -> None:
        self._told = told

    def collect(self) -> Iterator[Metric]:
        whole: dict[str, Metric] = {}
        for number, families in sorted(self._told.items()):
            for family in families:
                metric = whole.get(family.name)
                if metric is None:
                    metric = whole[family.name] = Metric(family.name, family.about, family.kind)
                for sample in family.samples:
                    metric.add_sample(sample.name, {LABEL: str(number), **sample.labels}, sample.value)
        yield from whole.values()
