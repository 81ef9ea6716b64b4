"""What the compiler makes of source texts: trees, the labels they read, and errors with their places."""

from __future__ import annotations

import itertools
import random

import msgspec
import pytest

from engine.expressions import BadExpression, compile_expression
from engine.expressions.compiler import MAX_LENGTH
from engine.expressions.nodes import MAX_DEPTH, MAX_NODES
from tests.expressions.hostile import sources

TREES = [
    ("1", 1),
    ("1.50", 1.5),
    ("1e22", 1e22),
    ('"a""b"', 'a"b'),
    ("true", True),
    ("Blank()", ["Blank"]),
    ("job.Region", [".", "job", '"Region"']),
    ("worker.'a''\"é'", [".", "worker", '"a\'\\"é"']),
    ("If(job.A = true, 10, 5)", ["If", ["=", [".", "job", '"A"'], True], 10, 5]),
    # as the language binds its operators
    ("-2 ^ 2", ["-", ["^", 2, 2]]),
    ("2 ^ -3 ^ 2", ["^", 2, ["-", ["^", 3, 2]]]),
    ("2 ^ 3%", ["^", 2, ["%", 3]]),
    ("-5%", ["-", ["%", 5]]),
    ("!job.A = 1", ["=", ["Not", [".", "job", '"A"']], 1]),
    ("Not job.A = 1", ["=", ["Not", [".", "job", '"A"']], 1]),
    ("Not(job.A) ^ 2", ["^", ["Not", [".", "job", '"A"']], 2]),
    ("Not (job.A) ^ 2", ["Not", ["^", [".", "job", '"A"'], 2]]),
    ("1 in 2 = 3", ["in", 1, ["=", 2, 3]]),
    ("1 & 2 = 3 & 4", ["=", ["&", 1, 2], ["&", 3, 4]]),
    ("1 & 2 + 3", ["&", 1, ["+", 2, 3]]),
    ("1 = 2 && 3 in 4 || 5", ["Or", ["And", ["=", 1, 2], ["in", 3, 4]], 5]),
    ("1 = 2 = 3", ["=", ["=", 1, 2], 3]),
    ("6 / 3 / 2", ["/", ["/", 6, 3], 2]),
    # chains of one operator are flat
    ("1 + 2 - 3 + 4", ["+", 1, 2, ["-", 3], 4]),
    ("1 * 2 * 3", ["*", 1, 2, 3]),
    ("1 && 2 And 3", ["And", 1, 2, 3]),
    ("1 || 2 Or 3", ["Or", 1, 2, 3]),
    # results become of the type of the first
    ('If(true, "a", 1)', ["If", True, "a", ["Text", 1]]),
    ('If(true, 1, "2")', ["If", True, 1, ["Value", "2"]]),
    ("If(true, false, 1)", ["If", True, False, ["Boolean", 1]]),
    ('If(true, Blank(), 1, 2, "3")', ["If", True, ["Blank"], 1, 2, ["Value", "3"]]),
    ('If(true, job.A, 1, 2, "3")', ["If", True, [".", "job", '"A"'], 1, 2, "3"]),
    ('Switch(1, 2, 3, 4, "5", true)', ["Switch", 1, 2, 3, 4, ["Value", "5"], ["Value", True]]),
    ('IfError(1, "2")', ["IfError", 1, ["Value", "2"]]),
    ('IfError(1, 2, "3")', ["IfError", 1, ["Text", 2], "3"]),
    ('Coalesce(If(false, "a"), 1)', ["Coalesce", ["If", False, "a"], ["Text", 1]]),
    # white space and comments
    (" 1\t+\n2 // three\n", ["+", 1, 2]),
    ("/* one\n * two */ 1 /**/ + /* / */ 2", ["+", 1, 2]),
    ("true And(false)", ["And", True, False]),
]


@pytest.mark.parametrize(("source", "tree"), TREES)
def test_trees(source: str, tree: object) -> None:
    assert msgspec.json.decode(compile_expression(source).text) == tree


def test_the_labels_it_reads() -> None:
    compiled = compile_expression("If(job.A = job.B, worker.'Id', queue.x + job.A)")
    assert compiled.reads == {"job": {"A", "B"}, "worker": {"Id"}, "queue": {"x"}}
    assert compile_expression("1").reads == {"job": set(), "worker": set(), "queue": set()}


