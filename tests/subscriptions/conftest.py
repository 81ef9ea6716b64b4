"""The router of a test."""

from __future__ import annotations

import pytest

from tests.subscriptions.router import Router
from tests.support import SyncStore


@pytest.fixture
def router(store: SyncStore, root: str) -> Router:
    """A router without anything."""
    return Router(store, root)
