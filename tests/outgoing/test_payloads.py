"""What rules are told and what scoring rules answer."""

from __future__ import annotations

from typing import Any

import pytest

from engine import model
from engine.outgoing.payloads import (
    batch_payload,
    labels_object,
    rule_payload,
    scoring_payload,
    selectors_array,
)
from engine.outgoing.scores import batch_scores, score

JOB = labels_object(model.members_text({"Region": "NA", "big": 12345678901234567890, "x": 1.0, 'a"\n': True}))


def test_labels_are_written_as_they_are_stored() -> None:
    assert JOB == b'{"Region":"NA","a\\"\\n":true,"big":12345678901234567890,"x":1.0}'
    assert labels_object('"a":1e400,\n"b":1') == b'{"a":1e400,"b":1}'
    assert labels_object("") == b"{}"
    assert labels_object("", 'w"1') == b'{"Id":"w\\"1"}'
    assert labels_object('"a":1', "w1") == b'{"a":1,"Id":"w1"}'


def test_what_a_rule_is_told() -> None:
    assert rule_payload(b"{}") == b'{"job":{}}'
    queue, worker = labels_object("", "q"), labels_object("", "w")
    assert (
        rule_payload(JOB, queue=queue, worker=worker)
        == b'{"job":' + JOB + b',"queue":{"Id":"q"},"worker":{"Id":"w"}}'
    )


def test_selectors_are_told_with_the_words_of_scoring() -> None:
    text = model.selectors_text(
        [
            model.Selector("English", ">=", "12345678901234567890", "30.5", expedite=True, added=5),
            model.Selector("ChatSupport", "=", "true"),
            model.Selector("a", "!=", '"b"'),
            model.Selector("b", "<", "1"),
            model.Selector("c", "<=", "1"),
            model.Selector("d", ">"),
        ]
    )
    assert selectors_array(text) == (
        b'[{"key":"English","operator":"GreaterThanEqual","value":12345678901234567890,'
        b'"expiresAfterSeconds":30.5},'
        b'{"key":"ChatSupport","operator":"Equal","value":true},'
        b'{"key":"a","operator":"NotEqual","value":"b"},'
        b'{"key":"b","operator":"LessThan","value":1},'
        b'{"key":"c","operator":"LessThanEqual","value":1},'
        b'{"key":"d","operator":"GreaterThan"}]'
    )
    assert selectors_array("") == b"[]"


def test_what_a_scoring_rule_is_told_about_one_worker() -> None:
    worker = labels_object('"English":7', "w1")
    assert (
        scoring_payload(worker, job=b'{"a":1}', selectors=b"[]")
        == b'{"job":{"a":1},"selectors":[],"worker":{"English":7,"Id":"w1"}}'
    )
    assert scoring_payload(worker, job=None, selectors=b"[]") == b'{"selectors":[],"worker":' + worker + b"}"
    assert scoring_payload(worker, job=b"{}", selectors=None) == b'{"job":{},"worker":' + worker + b"}"


def test_what_a_scoring_rule_is_told_about_several_workers() -> None:
    workers = [labels_object("", "w1"), labels_object('"a":1', "w2")]
    assert (
        batch_payload(workers, job=b'{"a":1}', selectors=b"[]")
        == b'{"job":{"a":1},"selectors":[],"workers":[{"Id":"w1"},{"a":1,"Id":"w2"}]}'
    )
    assert batch_payload([], job=None, selectors=None) == b'{"workers":[]}'


@pytest.mark.parametrize(
    ("answer", "number"),
    [
        (5, 5.0),
        (-1.5, -1.5),
        (0, 0.0),
        (True, None),
        (None, None),
        ("5", None),
        ({}, None),
        ([5], None),
        (10**400, None),
    ],
)
def test_the_score_of_one_worker(answer: Any, number: float | None) -> None:
    assert score(answer) == number


@pytest.mark.parametrize(
    ("answer", "scores"),
    [
        ({"w1": 5, "w2": 1.5}, {"w1": 5.0, "w2": 1.5}),
        ({"w2": 1, "stranger": 9}, {"w2": 1.0}),
        ({"w1": None, "w2": "5"}, {}),
        ([5, 6], {}),
        (7, {}),
        (None, {}),
    ],
)
def test_the_scores_of_several_workers(answer: Any, scores: dict[str, float]) -> None:
    assert batch_scores(answer, ["w1", "w2"]) == scores
