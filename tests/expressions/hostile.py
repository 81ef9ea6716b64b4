"""Expressions of people who mean harm, or slip: texts without end, some of which are expressions."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from engine.expressions.compiler import MAX_LENGTH
from engine.expressions.functions import FUNCTIONS
from engine.expressions.grammar import INFIX
from tests.expressions.evaluator import Labels
from tests.expressions.test_random import source_of, trees

LONG = {
    "ascii": "aB" * 512,
    "two": "éÉ" * 512,
    "four": "😀" * 1024,
    "mixed": "a" * 1023 + "é",
    "digits": "9" * 250,
    "number": " ( $ " + "1," * 100 + "5 ) ",
    "blanks": " \t" * 512,
    "gaps": "a  " * 341,
    "late": "a" * 1023 + "b",
    "words": "true",
    "tiny": 5e-324,
    "great": 1.7976931348623157e308,
    "third": 1 / 3,
    "odd 'key'\n": "it's",
    "x": -1,
}
RECORDS: dict[str, Labels] = {record: dict(LONG) for record in ("job", "worker", "queue")}
"""Labels as long as they may be, and numbers at the ends of their range."""

PIECES = [
    *("job", "worker.", ".A", "'x'", "'", '"', '"t"', "If(", "Switch(", "IfError(", "Not", "And", "in"),
    *("(", ")", ",", "+", "-", "*", "/", "^", "%", "&", "&&", "||", "!", "=", "<>", "<", ">=", "1", ".5"),
    *("1e9", "true", "//", "/*", "*/", "\n", " ", "\0", "é", "😀", "\u2028", "[", "{", ";", "$", "@", "Len"),
    *(
        "Blank()",
        "\ufeff",
        "and",
        "==",
        "\u202e",
        "\x7f",
        "\x1b[31m",
        "\r",
        "''",
        '""',
        "\ud800",
        "\uff11",
        "\ufb01",
    ),
    *("job.x", "job.ascii", "1e308", "1E+", "0x1F", "{{", "${7*7}", "%s", "\\", "`", "--[[", "os.exit()"),
]
LABELS = [f"{record}.{key}" for record in RECORDS for key in LONG if key.isalpha()]
NUMBERS = [
    *("0", "1e308", "1e309", "1e-400", "1e", "1.e5", "1e99999999", "00"),
    *("9" * 400, "0." + "0" * 400 + "1"),
]
OPENERS = [
    *(
        "(",
        "Not(",
        "If(true,",
        "Switch(1,",
        "IfError(1/0,",
        "Coalesce(Blank(),",
        "Text(Value(",
        "Sum(",
        "Min(1,",
    ),
    *("-", "!", "Not ", "1^", "1+(", "1 in (", '""&(', "job.", "f(", "'", '"', "/*", "[", "{"),
]
RELATIONS = [" in ", " exactin ", "<", ">=", "="]
NAMES = [name for name in FUNCTIONS if name != "Blank"]
Chance = random.Random
Maker = Callable[[Chance], str]


def sources(chance: Chance) -> Iterator[str]:
    """Texts without end, of all kinds in turn; none is longer than an expression may be by more than one."""
    valid = (source_of(tree, chance) for tree in trees(chance))
    while True:
        yield next(valid)
        yield _mutated(next(valid), chance)
        for make in MAKERS:
            yield make(chance)[: MAX_LENGTH + 1]


def _filled(begin: str, part: Callable[[], str], between: str, end: str, most: int) -> str:
    """Parts until the text is as long as it may be, or there are enough of them."""
    parts, size = [], len(begin) + len(end)
    while len(parts) < most:
        text = part()
        size += len(text) + len(between)
        if size > MAX_LENGTH:
            break
        parts.append(text)
    return begin + between.join(parts) + end


def _mutated(source: str, chance: Chance) -> str:
    """Nearly what it was: pieces put in, left out, doubled or exchanged."""
    text = source
    for _ in range(chance.randint(1, 4)):
        at, to = sorted(chance.randint(0, len(text)) for _ in range(2))
        to = min(to, at + 8)
        piece = chance.choice([chance.choice(PIECES), "", text[at:to] * 2, text[at:to].swapcase()])
        text = text[:at] + piece + text[to if chance.random() < 0.7 else at :]
    return text


def _soup(chance: Chance) -> str:
    return "".join(chance.choices(PIECES, k=chance.choice([3, 10, 40, 1500])))


def _noise(chance: Chance) -> str:
    top = chance.choice([32, 127, 0x250, 0x3000, 0x10FFFF])
    return "".join(chr(chance.randint(0, top)) for _ in range(chance.choice([1, 10, 300, MAX_LENGTH])))


def _nested(chance: Chance) -> str:
    depth = chance.choice([5, 15, 31, 32, 33, 200, 2000])
    kinds = chance.choices(OPENERS, k=chance.choice([1, 1, 2, 5]))
    opened = [chance.choice(kinds) for _ in range(depth)]
    closers = ")" * sum(text.count("(") for text in opened[: MAX_LENGTH // 8])
    return "".join(opened)[: MAX_LENGTH - len(closers)] + chance.choice(["1", "", "job.x"]) + closers


def _row(chance: Chance) -> str:
    """One operator, or a few, all along."""
    signs = chance.choices([*INFIX, "^", "%", "==", "~"], k=chance.choice([1, 1, 3]))
    operands = chance.choices(
        [*LABELS, *NUMBERS[:4], '"1"', "1", "(1)", "((1))", "true"], k=chance.choice([1, 2, 9])
    )
    return _filled(
        chance.choice(operands),
        lambda: f" {chance.choice(signs)} {chance.choice(operands)}",
        "",
        chance.choice(["", "", "#", ")", "=="]),
        chance.choice([20, 166, 249, 250, 2000]),
    )


def _wide(chance: Chance) -> str:
    """A function of as many arguments as there is room for."""
    name = chance.choice([*NAMES, "If", "Switch", "Sum", "Coalesce", "And", "Iff"])
    labels = [f"job.a{chance.randint(0, 999)}" for _ in range(200)]
    operands = chance.choices(
        [*LABELS, *labels, *NUMBERS, '"a"', "1", "((1))", "-1", "Len(job.two)", "false", "1=2", "Blank()"],
        k=chance.choice([1, 2, 30]),
    )
    most = chance.choice([10, 124, 248, 499, 2000])
    return _filled(f"{name}(", lambda: chance.choice(operands), ",", chance.choice([")", ")", ""]), most)


def _long_token(chance: Chance) -> str:
    mark = chance.choice(
        ["a", "_", "9", '"', "'", "é", "job.a", "1.", "e", "\n", " ", "//", "/**/", '""', "''", "0e"]
    )
    text = mark * (MAX_LENGTH // len(mark) - chance.randint(0, 20))
    return (
        chance.choice(["", "1 + ", '"', "'", "job.", "Len(", "/*"])
        + text
        + chance.choice(["", "#", " + #", '"', "'"])
    )


def _work(chance: Chance) -> str:
    """An expression that works on as much text, and as many numbers, as it can."""
    kinds = [
        lambda: f"Text({chance.choice(['job.tiny', 'job.third', 'job.great', '1e-300', '0.1'])})",
        lambda: f"Value({chance.choice(['job.digits', 'job.number'])})",
        lambda: f"{chance.choice(['Lower', 'Upper', 'Trim', 'Len'])}({chance.choice(LABELS)})",
        lambda: f"{chance.choice(['Left', 'Right'])}({chance.choice(LABELS)}, {chance.choice([0, 1, 1000])})",
        lambda: f"Mid({chance.choice(LABELS)}, {chance.choice([1, 900])}, {chance.choice([1, 1000])})",
        lambda: f"({chance.choice(LABELS)}{chance.choice(RELATIONS)}{chance.choice(LABELS)})",
        lambda: (
            f"IfError({chance.choice(['1/0', 'Value(job.ascii)', 'Left(1,-1)'])}, {chance.choice(LABELS)})"
        ),
        lambda: f"Round({chance.choice(['job.third', '1e20', 'job.great'])}, {chance.choice([15, -15, 3])})",
        lambda: (
            f"{chance.choice(['StartsWith', 'EndsWith'])}({chance.choice(LABELS)}, {chance.choice(LABELS)})"
        ),
        lambda: (
            f"({chance.choice(['job.third', '2', '0.999'])} ^ {chance.choice(['1e9', '0.5', 'job.tiny'])})"
        ),
        lambda: f"Mod({chance.choice(['1e308', '1e15'])}, {chance.choice(['3e-308', '0.7'])})",
    ]
    some = chance.choices(kinds, k=chance.choice([1, 1, 2, 4]))
    begin, between, end = chance.choice(
        [("", " & ", ""), ("Or(false=", ",false=", ")"), ("Coalesce(", ",", ")")]
    )
    part = chance.choice([lambda: chance.choice(some)(), (lambda text: lambda: text)(some[0]())])
    return _filled(
        begin, lambda: f"IfError({part()},1)" if chance.random() < 0.1 else part(), between, end, 400
    )


MAKERS: tuple[Maker, ...] = (_soup, _noise, _nested, _row, _wide, _long_token, _work)
