"""The router of a story: a tenant of its own on the server of all tests."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests import support
from tests.deploy.guarded import acting
from tests.stories.router import Router

USER = os.environ.get("JOBROUTER_TEST_USER", "")
"""The user of the store who calls the functions, api or worker; nobody in particular when it is empty."""


@pytest.fixture
def empty(server: support.Server, root: str) -> Iterator[Router]:
    """A router without anything."""
    with acting(server, USER) if USER else server.client() as client:
        yield Router(client, root)


@pytest.fixture
def router(empty: Router) -> Router:
    """A router with the distribution policy ``p`` (longest idle, 60 s, one offer) and the queue ``q``."""
    empty.policy()
    empty.queue()
    empty.told()
    return empty
