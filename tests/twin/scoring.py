"""How workers are scored for a job: by default (semantics 7.5), or by the scoring rule of the policy."""

from __future__ import annotations

import json
import math
from typing import Any

from tests.expressions.evaluator import Error
from tests.expressions.twin import value_of
from tests.twin.expressions import tree_of
from tests.twin.model import Job, Worker
from tests.twin.selectors import Selector
from tests.twin.texts import Scalar, scalar, scalars


def scored(rules: str, job: Job, w: Worker) -> tuple[float | None, float]:
    """The score of a worker, None when it has none (C16), and what tells equal scores apart."""
    if rules == "":
        return default_score(job, w)
    rule = json.loads(rules)
    if rule["kind"] != "expression":
        return 0.0, 0.0
    labels = {key: value for key, value in scalars(job.labels).items() if key in rule.get("labels", [])}
    value = value_of(tree_of(rule["tree"]), {"job": plain(labels), "worker": plain(w.label_values)})
    if isinstance(value, Error | bool | str) or value is None or not math.isfinite(value):
        return None, 0.0
    return value, 0.0


def plain(labels: dict[str, Scalar | None]) -> dict[str, Any]:
    """Labels as an expression sees them."""
    return {json.loads(key): value[1] for key, value in labels.items() if value is not None}


def default_score(job: Job, w: Worker) -> tuple[float, float]:
    """The default score of semantics 7.5 and the sum of the raw x that breaks its ties (C39)."""
    labels, wanted = w.label_values, scalars(job.labels)
    active = job.active_selectors()
    if not wanted and not active:
        return 0.0, 0.0
    # labels before selectors, in the selectors' order: a sum of doubles depends on its order
    points = float(sum(key in labels and labels[key] == value for key, value in wanted.items()))
    raw = 0.0
    for s in active:
        if s.operator in ("=", "!="):
            points += s.holds(labels)
        else:
            part, x = magnitude(s, labels.get(s.key))
            points += part
            raw += x
    return points / (len(wanted) + len(active)), raw


def magnitude(s: Selector, have: Scalar | None) -> tuple[float, float]:
    """What a magnitude selector adds to a score, and its raw distance; nothing unless both are numbers."""
    need = scalar(s.value)
    if have is None or need is None or have[0] != "number" or need[0] != "number":
        return 0.0, 0.0
    a, b = float(have[1]), float(need[1])
    x = (a - b if s.operator in (">", ">=") else b - a) / (abs(b) or 1.0)
    return (1 / (1 + math.exp(-x)) if x > -700 else 0.0), x
