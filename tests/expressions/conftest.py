"""The evaluator of a test."""

from __future__ import annotations

import pytest

from tests.expressions.evaluator import Evaluator
from tests.support import SyncStore


@pytest.fixture
def evaluate(store: SyncStore, root: str) -> Evaluator:
    """Evaluates expressions in the library of the server."""
    return Evaluator(store, root)
