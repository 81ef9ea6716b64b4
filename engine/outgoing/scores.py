"""What scoring rules answer, as numbers. A worker without one ranks behind all that have one."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any


def score(value: Any) -> float | None:
    """The answer about one worker; None when it is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def batch_scores(value: Any, workers: Iterable[str]) -> dict[str, float]:
    """The answer about several workers: their scores by id, without those that have none."""
    answers = value if isinstance(value, dict) else {}
    scores = {worker: score(answers.get(worker)) for worker in workers}
    return {worker: number for worker, number in scores.items() if number is not None}
