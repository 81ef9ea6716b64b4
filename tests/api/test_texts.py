"""Canonical texts of documents, times, and the folding of names."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from msgspec import UNSET

from api.errors import BadRequest
from api.merge_patch import merge
from api.wire.folding import words
from api.wire.jobs import JobBody
from api.wire.reading import explain, read
from api.wire.values import http_date, milliseconds, timestamp
from engine import model

LABELS: list[dict[str, model.Scalar]] = [
    {},
    {"a": 1},
    {
        "b": 1.0,
        "a": 'x\n\t"\\/',
        "é\n": True,
        "": False,
        "z": 1e300,
        "y": 12345678901234567890,
        "\x7f": "\u2028😀",
    },
]


@pytest.mark.parametrize("labels", LABELS)
def test_members_round_trip(labels: dict[str, model.Scalar]) -> None:
    text = model.members_text(labels)
    assert model.members(text) == labels
    assert [repr(value) for value in model.members(text).values()] == [
        repr(labels[key]) for key in sorted(labels)
    ]
    assert text.count("\n") == max(0, len(labels) - 1)
    assert model.members_text(dict(reversed(labels.items()))) == text


def test_number_text_is_kept() -> None:
    assert (
        model.members_text({"a": 1, "b": 1.0, "c": -0.0, "d": 1e22})
        == '"a":1,\n"b":1.0,\n"c":-0.0,\n"d":1e22'
    )


@pytest.mark.parametrize("strings", [[], ["a"], ["b", "a", "é\n\t", ""]])
def test_strings_round_trip(strings: list[str]) -> None:
    assert model.strings(model.strings_text(strings)) == strings


def test_strings_are_there_once() -> None:
    assert model.strings_text(["b", "a", "b"]) == '"b"\n"a"'


def test_channels_round_trip() -> None:
    channels = [model.Channel("a\tb", 0), model.Channel("é", 5, 2)]
    assert model.channels_text(channels) == '"a\\tb"\t0\t\n"é"\t5\t2'
    assert model.channels(model.channels_text(channels)) == channels
    assert model.channels("") == []


def test_selectors_round_trip() -> None:
    selectors = [model.Selector("k\t", ">=", '"a\\tb"', "1.5", True, 7), model.Selector("k", "!=")]
    text = model.selectors_text(selectors)
    assert text == '"k\\t"\t>=\t"a\\tb"\t1.5\t1\t7\n"k"\t!=\t\t\t0\t'
    assert model.selectors(text) == selectors
    assert model.undated_selectors(text) == '"k\\t"\t>=\t"a\\tb"\t1.5\t1\t\n"k"\t!=\t\t\t0\t'
    assert model.selectors("") == []
    assert model.undated_selectors("") == ""


@pytest.mark.parametrize(
    ("selector", "enqueued_at", "expires_at"),
    [
        (model.Selector("k", "="), 1000, None),
        (model.Selector("k", "=", "", "1.5"), None, None),
        (model.Selector("k", "=", "", "1.5"), 1000, 2500),
        (model.Selector("k", "=", "", "0.0005"), 1000, 1001),
        (model.Selector("k", "=", "", "2", False, 5000), 1000, 7000),
    ],
)
def test_selector_expiry(selector: model.Selector, enqueued_at: int | None, expires_at: int | None) -> None:
    assert selector.expires_at(enqueued_at) == expires_at


def test_notes_are_oldest_first_and_new_ones_last() -> None:
    notes = [model.Note("new"), model.Note("b", 2), model.Note("a\n", 1), model.Note("newer")]
    text = model.notes_text(notes)
    assert text == '"a\\n"\t1\n"b"\t2\n"new"\t\n"newer"\t'
    assert [note.message for note in model.notes(text)] == ["a\n", "b", "new", "newer"]
    assert model.notes("") == []


def test_records_ignore_what_they_do_not_know() -> None:
    job = model.JobRecord.parse(
        {"id": "1", "status": "closed", "doc": 2, "priority": "-5", "x:y": "1", "offers": "z"}
    )
    assert (job.id, job.doc, job.priority, job.finished) == ("1", 2, -5, True)


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "1970-01-01T00:00:00+00:00"),
        (1699046816854, "2023-11-03T21:26:56.854+00:00"),
        (1699046816850, "2023-11-03T21:26:56.85+00:00"),
        (1699046816800, "2023-11-03T21:26:56.8+00:00"),
        (1699046816000, "2023-11-03T21:26:56+00:00"),
        (1699046816004, "2023-11-03T21:26:56.004+00:00"),
        (4102444800000, "2100-01-01T00:00:00+00:00"),
    ],
)
def test_timestamps(ms: int, text: str) -> None:
    assert timestamp(ms) == text
    assert milliseconds(datetime.datetime.fromisoformat(text)) == max(1, ms)


def test_no_time() -> None:
    assert milliseconds(UNSET) == 0
    assert milliseconds(datetime.datetime(1, 1, 1, tzinfo=datetime.UTC)) == 0


def test_http_date() -> None:
    assert http_date(1700006712) == "Wed, 15 Nov 2023 00:05:12 GMT"


@pytest.mark.parametrize(
    ("given", "folded"),
    [
        ("longestIdle", "longestIdle"),
        ("LONGESTIDLE", "longestIdle"),
        ("longest-idle", "longestIdle"),
        ("Longest-Idle", "longestIdle"),
        ("other", "other"),
        (5, 5),
        (None, None),
        (["x"], ["x"]),
    ],
)
def test_words(given: Any, folded: Any) -> None:
    assert words(["longestIdle", "roundRobin"])(given) == folded


def test_former_words_count_only_where_their_kind_is_one() -> None:
    assert words(["static", "function"])("azure-function-rule") == "function"
    assert words(["static"])("azure-function-rule") == "azure-function-rule"


@pytest.mark.parametrize(
    ("target", "patch", "merged"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patch(target: Any, patch: Any, merged: Any) -> None:
    before = repr((target, patch))
    assert merge(target, patch) == merged
    assert repr((target, patch)) == before


@pytest.mark.parametrize(
    ("text", "explained"),
    [
        ("Expected `int`, got `str` - at `$.a`", "The property 'a' is not valid: expected int, got str."),
        ("Object missing required field `b` - at `$.a[0]`", "The property 'a[0].b' is required."),
        ("Object missing required field `b`", "The property 'b' is required."),
        ("Expected `object`, got `array`", "The body is not valid: expected object, got array."),
    ],
)
def test_explanations(text: str, explained: str) -> None:
    assert explain(text, {}, JobBody) == explained


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        (
            {"a": 1, "b c": []},
            "'labels[\"b c\"]' is not valid: expected bool | int | float | str, got array.",
        ),
        ({"a": 1, "b": "x" * 1025}, "'labels[\"b\"]' is not valid: expected str of length <= 1024."),
        ({"k" * 41: None}, f"'labels[\"{'k' * 40}…\"]' is not valid: "),
        ({"": 1}, "'key in labels' is not valid: expected str of length >= 1."),
    ],
)
def test_label_that_does_not_fit_is_named(labels: dict[str, Any], text: str) -> None:
    with pytest.raises(BadRequest) as caught:
        read({"channelId": "c", "labels": labels}, JobBody)
    assert text in caught.value.message
