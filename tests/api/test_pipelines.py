"""Classification policies on their way from the wire to the router: what is cut out of them and refused."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from engine.commands import PolicyUpsert
from engine.expressions import compile_expression

PATH = "/routing/classificationPolicies/x"
STATIC = {"kind": "static", "value": True}
EXPRESSION = {"kind": "expression", "expression": 'If(job.A = "x", 10, 5)'}


@pytest.fixture
def pipeline_of(client: Any, store: Any) -> Any:
    """Sends a policy and gives the pipeline that the router gets."""
    store.on(
        PolicyUpsert, lambda command: {"outcome": "created", "op": 1, "id": "x", "document": command.document}
    )

    def send(**body: Any) -> Any:
        response = client("PATCH", PATH, body)
        assert response.status == 201, response.body
        text = store.commands[-1].pipeline
        return json.loads(text) if text else None

    return send


def test_nothing_to_find(pipeline_of: Any) -> None:
    assert pipeline_of(name="n", fallbackQueueId="q") is None


@pytest.mark.parametrize(
    ("rule", "cut"),
    [
        ({"kind": "static", "value": 1.0}, {"kind": "value", "text": "1.0"}),
        ({"kind": "static", "value": {"b": [1], "a": 0}}, {"kind": "value", "text": '{"a":0,"b":[1]}'}),
        ({"kind": "static"}, {"kind": "value", "text": "null"}),
        ({"kind": "static-rule", "value": "é\n"}, {"kind": "value", "text": '"é\\n"'}),
        ({"kind": "directMap"}, {"kind": "labels"}),
        (EXPRESSION, {"kind": "expression", "text": compile_expression('If(job.A = "x", 10, 5)').text}),
        (
            {
                "kind": "function",
                "functionUri": "https://f/",
                "credential": {"appKey": "hidden", "clientId": "me"},
            },
            {"kind": "function", "text": '{"url":"https://f/","client_id":"me"}'},
        ),
        (
            {"kind": "webhook", "webhookUri": "https://w/"},
            {"kind": "webhook", "text": '{"url":"https://w/"}'},
        ),
        (
            {
                "kind": "webhook",
                "webhookUri": "https://w/",
                "authorizationServerUri": "https://a/",
                "clientCredential": {"clientId": "me", "clientSecret": "hidden"},
            },
            {
                "kind": "webhook",
                "text": '{"url":"https://w/","client_id":"me","authorization":"https://a/"}',
            },
        ),
    ],
)
def test_rules(pipeline_of: Any, rule: dict[str, Any], cut: dict[str, str]) -> None:
    assert pipeline_of(prioritizationRule=rule) == {"priority": cut}


def test_attachments_of_workers(pipeline_of: Any) -> None:
    given = {"key": "k", "labelOperator": "lessThan", "value": 5, "expiresAfterSeconds": 2, "expedite": True}
    line, plain = '"k"\t<\t5\t2\t1\t', {"key": "p", "labelOperator": "equal", "value": [1]}
    cut = pipeline_of(
        workerSelectorAttachments=[
            {"kind": "static", "workerSelector": given},
            {"kind": "conditional", "condition": STATIC, "workerSelectors": [given, plain]},
            {"kind": "passThrough", "key": 'a"b', "labelOperator": "notEqual", "expiresAfterSeconds": 0.5},
            {"kind": "ruleEngine", "rule": {"kind": "static", "value": [{**given, "KEY": "x"}, plain]}},
            {"kind": "ruleEngine", "rule": {"kind": "directMap"}},
            {
                "kind": "weightedAllocation",
                "allocations": [
                    {"weight": 0.3, "workerSelectors": []},
                    {"weight": 1, "workerSelectors": [given]},
                ],
            },
        ]
    )
    assert cut == {
        "workers": [
            {"kind": "always", "selectors": line},
            {
                "kind": "when",
                "rule": {"kind": "value", "text": "true"},
                "selectors": f'{line}\n"p"\t=\t[1]\t\t0\t',
            },
            {"kind": "label", "key": '"a\\"b"', "operator": "!=", "seconds": "0.5"},
            {"kind": "always", "selectors": f'{line.replace("k", "x")}\n"p"\t=\t[1]\t\t0\t'},
            {"kind": "answer", "rule": {"kind": "labels"}},
            {
                "kind": "draw",
                "shares": [{"weight": 0.3, "selectors": ""}, {"weight": 1, "selectors": line}],
            },
        ]
    }


def test_attachments_of_queues(pipeline_of: Any) -> None:
    given = {"key": "Id", "labelOperator": "equal", "value": "q"}
    line = '"Id"\t=\t"q"\t\t0\t'
    cut = pipeline_of(
        queueSelectorAttachments=[
            {"kind": "static", "queueSelector": given},
            {"kind": "conditional", "condition": EXPRESSION, "queueSelectors": [given]},
            {"kind": "passThrough", "key": "k", "labelOperator": "greaterThanOrEqual"},
            {"kind": "ruleEngine", "rule": {"kind": "static", "value": [given]}},
            {"kind": "weightedAllocation", "allocations": [{"weight": 2, "queueSelectors": [given]}]},
        ]
    )
    rule = {"kind": "expression", "text": compile_expression(EXPRESSION["expression"]).text}
    assert cut == {
        "queues": [
            {"kind": "always", "selectors": line},
            {"kind": "when", "rule": rule, "selectors": line},
            {"kind": "label", "key": '"k"', "operator": ">="},
            {"kind": "always", "selectors": line},
            {"kind": "draw", "shares": [{"weight": 2, "selectors": line}]},
        ]
    }


@pytest.mark.parametrize(
    "value",
    [5, "x", {"key": "k"}, [1], [{"key": "k"}], [{"key": "k", "labelOperator": "odd"}], None, [None]],
)
@pytest.mark.parametrize("name", ["queue", "worker"])
def test_a_value_that_is_no_list_of_selectors(pipeline_of: Any, name: str, value: Any) -> None:
    """Any value is stored; such a policy fails when it is applied."""
    attachment = {"kind": "ruleEngine", "rule": {"kind": "static", "value": value}}
    cut = pipeline_of(**{f"{name}SelectorAttachments": [attachment]})
    assert cut[f"{name}s"] == [{"kind": "answer", "rule": {"kind": "value", "text": cut_text(value)}}]


def cut_text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


BAD_EXPRESSIONS = [
    ("1 +", "line 1, column 4"),
    ("if(job.A, 1, 2)", "Did you mean 'If'?"),
    ("job", "'job' is a record"),
    ("\n  job.A == 1", "line 2, column"),
    ("x" * 5_000, "too long"),
]


@pytest.mark.parametrize(("source", "text"), BAD_EXPRESSIONS)
@pytest.mark.parametrize(
    ("place", "wrapped"),
    [
        ("prioritizationRule", lambda rule: {"prioritizationRule": rule}),
        (
            "queueSelectorAttachments[1].condition",
            lambda rule: {
                "queueSelectorAttachments": [
                    {"kind": "passThrough", "key": "k", "labelOperator": "equal"},
                    {"kind": "conditional", "condition": rule, "queueSelectors": []},
                ]
            },
        ),
        (
            "workerSelectorAttachments[0].rule",
            lambda rule: {"workerSelectorAttachments": [{"kind": "ruleEngine", "rule": rule}]},
        ),
    ],
)
def test_a_wrong_expression_is_refused(
    client: Any, store: Any, place: str, wrapped: Any, source: str, text: str
) -> None:
    """With the property, and the place in its text."""
    response = client("PATCH", PATH, wrapped({"kind": "expression", "expression": source}))
    assert response.status == 400
    assert f"'{place}.expression'" in response.error["message"]
    assert text in response.error["message"]
    assert not re.search(r"[.?][.?]$", response.error["message"])
    assert not any(isinstance(command, PolicyUpsert) for command in store.commands)
