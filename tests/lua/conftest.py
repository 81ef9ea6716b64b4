"""Routers whose work is measured: each module has a server that nobody else uses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.site import Site, site
from engine.library import library
from tests.lua import coverage

START = 1_000_000_000


@pytest.fixture(name="own", scope="module")
def _own(server_program: Path) -> Iterator[Site]:
    """A server of the module's own."""
    with site(server_program) as it:
        yield it


@pytest.fixture(name="empty")
def _empty(own: Site) -> Iterator[Site]:
    """An empty router, with a library that remembers nothing."""
    own.client.call("FLUSHALL")
    own.client.call("FUNCTION", "LOAD", "REPLACE", library().source)
    here = Site(own.client)
    here.now = START
    yield here
    coverage.collect(own.client.call)
