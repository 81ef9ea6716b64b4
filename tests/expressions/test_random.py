"""Random expressions give the same in the library as in the naive twin; their texts test the grammar too."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from engine.expressions import compile_expression
from engine.expressions.functions import FUNCTIONS, MANY
from engine.model import Scalar
from tests.expressions.evaluator import Evaluator, Labels
from tests.expressions.test_language import same
from tests.expressions.twin import Apply, Label, Literal, Tree, value_of

EXPRESSIONS = 150
TEXTS = ("", " ", "a", "A b", "é", "ÉA", "12", "-3.5", "7 %", "(4)", "$2", "true", "FALSE", 'x"y', " \t z\n ")
NUMBERS = (0.0, 1.0, 2.0, 3.0, 10.0, 0.5, 2.25, 1e-7, 123456.789, 1e15, 1e300)
LABELS: dict[str, tuple[Scalar, ...]] = {
    "A": (1, -2, 0.5, "a", "", True),
    "odd key": ("5", "b", False, 2**60, -1e-9),
    "it's": ("Zoë", 3, True),
}

# what binds tighter has the greater number
INFIX = {
    "||": 1,
    "Or": 1,
    "&&": 2,
    "And": 2,
    "in": 3,
    "exactin": 3,
    **dict.fromkeys(("=", "<>", "<", "<=", ">", ">="), 4),
    "&": 5,
    "+": 6,
    "-": 6,
    "*": 7,
    "/": 7,
    "^": 9,
}
WORDS = {"||": "Or", "&&": "And"}
PREFIX, SUFFIX, ATOM = 8, 10, 11


def trees(chance: random.Random) -> Iterator[Tree]:
    """Expressions without end."""
    while True:
        yield a_tree(chance, chance.randint(1, 4))


def a_tree(chance: random.Random, depth: int) -> Tree:
    if depth == 0 or chance.random() < 0.15:
        return a_leaf(chance)
    draw = chance.random()
    if draw < 0.45:
        name = chance.choice([*INFIX])
        return Apply(WORDS.get(name, name), (a_tree(chance, depth - 1), a_tree(chance, depth - 1)))
    if draw < 0.55:
        return Apply(chance.choice(["-", "%", "Not"]), (a_tree(chance, depth - 1),))
    name = chance.choice([*FUNCTIONS])
    function = FUNCTIONS[name]
    most = function.least + 3 if function.most == MANY else function.most
    count = chance.randint(function.least, most)
    return Apply(name, tuple(a_tree(chance, depth - 1) for _ in range(count)))


def a_leaf(chance: random.Random) -> Tree:
    match chance.randint(0, 3):
        case 0:
            return Literal(chance.choice(NUMBERS))
        case 1:
            return Literal(chance.choice([*TEXTS, True, False]))
    return Label(chance.choice(["job", "worker", "queue"]), chance.choice([*LABELS, "absent"]))


def labels(chance: random.Random) -> Labels:
    return {key: chance.choice(values) for key, values in LABELS.items() if chance.random() < 0.8}


# ---- as text -----------------------------------------------------------------------------------------------


def source_of(tree: Tree, chance: random.Random) -> str:
    """The text of an expression, with parentheses where they are needed and a few more."""
    return _written(tree, chance)[0]


def _written(tree: Tree, chance: random.Random) -> tuple[str, int]:
    """A text, and how tight its outermost operator binds."""
    match tree:
        case Literal(bool() as value):
            return str(value).lower(), ATOM
        case Literal(str() as value):
            return '"' + value.replace('"', '""') + '"', ATOM
        case Literal(value):
            return repr(value).upper(), ATOM
        case Label(record, key):
            quoted = "'" + key.replace("'", "''") + "'"
            return f"{record}.{key if key.isalnum() and chance.random() < 0.5 else quoted}", ATOM
        case Apply(name, (left, right)) if name in INFIX and chance.random() < 0.9:
            return _infix(name, left, right, chance)
        case Apply("-", (left, right)):
            return _infix("-", left, right, chance)
        case Apply("-" | "Not" as name, (operand,)):
            sign = "-" if name == "-" else chance.choice(["!", "Not "])
            return sign + _within(operand, PREFIX, chance), PREFIX
        case Apply("%", (operand,)):
            return _within(operand, SUFFIX, chance) + "%", SUFFIX
        case Apply(name, operands) if name in FUNCTIONS:
            comma = chance.choice([",", ", ", " ,\n"])
            return f"{name}({comma.join(source_of(operand, chance) for operand in operands)})", ATOM
        case Apply(name, (left, right)):
            return _infix(name, left, right, chance)
    raise AssertionError(tree)


def _infix(name: str, left: Tree, right: Tree, chance: random.Random) -> tuple[str, int]:
    binding = INFIX[name]
    # ^ goes from right to left, and takes a sign on its right
    first, second = (SUFFIX, PREFIX) if name == "^" else (binding, binding + 1)
    sign = chance.choice([sign for sign, word in WORDS.items() if word == name] + [name])
    return f"{_within(left, first, chance)} {sign} {_within(right, second, chance)}", binding


def _within(tree: Tree, least: int, chance: random.Random) -> str:
    text, binding = _written(tree, chance)
    return f"({text})" if binding < least or chance.random() < 0.1 else text


@pytest.mark.parametrize("seed", range(20))
def test_the_library_gives_what_the_twin_gives(evaluate: Evaluator, seed: int) -> None:
    chance = random.Random(seed)
    for tree, _ in zip(trees(chance), range(EXPRESSIONS), strict=False):
        source = source_of(tree, chance)
        records = {record: labels(chance) for record in ("job", "worker", "queue")}
        found, wanted = evaluate(source, **records), value_of(tree, records)
        assert same(found, wanted), (source, records, found, wanted)


def test_the_labels_read_are_those_of_the_tree() -> None:
    chance = random.Random(1)
    for tree, _ in zip(trees(chance), range(EXPRESSIONS), strict=False):
        compiled = compile_expression(source_of(tree, chance))
        assert {(record, key) for record, keys in compiled.reads.items() for key in keys} == set(
            _labels(tree)
        )


def _labels(tree: Tree) -> Iterator[tuple[str, str]]:
    if isinstance(tree, Label):
        yield tree
    elif isinstance(tree, Apply):
        for operand in tree.operands:
            yield from _labels(operand)
