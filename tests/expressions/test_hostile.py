"""Whatever a policy has for an expression, evaluating it gives a value or an error of the language."""

from __future__ import annotations

import itertools
import random

import pytest

from engine.expressions import BadExpression
from tests.expressions.evaluator import Evaluator
from tests.expressions.hostile import RECORDS, sources


@pytest.mark.parametrize("seed", range(4))
def test_any_expression_has_a_value_or_fails(evaluate: Evaluator, seed: int) -> None:
    refused = 0
    for source in itertools.islice(sources(random.Random(seed)), 1000):
        try:
            evaluate(source, **RECORDS)
        except BadExpression:
            refused += 1
    assert 0 < refused < 1000
