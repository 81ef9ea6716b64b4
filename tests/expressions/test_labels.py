"""Expressions over labels, whose values have no type that is known before."""

from __future__ import annotations

import pytest

from tests.expressions.evaluator import CONDITION, NUMBER, TEXT, Evaluator, Value
from tests.expressions.test_language import same

JOB = {
    "Region": "NA",
    "Escalated": True,
    "Closed": False,
    "Priority": 7,
    "Cost": 2.5,
    "Empty": "",
    "Number": "12",
    "Name": "Zoë Ångström",
    "my-key": 1,
    "it's": 2,
    'with "quotes" and \\': 3,
    "ключ": 4,
    "two\nlines": 5,
}

CASES: list[tuple[str, Value]] = [
    # the examples of the documentation
    ("If(job.Escalated = true, 10, 5)", 10),
    ('job.Region = "NA"', True),
    ('If(job.Region = "EMEA", true, false)', False),
    # names
    ("job.'my-key'", 1),
    ("job.'it''s'", 2),
    ("job.'with \"quotes\" and \\'", 3),
    ("job.ключ", 4),
    ("job.'two\nlines'", 5),
    ("'job'.'Priority' + job . Cost", 9.5),
    ("job.region", None),
    # a label that is not there is blank
    ("job.Missing", None),
    ("job.Missing = Blank()", True),
    ("job.Missing = false", False),
    ('job.Missing = ""', False),
    ("job.Missing <> 0", True),
    ("job.Missing + 1", 1),
    ("job.Missing < 1", True),
    ("job.Missing >= 0", True),
    ('"<" & job.Missing & ">"', "<>"),
    ("If(job.Missing, 1, 2)", 2),
    ("Coalesce(job.Missing, job.Empty, 3)", 3),
    ("IsBlank(job.Missing)", True),
    ("IsBlank(job.Empty)", True),
    ("IsBlank(job.Closed)", False),
    ("worker.Any", None),
    ("queue.Any = job.Missing", True),
    # values of different types are unequal, and none is less than the other
    ('job.Priority = "7"', False),
    ('job.Priority <> "7"', True),
    ('job.Priority < "8"', False),
    ('job.Priority >= "7"', False),
    ("job.Escalated = 1", False),
    ("job.Escalated <> 1", True),
    ("job.Escalated >= 1", False),
    ('job.Escalated = "true"', False),
    ("job.Region > job.Missing", False),
    ("job.Region < job.Missing", False),
    ("job.Escalated > job.Closed", False),
    ("job.Escalated >= job.Escalated", False),
    # texts are in the order of their characters
    ('job.Region < "NB"', True),
    ('job.Region <= "NA"', True),
    ('job.Region > "N"', True),
    ('job.Region >= "na"', False),
    ('"ä" > "z"', True),
    # what is used as something else becomes that, or fails
    ("job.Number + 1", 13),
    ("job.Empty + 1", 1),
    ("job.Region + 1", NUMBER),
    ("job.Escalated + 1", 2),
    ("If(job.Priority, 1, 2)", 1),
    ("If(job.Region, 1, 2)", CONDITION),
    ("If(job.Empty, 1, 2)", 2),
    ("IfError(job.Region + 1, job.Cost)", 2.5),
    ("Max(job.Priority, job.Cost, job.Missing, job.Number)", 12),
    # a result that a label gives keeps its type
    ('If(false, "text", job.Priority)', 7),
    ("If(true, job.Region, 5)", "NA"),
    ('Switch(job.Region, "EMEA", 1, "NA", job.Escalated)', True),
    ('Switch(job.Priority, "7", 1, 7, 2)', 2),
    # characters, not bytes
    ("Len(job.Name)", 12),
    ("Left(job.Name, 5)", "Zoë Å"),
    ("Right(job.Name, 8)", "Ångström"),
    ("Right(job.Name, 20)", "Zoë Ångström"),
    ("Mid(job.Name, 3, 3)", "ë Å"),
    ("Mid(job.Name, 13)", ""),
    ('Len("a😀b")', 3),
    ('Mid("a😀b", 2, 1)', "😀"),
    ("Upper(job.Name)", "ZOË ÅNGSTRÖM"),
    ('"ZOË" in job.Name', True),
    ('"ZOË" exactin job.Name', False),
    ('StartsWith(job.Name, "ZOË å")', True),
    ('EndsWith(job.Name, "STRÖM")', True),
    ("job.Name = Lower(job.Name)", False),
]


@pytest.mark.parametrize(("source", "value"), CASES)
def test_labels(evaluate: Evaluator, source: str, value: Value) -> None:
    assert same(evaluate(source, job=JOB), value)


def test_the_three_records(evaluate: Evaluator) -> None:
    source = 'job.A & worker.A & queue.A & If(worker.HandleEscalation = true, "!", "?")'
    labels = {"job": {"A": 1}, "worker": {"A": 2, "HandleEscalation": True}, "queue": {"A": 3}}
    assert evaluate(source, **labels) == "123!"


def test_upper_and_lower_case_of_alphabets(evaluate: Evaluator) -> None:
    letters = [chr(code) for code in range(0xC0, 0x590)]
    pairs = [
        (letter, letter.lower())
        for letter in letters
        if letter.lower() != letter and letter.lower().upper() == letter and len(letter.lower().encode()) == 2
    ]
    # alphabets of few: Latin Extended-B, archaic Greek and Coptic
    pairs = [pair for pair in pairs if not (0x180 <= ord(pair[0]) < 0x250 or 0x370 <= ord(pair[0]) < 0x386)]
    pairs = [pair for pair in pairs if not 0x3CF <= ord(pair[0]) < 0x400]
    upper = "".join(letter for letter, _ in pairs)
    lower = "".join(letter for _, letter in pairs)
    assert len(pairs) > 200
    assert evaluate("Lower(job.T)", job={"T": upper}) == lower
    assert evaluate("Upper(job.T)", job={"T": lower}) == upper
    assert evaluate('Upper("ς")') == "Σ"


def test_texts_are_bounded(evaluate: Evaluator) -> None:
    labels = {"T": "x" * 1000}
    assert evaluate("Len(" + "&".join(["job.T"] * 10) + ")", job=labels) == 10_000
    assert evaluate("Len(" + "&".join(["job.T"] * 40) + ")", job=labels) == TEXT
    assert evaluate("IfError(Len(" + "&".join(["job.T"] * 40) + "), -1)", job=labels) == -1
    worst = {"A": "a" * 1000, "B": "a" * 500 + "b"}
    search = " || ".join(["job.B exactin job.A"] * 5)
    assert evaluate(search, job=worst) == TEXT
    # the next evaluation begins anew
    assert evaluate("job.B exactin job.A", job=worst) is False


def test_a_large_expression(evaluate: Evaluator) -> None:
    assert evaluate("+".join(["1"] * 250)) == 250
    assert (
        evaluate("Switch(job.N" + "".join(f",{n},{2 * n}" for n in range(240)) + ")", job={"N": 239}) == 478
    )
    assert evaluate("IfError(" * 15 + "1/0" + ",1/0)" * 14 + ",9)") == 9
