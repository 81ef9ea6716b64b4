"""How many a gate lets in, and how it shares its places out."""

from __future__ import annotations

import random

import pytest

from api.admission.gates import Gate


def fill(gate: Gate, tenant: str) -> int:
    """A router takes all it can get; gives what it has then."""
    lane = gate.lanes[tenant]
    while lane.has_room():
        lane.enter()
    return lane.under_way


def test_one_alone_has_all() -> None:
    assert fill(Gate(100, ["a"]), "a") == 100


@pytest.mark.parametrize("greedy", [1, 2, 3, 9])
def test_the_greedy_leave_room_for_the_modest(greedy: int) -> None:
    names = [f"t{number}" for number in range(greedy)]
    gate = Gate(100, [*names, "modest"])
    # in turn, as if they had come at once
    while any(lane.has_room() for lane in (gate.lanes[name] for name in names)):
        for name in names:
            if gate.lanes[name].has_room():
                gate.lanes[name].enter()
    shares = [gate.lanes[name].under_way for name in names]
    assert max(shares) - min(shares) <= 1
    assert min(shares) >= 100 // (greedy + 1)
    assert fill(gate, "modest") >= (100 - sum(shares)) // 2 > 0


def test_the_first_gives_way_as_its_requests_end() -> None:
    gate = Gate(100, ["a", "b"])
    assert (fill(gate, "a"), fill(gate, "b")) == (50, 25)
    lanes = gate.lanes
    for _ in range(1_000):
        lanes["a"].leave()
        fill(gate, "b")
        fill(gate, "a")
    assert abs(lanes["a"].under_way - lanes["b"].under_way) <= 1


def test_never_more_than_it_may() -> None:
    rng = random.Random(7)
    gate = Gate(10, ["a", "b", "c"])
    lanes = list(gate.lanes.values())
    for _ in range(5_000):
        lane = rng.choice(lanes)
        if lane.under_way and rng.random() < 0.4:
            lane.leave()
        elif lane.has_room():
            lane.enter()
        assert gate.under_way == sum(one.under_way for one in lanes) <= 10
