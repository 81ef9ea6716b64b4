"""Random deliveries keep their promises: at least once, in order for each lane, repeats bounded."""

from __future__ import annotations

import pytest

from tests.deliveries.model import Play
from tests.support import SyncStore


@pytest.mark.parametrize("seed", range(20))
def test_random_deliveries(store: SyncStore, root: str, seed: int) -> None:
    Play(store, root, seed).run(200)
