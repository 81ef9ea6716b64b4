"""The retry schedule, and when an event is given up."""

from __future__ import annotations

import pytest

from engine.deliveries.tries import ARRIVED, FINAL, Tries, given_up, pause_ms

HOUR = 3_600_000


def test_the_schedule_is_that_of_event_grid() -> None:
    seconds = [10, 30, 60, 300, 600, 1_800, 3_600, 10_800, 21_600, 43_200, 43_200]
    assert [pause_ms(n, 1) // 1000 for n in range(1, 12)] == seconds
    assert pause_ms(30, 1) == 12 * HOUR
    assert [pause_ms(n, 0.001) for n in (1, 2, 30)] == [10, 30, 43_200]
    assert pause_ms(1, 1e-9) == 1


def test_tries_are_counted_and_kept_as_text() -> None:
    once = Tries().after(100, 503, "busy")
    twice = Tries.parse(once.text).after(200, 0, "no answer", True)
    assert twice == Tries(2, 100, 200, 0, "no answer", True)
    assert Tries.parse("") == Tries()


@pytest.mark.parametrize("status", [400, 401, 403, 413])
def test_some_statuses_are_final(status: int) -> None:
    assert status in FINAL
    assert given_up(Tries().after(0, status, ""), 0, 30, 1_440, 1) == "refused"


@pytest.mark.parametrize("status", [0, 100, 205, 302, 404, 408, 429, 500, 503])
def test_all_others_are_tried_again(status: int) -> None:
    assert status not in ARRIVED
    assert given_up(Tries().after(0, status, ""), 0, 30, 1_440, 1) is None


def test_it_is_given_up_after_as_many_tries_as_were_asked_for() -> None:
    assert given_up(Tries(4, 0, 0, 500), 0, 5, 1_440, 1) is None
    assert given_up(Tries(5, 0, 0, 500), 0, 5, 1_440, 1) == "attempts"
    assert given_up(Tries(1, 0, 0, 500), 0, 1, 1_440, 1) == "attempts"


def test_it_is_given_up_when_its_next_try_would_come_too_late() -> None:
    assert given_up(Tries(1, 0, 50_000, 500), 0, 30, 1, 1) is None
    assert given_up(Tries(1, 0, 50_001, 500), 0, 30, 1, 1) == "age"
    assert given_up(Tries(9, 0, 3 * HOUR, 500), 0, 30, 1_440, 1) is None
    assert given_up(Tries(10, 0, 13 * HOUR, 500), 0, 30, 1_440, 1) == "age"
