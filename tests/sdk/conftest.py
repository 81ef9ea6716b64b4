"""The clients in all ways to reach a router, and what most scenarios begin with."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

import pytest
from azure.communication.jobrouter import models as m

from tests import support
from tests.sdk.clients import Sdk, by_connection_string, by_constructor

WAYS = ("sync-http", "sync-https", "aio-http", "aio-https")


@pytest.fixture(scope="session", params=WAYS)
def sdk(request: pytest.FixtureRequest, served: support.Served) -> Iterator[Sdk]:
    """Clients of the served router."""
    kind, _, scheme = request.param.partition("-")
    is_async = kind == "aio"
    with pytest.MonkeyPatch.context() as environment:
        # as users trust the development CA: sync clients by the environment, async ones by an option
        environment.setenv("REQUESTS_CA_BUNDLE", served.ca)
        if scheme == "http":
            it = by_constructor(served, is_async)
        elif is_async:
            it = by_connection_string(served, is_async, connection_verify=served.ca)
        else:
            it = by_connection_string(served, is_async)
        yield it
        it.close()


@pytest.fixture
def new() -> Callable[[str], str]:
    """Makes ids that no other test has: with characters that have to be escaped."""
    mark = uuid.uuid4().hex[:8]
    return lambda name: f"{name} {mark}/é:1"


@pytest.fixture
def queue(sdk: Sdk, new: Callable[[str], str]) -> str:
    """A queue of its own, with a distribution policy of its own."""
    policy = m.DistributionPolicy(offer_expires_after_seconds=60, mode=m.LongestIdleMode())
    sdk.upsert_distribution_policy(new("dp"), policy)
    sdk.upsert_queue(new("queue"), m.RouterQueue(distribution_policy_id=new("dp")))
    return new("queue")
