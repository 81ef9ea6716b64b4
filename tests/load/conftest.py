"""One deployment behind HAProxy for all tests of a process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.load import balancer
from bench.load.stack import Size, Stack, stack
from tests.tree.sources import missing


@pytest.fixture(scope="session")
def haproxy() -> str:
    """The path of HAProxy; without it the test is skipped, which CI does not forgive."""
    program = balancer.program()
    if program is None:
        missing(balancer.MISSING)
    assert program
    return program


@pytest.fixture(scope="session")
def deployment(haproxy: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Two replicas and a worker behind HAProxy."""
    with stack(Size(), tmp_path_factory.mktemp("load")) as it:
        yield it
