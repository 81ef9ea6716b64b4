"""Random steps find faults that were once there, or nearly: each is put back, and has to be found soon."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from engine.library import lua_directory
from tests.twin.driver import Driver, make
from tests.twin.store import private_client

EPISODES = 20
STEPS = 300

Change = tuple[str, str]
BY_RANK = (
    "matching/candidates.lua",
    [
        ('row.from, row.count, row.seen = "-inf", 4, {}', "row.from, row.count, row.seen = 0, 4, {}"),
        (
            'name, from, "+inf", "BYSCORE", "LIMIT", 0, count, "WITHSCORES"',
            'name, from, from + count - 1, "WITHSCORES"',
        ),
        ("bucket.from, bucket.count = rows[#rows], ", "bucket.from, bucket.count = from + count, "),
    ],
)
"""A walk reads the classes of a bucket by rank, and passes some over when others have left meanwhile."""


def broken(folder: Path, file: str, changes: list[Change]) -> Path:
    """A copy of the Lua files in which one is changed."""
    shutil.copytree(lua_directory(), folder)
    text = (folder / file).read_text()
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    (folder / file).write_text(text)
    return folder


@pytest.mark.parametrize(("kind", "fault"), [("waiting", BY_RANK)], ids=["a walk by rank"])
def test_a_fault_is_found(tmp_path: Path, kind: str, fault: tuple[str, list[Change]]) -> None:
    with private_client(broken(tmp_path / "lua", *fault)) as client:
        driver = Driver(client)
        episodes = (make(seed, STEPS, kind) for seed in range(7_000, 7_000 + EPISODES))
        assert any(driver.run(driver.pair(thorough=False), steps) for steps in episodes)
