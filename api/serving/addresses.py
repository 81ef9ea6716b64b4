"""Where a running router is reached, for commands on its machine: a file in its data directory."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from engine.data_directory import write_private

_FILE = "addresses"


@contextlib.contextmanager
def told(directory: Path, addresses: Mapping[str, str]) -> Iterator[None]:
    """Tells the address of each tenant until the end of the block."""
    file = directory / _FILE
    write_private(file, msgspec.json.encode(dict(addresses)))
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def known(directory: Path, tenant: str) -> str:
    """The address of a tenant of the router that runs on a directory; empty when none is told."""
    try:
        addresses = msgspec.json.decode((directory / _FILE).read_bytes(), type=dict[str, str])
    except (OSError, msgspec.DecodeError):
        return ""
    return addresses.get(tenant, "")