ERRORS = [
    ("", 1, 1, "empty"),
    (" \n // nothing", 2, 12, "ends too early"),
    ("1 +", 1, 4, "ends too early"),
    ("1 +\n(2", 2, 3, "ends too early"),
    ("If(true,", 1, 9, "ends too early"),
    ("1)", 1, 2, "')' cannot stand here"),
    ("1 2", 1, 3, "'2' cannot stand here"),
    ("If(,1)", 1, 4, "',' cannot stand here"),
    ("1 + #", 1, 5, "'#' cannot stand here"),
    ("1 +\n  * 2", 2, 3, "'*' cannot stand here"),
    ('Len("abc)', 1, 5, "The text has no closing quote."),
    ("job.'abc", 1, 5, "The name has no closing quote."),
    ("job.A == 1", 1, 8, "Equality is written '='."),
    ("job.A != 1", 1, 7, "Inequality is written '<>'."),
    ("1; 2", 1, 2, "no chains"),
    ("[1]", 1, 1, "no records and tables"),
    ("{a: 1}", 1, 1, "no records and tables"),
    ("job.A.B", 1, 6, "A label is a single value"),
    ("job", 1, 1, "as in job.Region"),
    ("1 + worker", 1, 5, "as in worker.Region"),
    ("'NA' = 1", 1, 1, "a text stands in double quotes"),
    ("Len", 1, 1, "Len is a function"),
    ("Region = 1", 1, 1, "There is no 'Region' here. A label is job.Region, a text \"Region\"."),
    ("jbo", 1, 1, "There is no 'jbo' here. Did you mean 'job'?"),
    ("1e400", 1, 1, "too large"),
    ("Foo(1)", 1, 1, "There is no function 'Foo'. There are Abs, And"),
    ("tenant.A", 1, 1, "There is no record 'tenant'. There are job, worker, queue."),
    ("return 1", 1, 8, "'1' cannot stand here"),
    # a slip of the shift key, or of a finger
    ("if(true, 1)", 1, 1, "There is no function 'if'. Did you mean 'If'?"),
    ("1 +\n UPPER(1)", 2, 2, "Did you mean 'Upper'?"),
    ("Uper(1)", 1, 1, "Did you mean 'Upper'?"),
    ("Job.A", 1, 1, "There is no record 'Job'. Did you mean 'job'?"),
    ("True", 1, 1, "Did you mean 'true'?"),
    ("true and false", 1, 6, "Did you mean 'And'?"),
    ("true OR false", 1, 6, "Did you mean 'Or'?"),
    ("not true", 1, 5, "Did you mean 'Not'?"),
    ("1 In 2", 1, 3, "Did you mean 'in'?"),
    # numbers of arguments
    ("1 + Blank(1)", 1, 5, "Blank takes no arguments, not 1."),
    ("Len()", 1, 1, "Len takes 1 argument, not none."),
    ('Left("a")', 1, 1, "Left takes 2 arguments, not 1."),
    ('Mid("a")', 1, 1, "Mid takes 2 or 3 arguments, not 1."),
    ("If(true)", 1, 1, "If takes at least 2 arguments, not 1."),
    ("Sum()", 1, 1, "Sum takes at least 1 argument, not none."),
    ('Text(1, "0.0")', 1, 1, "Text takes 1 argument, not 2."),
    # limits
    ("1" * (MAX_LENGTH + 1), 1, 1, "too long: at most 4096 characters"),
    ("+".join(["1"] * 251), 1, 500, "too large: at most 500"),
    ("Sum(" + ",".join(["1"] * 501) + ")", 1, 1005, "too large: at most 500"),
    ("Sum(" + ",".join(["1"] * 500) + ")", 1, 1, "too large: at most 500"),
    ("+".join(["(1)"] * 168), 1, 669, "too large: at most 500"),
    ("If(true," * MAX_DEPTH + "1" + ")" * MAX_DEPTH, 1, 31 * 8 + 3, "nested too deeply: at most 32"),
    ("-" * MAX_DEPTH + "1", 1, 32, "nested too deeply"),
    ("(" * MAX_DEPTH + "1" + ")" * MAX_DEPTH, 1, 32, "nested too deeply"),
    ("1^" * MAX_DEPTH + "1", 1, 64, "nested too deeply"),
    ("=".join(["1"] * (MAX_DEPTH + 1)), 1, 64, "nested too deeply"),
    ('"\ud800"', 1, 2, "Half a character cannot stand here."),
]


@pytest.mark.parametrize(("source", "line", "column", "text"), ERRORS)
def test_errors_name_their_place(source: str, line: int, column: int, text: str) -> None:
    with pytest.raises(BadExpression) as caught:
        compile_expression(source)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert text in caught.value.text
    assert str(caught.value) == f"line {line}, column {column}: {caught.value.text}"


def test_what_is_just_small_enough() -> None:
    compile_expression("+".join(["1"] * 250))
    compile_expression("Sum(" + ",".join(["1"] * (MAX_NODES - 1)) + ")")
    compile_expression("-" * (MAX_DEPTH - 1) + "1")
    compile_expression("(" * (MAX_DEPTH - 1) + "1" + ")" * (MAX_DEPTH - 1))
    compile_expression("+".join(["Blank()"] * (MAX_DEPTH + 1)))
    compile_expression("1" + " " * (MAX_LENGTH - 1))


def place_of_error(source: str) -> tuple[int, int] | None:
    """Line and column of what is wrong; None when it compiles."""
    try:
        compiled = compile_expression(source)
    except BadExpression as error:
        return error.line, error.column
    msgspec.json.decode(compiled.text)
    return None


@pytest.mark.parametrize("seed", range(4))
def test_any_text_is_an_expression_or_an_error(seed: int) -> None:
    for source in itertools.islice(sources(random.Random(seed)), 1000):
        place = place_of_error(source)
        if place:
            lines = source.split("\n")
            assert 1 <= place[0] <= len(lines), source
            assert 1 <= place[1] <= len(lines[place[0] - 1]) + 1, source
