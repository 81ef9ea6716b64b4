"""Policies on the wire: every kind of mode, rule, attachment, trigger and action, stored in full."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import pytest

from engine import exception_rules
from engine.commands import PolicyRead, PolicyUpsert
from engine.errors import Refused
from engine.scoring import Equal, Function, Scoring, Webhook, by_expression, scoring_text
from tests.api.conftest import VIEW_KEY

GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
PATHS = {
    "classification": "/routing/classificationPolicies/x",
    "distribution": "/routing/distributionPolicies/x",
    "exception": "/routing/exceptionPolicies/x",
}
LEAST = {
    "classification": {},
    "distribution": {"offerExpiresAfterSeconds": 60, "mode": {"kind": "longestIdle"}},
    "exception": {},
}


@pytest.fixture
def policies(store: Any) -> dict[str, dict[str, Any]]:
    """Stores policies as the engine does, the last written of each kind."""
    kept: dict[str, dict[str, Any]] = {}

    def write(command: PolicyUpsert) -> dict[str, Any]:
        before = kept.get(command.kind)
        if command.doc == 0 and before:
            return {"outcome": "exists", **before}
        count = int(before["doc"]) + 1 if before else 1
        kept[command.kind] = {
            "id": command.id,
            "doc": count,
            "rev": count,
            "document": command.document,
            "secret": command.secret,
        }
        return {"outcome": "updated" if before else "created", "op": 9, **kept[command.kind]}

    store.on(PolicyUpsert, write)
    store.on(PolicyRead, lambda command: kept[command.kind])
    return kept


def written(store: Any) -> PolicyUpsert:
    """The last command that wrote."""
    return written_at_all(store)[-1]


def written_at_all(store: Any) -> list[PolicyUpsert]:
    """The commands that would have written."""
    return [command for command in store.commands if isinstance(command, PolicyUpsert)]


DEFAULTS = {"minConcurrentOffers": 1, "maxConcurrentOffers": 1, "bypassSelectors": False}
OPTIONS = {
    "scoringParameters": ["jobLabels", "workerSelectors"],
    "isBatchScoringEnabled": False,
    "descendingOrder": True,
}


@pytest.mark.parametrize(
    ("sent", "shown", "control"),
    [
        (
            {"offerExpiresAfterSeconds": 600.0, "mode": {"kind": "longestIdle"}},
            {"offerExpiresAfterSeconds": 600, "mode": {"kind": "longestIdle", **DEFAULTS}},
            {"expires_ms": 600_000, "mode": "longestIdle"},
        ),
        (
            {
                "Name": "n",
                "OfferExpiresAfterSeconds": 1.5,
                "Mode": {"MaxConcurrentOffers": 5, "Kind": "round-robin"},
            },
            {
                "name": "n",
                "offerExpiresAfterSeconds": 1.5,
                "mode": {"kind": "roundRobin", **DEFAULTS, "maxConcurrentOffers": 5},
            },
            {"expires_ms": 1_500, "mode": "roundRobin", "max_offers": 5},
        ),
        (
            {"offerExpiresAfterSeconds": 5, "mode": {"kind": "BestWorker", "bypassSelectors": True}},
            {
                "offerExpiresAfterSeconds": 5,
                "mode": {
                    "kind": "bestWorker",
                    "scoringRuleOptions": OPTIONS,
                    **DEFAULTS,
                    "bypassSelectors": True,
                },
            },
            {"expires_ms": 5_000, "mode": "bestWorker", "bypass": True},
        ),
        (
            {
                "offerExpiresAfterSeconds": 5,
                "mode": {
                    "kind": "bestWorker",
                    "minConcurrentOffers": 2,
                    "maxConcurrentOffers": 2,
                    "scoringRule": {"kind": "expression-rule", "expression": "worker.x + job.y"},
                    "scoringRuleOptions": {
                        "batchSize": 5,
                        "scoringParameters": ["JobLabels"],
                        "isBatchScoringEnabled": True,
                        "descendingOrder": False,
                    },
                },
            },
            {
                "offerExpiresAfterSeconds": 5,
                "mode": {
                    "kind": "bestWorker",
                    "scoringRule": {
                        "kind": "expression",
                        "language": "powerFx",
                        "expression": "worker.x + job.y",
                    },
                    "scoringRuleOptions": {
                        "batchSize": 5,
                        "scoringParameters": ["jobLabels"],
                        "isBatchScoringEnabled": True,
                        "descendingOrder": False,
                    },
                    "minConcurrentOffers": 2,
                    "maxConcurrentOffers": 2,
                    "bypassSelectors": False,
                },
            },
            {
                "expires_ms": 5_000,
                "mode": "bestWorker",
                "min_offers": 2,
                "max_offers": 2,
                "descending": False,
                "rules": scoring_text(by_expression("worker.x + job.y", job_labels=True)),
            },
        ),
    ],
)
def test_distribution(
    client: Any,
    store: Any,
    policies: Any,
    sent: dict[str, Any],
    shown: dict[str, Any],
    control: dict[str, Any],
) -> None:
    response = client("PATCH", PATHS["distribution"], sent)
    assert response.status == 201
    assert response.body.decode() == json.dumps(
        {"id": "x", **shown, "etag": response.headers["etag"]}, separators=(",", ":")
    )
    document = json.dumps(shown, separators=(",", ":"))
    assert written(store) == PolicyUpsert("distribution", "x", **control, document=document)


@pytest.mark.parametrize(
    ("rule", "parameters", "scoring"),
    [
        ({"kind": "static", "value": 5}, [], Equal()),
        ({"kind": "static", "value": "5"}, [], Equal()),
        ({"kind": "directMap"}, ["jobLabels"], Equal()),
        (
            {"kind": "expression", "expression": "worker.x + job.y"},
            ["workerSelectors"],
            by_expression("worker.x + job.y", job_labels=False),
        ),
        (
            {"kind": "function", "functionUri": "http://f/", "credential": {"clientId": "me", "appKey": "k"}},
            ["jobLabels", "workerSelectors"],
            Function('{"url":"http://f/","client_id":"me"}'),
        ),
        (
            {
                "kind": "webhook",
                "webhookUri": "http://w/",
                "authorizationServerUri": "http://a/",
                "clientCredential": {"clientId": "me", "clientSecret": "s"},
            },
            ["workerSelectors"],
            Webhook('{"url":"http://w/","client_id":"me","authorization":"http://a/"}', job=False),
        ),
    ],
)
def test_what_scoring_rules_become(
    client: Any, store: Any, policies: Any, rule: dict[str, Any], parameters: list[str], scoring: Scoring
) -> None:
    options = {"scoringParameters": parameters}
    mode = {"kind": "bestWorker", "scoringRule": rule, "scoringRuleOptions": options}
    assert client("PATCH", PATHS["distribution"], {"offerExpiresAfterSeconds": 5, "mode": mode}).status == 201
    assert written(store).rules == scoring_text(scoring)


@pytest.mark.parametrize(
    ("options", "batch"),
    [
        ({}, 0),
        ({"batchSize": 7}, 0),
        ({"isBatchScoringEnabled": True}, 20),
        ({"isBatchScoringEnabled": True, "batchSize": 7}, 7),
    ],
)
def test_about_how_many_workers_others_are_asked_at_a_time(
    client: Any, store: Any, policies: Any, options: dict[str, Any], batch: int
) -> None:
    rule = {"kind": "function", "functionUri": "http://f/"}
    mode = {"kind": "bestWorker", "scoringRule": rule, "scoringRuleOptions": options}
    assert client("PATCH", PATHS["distribution"], {"offerExpiresAfterSeconds": 5, "mode": mode}).status == 201
    assert written(store).rules == scoring_text(Function('{"url":"http://f/"}', batch=batch))


RULES = [
    ({"kind": "static", "value": {"any": [1, {"credential": {"appKey": "no secret"}}]}},) * 2,
    ({"kind": "static"},) * 2,
    ({"kind": "static-rule", "value": False}, {"kind": "static", "value": False}),
    ({"kind": "direct-map"}, {"kind": "directMap"}),
    ({"kind": "expression", "expression": "1", "language": "PowerFx"},) * 2,
    (
        {"kind": "azure-function-rule", "functionUri": "https://f/"},
        {"kind": "function", "functionUri": "https://f/"},
    ),
    (
        {"kind": "function", "functionUri": "http://f/?code=1", "credential": {"clientId": "c"}},
        {"kind": "function", "functionUri": "http://f/?code=1", "credential": {"clientId": "c"}},
    ),
    (
        {
            "kind": "webhook",
            "authorizationServerUri": "https://a/",
            "clientCredential": {"clientId": "c"},
            "webhookUri": "https://w/",
        },
    )
    * 2,
    ({"kind": "webhook"},) * 2,
]


@pytest.mark.parametrize(("sent", "shown"), RULES)
def test_rules(client: Any, policies: Any, sent: dict[str, Any], shown: dict[str, Any]) -> None:
    expected = shown | ({"language": "powerFx"} if shown["kind"] == "expression" else {})
    assert (
        client("PATCH", PATHS["classification"], {"prioritizationRule": sent}).json["prioritizationRule"]
        == expected
    )


QUEUE_SELECTOR = {"key": "k", "labelOperator": "equal", "value": {"z": 1}}
WORKER_SELECTOR = {"key": "k", "labelOperator": "lessThan", "value": 5, "expiresAfterSeconds": 2}
SHOWN_SELECTOR = {
    "expiresAfterSeconds": 2,
    "expedite": False,
    "status": "active",
    "key": "k",
    "labelOperator": "lessThan",
    "value": 5,
}
CUT_SELECTOR = '"k"\t<\t5\t2\t0\t'
RULE = {"kind": "static", "value": True}


def attachments(selector: str, selectors: str, given: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"kind": "static", selector: given},
        {"kind": "conditional", "condition": RULE, selectors: [given, given]},
        {"kind": "passThrough", "key": "k", "labelOperator": "notEqual"},
        {"kind": "ruleEngine", "rule": RULE},
        {
            "kind": "weightedAllocation",
            "allocations": [{"weight": 0.3, selectors: []}, {"weight": 1, selectors: [given]}],
        },
    ]


def test_attachments(client: Any, store: Any, policies: Any) -> None:
    queue = attachments("queueSelector", "queueSelectors", QUEUE_SELECTOR)
    worker = attachments("workerSelector", "workerSelectors", WORKER_SELECTOR)
    worker[2]["expiresAfterSeconds"] = 0.5
    body = {
        "name": "n",
        "fallbackQueueId": "fq",
        "queueSelectorAttachments": queue,
        "prioritizationRule": RULE,
        "workerSelectorAttachments": worker,
    }
    response = client("PATCH", PATHS["classification"], body)
    assert response.status == 201
    shown = attachments("workerSelector", "workerSelectors", SHOWN_SELECTOR)
    shown[2]["expiresAfterSeconds"] = 0.5
    expected = {"id": "x", **body, "workerSelectorAttachments": shown, "etag": response.headers["etag"]}
    assert response.json == expected
    assert list(response.json) == list(expected)
    assert written(store).fallback == "fq"


def test_least_classification(client: Any, policies: Any) -> None:
    response = client("PATCH", PATHS["classification"], {"fallbackQueueId": ""})
    assert response.status == 201
    assert list(response.json) == ["id", "queueSelectorAttachments", "workerSelectorAttachments", "etag"]


EXCEPTIONS: list[dict[str, Any]] = [
    {
        "id": "long",
        "trigger": {"kind": "queue-length", "threshold": 10.0},
        "actions": [{"kind": "cancel"}, {"kind": "cancel", "note": "n", "dispositionCode": "d"}],
    },
    {
        "id": "late",
        "trigger": {"kind": "waitTime", "thresholdSeconds": 0.5},
        "actions": [
            {"kind": "manual-reclassify"},
            {"kind": "manualReclassify", "queueId": "q", "priority": 5, "workerSelectors": [WORKER_SELECTOR]},
            {"kind": "reclassify", "classificationPolicyId": "cp", "labelsToUpsert": {"a": 1.0}},
            {"kind": "reclassify", "id": "mine"},
        ],
    },
]


def test_exceptions(client: Any, store: Any, policies: Any) -> None:
    response = client("PATCH", PATHS["exception"], {"name": "n", "exceptionRules": EXCEPTIONS})
    assert response.status == 201
    rules = response.json["exceptionRules"]
    assert [rule["trigger"] for rule in rules] == [
        {"kind": "queueLength", "threshold": 10},
        {"kind": "waitTime", "thresholdSeconds": 0.5},
    ]
    actions = [action for rule in rules for action in rule["actions"]]
    ids = [action.pop("id") for action in actions]
    assert all(GUID.fullmatch(made) for made in ids[:-1])
    assert len(set(ids)) == 6
    assert ids[-1] == "mine"
    assert actions == [
        {"kind": "cancel"},
        {"kind": "cancel", "note": "n", "dispositionCode": "d"},
        {"kind": "manualReclassify", "workerSelectors": []},
        {"kind": "manualReclassify", "queueId": "q", "priority": 5, "workerSelectors": [SHOWN_SELECTOR]},
        {"kind": "reclassify", "classificationPolicyId": "cp", "labelsToUpsert": {"a": 1.0}},
        {"kind": "reclassify", "labelsToUpsert": {}},
    ]
    assert written(store).uses == ["cp"]


def test_exception_rules_in_the_terms_of_the_router(client: Any, store: Any, policies: Any) -> None:
    client("PATCH", PATHS["exception"], {"exceptionRules": EXCEPTIONS})
    text = written(store).rules
    first, second = msgspec.json.decode(text, type=list[exception_rules.Rule])
    assert (first.id, first.trigger, first.threshold) == (EXCEPTIONS[0]["id"], "length", 10)
    assert first.actions == [exception_rules.Cancel(), exception_rules.Cancel('"n"', "d")]
    assert (second.trigger, second.threshold) == ("wait", 500)
    assert second.actions == [
        exception_rules.Change(),
        exception_rules.Change("q", 5, CUT_SELECTOR),
        exception_rules.Classify("cp", '"a":1.0'),
        exception_rules.Classify(),
    ]
    client("PATCH", PATHS["exception"], {"name": "ids of actions do not matter to the router"})
    assert written(store).rules == text
    client("PATCH", PATHS["exception"], {"exceptionRules": []})
    assert written(store).rules == ""


def test_rules_sent_again_without_ids_of_actions_are_a_change(client: Any, policies: Any) -> None:
    body = {"exceptionRules": EXCEPTIONS}
    first = client("PATCH", PATHS["exception"], body)
    again = client("PATCH", PATHS["exception"], body)
    assert again.status == 200
    assert again.headers["etag"] != first.headers["etag"]
    same = client("PATCH", PATHS["exception"], again.body)
    assert (same.body, same.headers["etag"]) == (again.body, again.headers["etag"])
    named = client("PATCH", PATHS["exception"], {"name": "n"})
    assert named.json["exceptionRules"] == again.json["exceptionRules"]


BAD_MODES = [
    (None, "The property 'mode' is required."),
    (
        {"bypassSelectors": True},
        "The property 'mode.kind' is required: 'roundRobin', 'longestIdle' or 'bestWorker'.",
    ),
    ("roundRobin", "'mode' is not valid"),
    ({"kind": "random"}, "'mode.kind' is not valid: invalid value 'random'"),
    ({"kind": "roundRobin", "maxConcurrentOffers": 0}, "'mode.maxConcurrentOffers' is not valid"),
    ({"kind": "roundRobin", "minConcurrentOffers": "1"}, "'mode.minConcurrentOffers' is not valid"),
    (
        {"kind": "roundRobin", "minConcurrentOffers": 2},
        "minConcurrentOffers must not exceed maxConcurrentOffers",
    ),
    (
        {"kind": "bestWorker", "minConcurrentOffers": 3, "maxConcurrentOffers": 2},
        "minConcurrentOffers must not exceed maxConcurrentOffers",
    ),
    ({"kind": "roundRobin", "bypassSelectors": "no"}, "'mode.bypassSelectors' is not valid"),
    ({"kind": "bestWorker", "scoringRule": {"kind": "magic"}}, "'mode.scoringRule.kind' is not valid"),
    ({"kind": "bestWorker", "scoringRule": {"value": 1}}, "'mode.scoringRule.kind' is required: 'static', "),
    (
        {"kind": "bestWorker", "scoringRule": {"kind": "expression"}},
        "The property 'mode.scoringRule.expression' is required.",
    ),
    (
        {"kind": "bestWorker", "scoringRule": {"kind": "expression", "expression": ""}},
        "'mode.scoringRule.expression'",
    ),
    (
        {"kind": "bestWorker", "scoringRule": {"kind": "expression", "expression": "1", "language": "lua"}},
        "'mode.scoringRule.language' is not valid",
    ),
    (
        {"kind": "bestWorker", "scoringRule": {"kind": "expression", "expression": "worker.x +"}},
        "The property 'mode.scoringRule.expression' is not valid: line 1, column 11: The expression ends too",
    ),
    (
        {"kind": "bestWorker", "scoringRule": {"kind": "expression", "expression": "If(\nx,true,false)"}},
        "The property 'mode.scoringRule.expression' is not valid: line 2, column 1: There is no 'x' here.",
    ),
    (
        {"kind": "bestWorker", "scoringRule": {"kind": "function"}},
        "The property 'mode.scoringRule.functionUri' is required.",
    ),
    (
        {"kind": "bestWorker", "scoringRule": {"kind": "function", "functionUri": "file:///etc/passwd"}},
        "'mode.scoringRule.functionUri' is not valid",
    ),
    (
        {"kind": "bestWorker", "scoringRule": {"kind": "function", "functionUri": "https://me:pass@f/"}},
        "The property 'mode.scoringRule.functionUri' is not valid: the URL holds a user name or password: "
        "they belong in 'credential'.",
    ),
    (
        {"kind": "bestWorker", "scoringRule": {"kind": "function", "functionUri": "https:///path"}},
        "The property 'mode.scoringRule.functionUri' is not valid: the URL ",
    ),
    (
        {"kind": "bestWorker", "scoringRule": {"kind": "webhook", "webhookUri": "https://token@w/"}},
        "The property 'mode.scoringRule.webhookUri' is not valid: the URL holds a user name or password: "
        "they belong in 'clientCredential'.",
    ),
    (
        {"kind": "bestWorker", "scoringRule": {"kind": "webhook", "authorizationServerUri": "https://:p@w/"}},
        "The property 'mode.scoringRule.authorizationServerUri' is not valid: the URL holds a user name or ",
    ),
    (
        {
            "kind": "bestWorker",
            "scoringRule": {"kind": "function", "functionUri": "http://f", "credential": "x"},
        },
        "'mode.scoringRule.credential' is not valid",
    ),
    ({"kind": "bestWorker", "scoringRuleOptions": {"batchSize": 0}}, "'mode.scoringRuleOptions.batchSize'"),
    (
        {"kind": "bestWorker", "scoringRuleOptions": {"scoringParameters": ["x"]}},
        "'mode.scoringRuleOptions.scoringParameters[0]' is not valid",
    ),
]


@pytest.mark.parametrize(("mode", "text"), BAD_MODES)
def test_bad_modes(client: Any, store: Any, mode: Any, text: str) -> None:
    response = client("PATCH", PATHS["distribution"], {"offerExpiresAfterSeconds": 5, "mode": mode})
    assert response.status == 400
    assert text in response.error["message"]
    assert store.commands == [PolicyRead("distribution", "x", secrets=True)]


@pytest.mark.parametrize("seconds", [None, 0, -1, 0.5, "60", True, 1e10, [5]])
def test_bad_expiry(client: Any, store: Any, seconds: Any) -> None:
    body = LEAST["distribution"] | {"offerExpiresAfterSeconds": seconds}
    response = client("PATCH", PATHS["distribution"], body)
    assert response.status == 400
    assert "'offerExpiresAfterSeconds'" in response.error["message"]


BAD_ATTACHMENTS = [
    ({}, "kind' is required"),
    ({"kind": "glue"}, "kind' is not valid"),
    ({"kind": "static"}, "queueSelector' is required"),
    ({"kind": "static", "queueSelector": {"key": "k"}}, "queueSelector.labelOperator' is required"),
    (
        {"kind": "static", "queueSelector": {"key": "", "labelOperator": "equal"}},
        "queueSelector.key' is not valid",
    ),
    (
        {"kind": "static", "queueSelector": {"key": "k", "labelOperator": "equal", "value": 10**400}},
        "A number in the body is too large",
    ),
    ({"kind": "conditional", "queueSelectors": []}, "condition' is required"),
    ({"kind": "conditional", "condition": RULE}, "queueSelectors' is required"),
    ({"kind": "passThrough", "key": "k"}, "labelOperator' is required"),
    ({"kind": "passThrough", "labelOperator": "equal"}, "key' is required"),
    ({"kind": "ruleEngine"}, "rule' is required"),
    (
        {"kind": "ruleEngine", "rule": {"kind": "static", "value": [10**400]}},
        "A number in the body is too large",
    ),
    (
        {"kind": "ruleEngine", "rule": {"kind": "expression", "expression": "job."}},
        "SelectorAttachments[0].rule.expression' is not valid: line 1, column 5: ",
    ),
    ({"kind": "weightedAllocation"}, "allocations' is required"),
    ({"kind": "weightedAllocation", "allocations": []}, "allocations' is not valid"),
    ({"kind": "weightedAllocation", "allocations": [{"queueSelectors": []}]}, "weight' is required"),
    (
        {"kind": "weightedAllocation", "allocations": [{"weight": 0, "queueSelectors": []}]},
        "weight' is not valid: it must be a number above 0, and at most 1000000.",
    ),
    (
        {"kind": "weightedAllocation", "allocations": [{"weight": -0.1, "queueSelectors": []}]},
        "weight' is not valid: it must be a number above 0, and at most 1000000.",
    ),
    (
        {"kind": "weightedAllocation", "allocations": [{"weight": 1e308, "queueSelectors": []}] * 2},
        "allocations[0].weight' is not valid: it must be a number above 0, and at most 1000000.",
    ),
    (
        {"kind": "weightedAllocation", "allocations": [{"weight": 1000000.5, "queueSelectors": []}]},
        "weight' is not valid: it must be a number above 0, and at most 1000000.",
    ),
    ({"kind": "weightedAllocation", "allocations": [{"weight": 1}]}, "queueSelectors' is required"),
]


@pytest.mark.parametrize(("attachment", "text"), BAD_ATTACHMENTS)
@pytest.mark.parametrize("name", ["queue", "worker"])
def test_bad_attachments(client: Any, store: Any, name: str, attachment: dict[str, Any], text: str) -> None:
    given = json.loads(json.dumps(attachment).replace("queueSelector", f"{name}Selector"))
    response = client("PATCH", PATHS["classification"], {f"{name}SelectorAttachments": [given]})
    assert response.status == 400
    assert text.replace("queueSelector", f"{name}Selector") in response.error["message"]


@pytest.mark.parametrize("name", ["queue", "worker"])
def test_selectors_of_all_attachments_are_bounded(client: Any, store: Any, name: str) -> None:
    """Not every condition holds, so only what is always attached has to find room with a job."""
    property = f"{name}SelectorAttachments"
    one = {"key": "k", "labelOperator": "equal", "value": [1]}
    always = {"kind": "ruleEngine", "rule": {"kind": "static", "value": [one] * 60}}
    sometimes = {"kind": "conditional", "condition": RULE, f"{name}Selectors": [one] * 90}
    drawn = {
        "kind": "weightedAllocation",
        "allocations": [{"weight": 1, f"{name}Selectors": [one] * 25}] * 4,
    }
    for attachments, said in (
        ([always, always], "120 selectors are always attached; at most 100 may be."),
        ([sometimes] * 12, "it has 1080 selectors; at most 1000 may be."),
        ([sometimes] * 10 + [drawn] * 2, "it has 1100 selectors; at most 1000 may be."),
    ):
        response = client("PATCH", PATHS["classification"], {property: attachments})
        assert response.status == 400
        assert response.error["message"] == f"The property '{property}' is not valid: {said}"


def test_expressions_of_a_policy_are_bounded_together(client: Any, store: Any) -> None:
    rule = {"kind": "expression", "expression": "job.Region = " + '"x"&' * 75 + '"x"'}
    attachments = [{"kind": "conditional", "condition": rule, "workerSelectors": []}] * 70
    for_queues = [{"kind": "ruleEngine", "rule": rule}]
    response = client(
        "PATCH",
        PATHS["classification"],
        {"workerSelectorAttachments": attachments, "queueSelectorAttachments": for_queues},
    )
    assert response.status == 400
    said = "The expressions of the policy are too long: at most 20000 characters together."
    assert response.error["message"] == said


TRIGGER = {"kind": "queueLength", "threshold": 1}
BAD_EXCEPTIONS = [
    ({}, "id' is required"),
    ({"id": "r", "actions": []}, "trigger' is required"),
    ({"id": "r", "trigger": TRIGGER}, "actions' is required"),
    ({"id": "", "trigger": TRIGGER, "actions": []}, "id' is not valid"),
    ({"id": "r", "trigger": {"kind": "never"}, "actions": []}, "trigger.kind' is not valid"),
    ({"id": "r", "trigger": {"kind": "queueLength"}, "actions": []}, "threshold' is required"),
    (
        {"id": "r", "trigger": {"kind": "queueLength", "threshold": 0}, "actions": []},
        "threshold' is not valid",
    ),
    (
        {"id": "r", "trigger": {"kind": "queueLength", "threshold": 1.5}, "actions": []},
        "threshold' is not valid",
    ),
    ({"id": "r", "trigger": {"kind": "waitTime"}, "actions": []}, "thresholdSeconds' is required"),
    (
        {"id": "r", "trigger": {"kind": "waitTime", "thresholdSeconds": 0}, "actions": []},
        "thresholdSeconds' is not valid",
    ),
    ({"id": "r", "trigger": TRIGGER, "actions": {}}, "actions' is not valid"),
    ({"id": "r", "trigger": TRIGGER, "actions": [{}]}, "kind' is required"),
    (
        {"id": "r", "trigger": TRIGGER, "actions": [{"kind": "cancel"}] * 11},
        "exceptionRules[0].actions' is not valid: expected array of length <= 10",
    ),
    ({"id": "r", "trigger": TRIGGER, "actions": [{"kind": "explode"}]}, "kind' is not valid"),
    ({"id": "r", "trigger": TRIGGER, "actions": [{"kind": "cancel", "note": 1}]}, "note' is not valid"),
    (
        {"id": "r", "trigger": TRIGGER, "actions": [{"kind": "manualReclassify", "priority": 101}]},
        "priority' is not valid",
    ),
    (
        {"id": "r", "trigger": TRIGGER, "actions": [{"kind": "manualReclassify", "workerSelectors": [{}]}]},
        "key' is required",
    ),
    (
        {"id": "r", "trigger": TRIGGER, "actions": [{"kind": "reclassify", "labelsToUpsert": {"a": []}}]},
        'labelsToUpsert["a"]\' is not valid',
    ),
    (
        {
            "id": "r",
            "trigger": TRIGGER,
            "actions": [{"kind": "reclassify", "labelsToUpsert": {"a": 10**400}}],
        },
        "'labelsToUpsert[\"a\"]' is not valid: the number is too large",
    ),
]


@pytest.mark.parametrize(("rule", "text"), BAD_EXCEPTIONS)
def test_bad_exceptions(client: Any, store: Any, rule: dict[str, Any], text: str) -> None:
    response = client("PATCH", PATHS["exception"], {"exceptionRules": [rule]})
    assert response.status == 400
    assert text in response.error["message"]


def test_rules_with_the_same_id(client: Any) -> None:
    rule = {"id": "r", "trigger": TRIGGER, "actions": []}
    response = client("PATCH", PATHS["exception"], {"exceptionRules": [rule, rule]})
    assert response.status == 400
    assert "two rules have the same id" in response.error["message"]


# ---- objects that do not name their kind -----------------------------------------------------------------

RULE_KINDS = "'static', 'directMap', 'expression', 'function' or 'webhook'"
ATTACHED = {"kind": "conditional", "workerSelectors": []}


@pytest.mark.parametrize("rule", [{}, {"value": 1}])
@pytest.mark.parametrize(
    ("kind", "body", "place"),
    [
        ("classification", {"prioritizationRule": ...}, "prioritizationRule"),
        (
            "classification",
            {"workerSelectorAttachments": [ATTACHED | {"condition": ...}]},
            "workerSelectorAttachments[0].condition",
        ),
        (
            "classification",
            {"queueSelectorAttachments": [{"kind": "ruleEngine", "rule": ...}]},
            "queueSelectorAttachments[0].rule",
        ),
        (
            "distribution",
            {"offerExpiresAfterSeconds": 5, "mode": {"kind": "bestWorker", "scoringRule": ...}},
            "mode.scoringRule",
        ),
    ],
)
def test_rule_without_kind(
    client: Any, store: Any, kind: str, body: dict[str, Any], place: str, rule: dict[str, Any]
) -> None:
    response = client("PATCH", PATHS[kind], json.loads(json.dumps(body, default=lambda _: rule)))
    assert response.status == 400
    assert response.error["message"] == (
        f"The property '{place}.kind' is required: {RULE_KINDS}. Version 1.1.0b1 of the Python client leaves "
        'it out of DirectMapRouterRule(): give {"kind": "directMap"} instead.'
    )
    assert written_at_all(store) == []


@pytest.mark.parametrize(
    ("kind", "former", "patch", "place"),
    [
        (
            "classification",
            {"prioritizationRule": {"kind": "static", "value": 1}},
            {"prioritizationRule": {}},
            "prioritizationRule",
        ),
        (
            "distribution",
            {
                "offerExpiresAfterSeconds": 5,
                "mode": {"kind": "bestWorker", "scoringRule": {"kind": "static", "value": 1}},
            },
            {"mode": {"scoringRule": {"unknown": 1}}},
            "mode.scoringRule",
        ),
        ("distribution", LEAST["distribution"], {"mode": {}}, "mode"),
    ],
)
def test_empty_object_is_not_taken_for_what_is_stored(
    client: Any, policies: Any, kind: str, former: dict[str, Any], patch: dict[str, Any], place: str
) -> None:
    assert client("PATCH", PATHS[kind], former).status == 201
    response = client("PATCH", PATHS[kind], patch)
    assert response.status == 400
    assert f"'{place}.kind' is required: " in response.error["message"]
    assert policies[kind]["doc"] == 1


# ---- patches ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", PATHS)
def test_what_was_read_changes_nothing(client: Any, policies: Any, kind: str) -> None:
    created = client("PATCH", PATHS[kind], LEAST[kind])
    again = client("PATCH", PATHS[kind], created.body)
    assert (created.status, again.status) == (201, 200)
    assert (again.body, again.headers["etag"]) == (created.body, created.headers["etag"])
    assert policies[kind]["doc"] == 1


def test_merge_is_recursive_inside_the_mode(client: Any, store: Any, policies: Any) -> None:
    client("PATCH", PATHS["distribution"], {"offerExpiresAfterSeconds": 5, "mode": {"kind": "roundRobin"}})
    response = client("PATCH", PATHS["distribution"], {"mode": {"maxConcurrentOffers": 4}})
    assert response.status == 200
    assert response.json["mode"] == {"kind": "roundRobin", **DEFAULTS, "maxConcurrentOffers": 4}
    assert response.json["offerExpiresAfterSeconds"] == 5


def test_change_of_kind_drops_what_the_new_kind_does_not_have(client: Any, store: Any, policies: Any) -> None:
    mode = {
        "kind": "bestWorker",
        "maxConcurrentOffers": 3,
        "scoringRule": {
            "kind": "function",
            "functionUri": "https://f",
            "credential": {"appKey": "a", "clientId": "c"},
        },
    }
    client("PATCH", PATHS["distribution"], {"offerExpiresAfterSeconds": 5, "mode": mode})
    ruled = client("PATCH", PATHS["distribution"], {"mode": {"scoringRule": {"kind": "static", "value": 1}}})
    assert ruled.json["mode"]["scoringRule"] == {"kind": "static", "value": 1}
    assert written(store).secret == ""
    idle = client("PATCH", PATHS["distribution"], {"mode": {"kind": "longestIdle"}})
    assert idle.json["mode"] == {"kind": "longestIdle", **DEFAULTS, "maxConcurrentOffers": 3}
    best = client("PATCH", PATHS["distribution"], {"mode": {"kind": "bestWorker"}})
    assert "scoringRule" not in best.json["mode"]


def test_null_resets(client: Any, store: Any, policies: Any) -> None:
    client(
        "PATCH",
        PATHS["distribution"],
        LEAST["distribution"] | {"name": "n", "mode": {"kind": "roundRobin", "maxConcurrentOffers": 9}},
    )
    response = client("PATCH", PATHS["distribution"], {"name": None, "mode": {"maxConcurrentOffers": None}})
    assert "name" not in response.json
    assert response.json["mode"]["maxConcurrentOffers"] == 1
    assert client("PATCH", PATHS["distribution"], {"mode": None}).status == 400


# ---- secrets ------------------------------------------------------------------------------------------

FUNCTION = {
    "kind": "function",
    "functionUri": "https://f/",
    "credential": {"functionKey": "hidden-1", "appKey": "hidden-2", "clientId": "me"},
}
WEBHOOK = {
    "kind": "webhook",
    "webhookUri": "https://w/",
    "clientCredential": {"clientId": "me", "clientSecret": "hidden-3"},
}


def test_secrets_are_never_shown(client: Any, store: Any, policies: Any) -> None:
    body = {
        "prioritizationRule": FUNCTION,
        "queueSelectorAttachments": [{"kind": "ruleEngine", "rule": WEBHOOK}],
        "workerSelectorAttachments": [{"kind": "conditional", "condition": FUNCTION, "workerSelectors": []}],
    }
    response = client("PATCH", PATHS["classification"], body)
    command = written(store)
    assert b"hidden" not in response.body
    assert "hidden" not in command.document
    assert json.loads(command.secret) == {
        "priority": {"function_key": "hidden-1", "app_key": "hidden-2"},
        "queue.0": {"client_secret": "hidden-3"},
        "worker.0": {"function_key": "hidden-1", "app_key": "hidden-2"},
    }
    assert response.json["prioritizationRule"]["credential"] == {"clientId": "me"}
    assert b"hidden" not in client("GET", PATHS["classification"]).body


def test_secrets_survive_other_changes(client: Any, store: Any, policies: Any) -> None:
    body = {
        "prioritizationRule": FUNCTION,
        "queueSelectorAttachments": [{"kind": "ruleEngine", "rule": WEBHOOK}],
    }
    client("PATCH", PATHS["classification"], body)
    secret = written(store).secret
    client("PATCH", PATHS["classification"], {"name": "n"})
    assert (written(store).doc, written(store).secret) == (1, secret)
    read = client("GET", PATHS["classification"])
    before = policies["classification"]["doc"]
    assert client("PATCH", PATHS["classification"], read.body).headers["etag"] == read.headers["etag"]
    assert policies["classification"]["doc"] == before
    client("PATCH", PATHS["classification"], read.json | {"name": "m"})
    assert written(store).secret == secret


def test_secret_merged_beside_others(client: Any, store: Any, policies: Any) -> None:
    rule = {
        "kind": "function",
        "functionUri": "https://f/",
        "credential": {"appKey": "hidden-2", "clientId": "me"},
    }
    mode = {"kind": "bestWorker", "scoringRule": rule}
    client("PATCH", PATHS["distribution"], {"offerExpiresAfterSeconds": 5, "mode": mode})
    client(
        "PATCH", PATHS["distribution"], {"mode": {"scoringRule": {"credential": {"functionKey": "hidden-1"}}}}
    )
    assert json.loads(written(store).secret) == {
        "scoring": {"app_key": "hidden-2", "function_key": "hidden-1"}
    }
    client("PATCH", PATHS["distribution"], {"mode": {"scoringRule": {"credential": {"appKey": None}}}})
    assert json.loads(written(store).secret) == {"scoring": {"function_key": "hidden-1"}}
    client("PATCH", PATHS["distribution"], {"mode": {"scoringRule": {"credential": None}}})
    assert written(store).secret == ""


def test_a_rule_to_another_place_does_not_inherit_secrets(client: Any, store: Any, policies: Any) -> None:
    client(
        "PATCH",
        PATHS["classification"],
        {"queueSelectorAttachments": [{"kind": "ruleEngine", "rule": WEBHOOK}]},
    )
    other = WEBHOOK | {"webhookUri": "https://evil/", "clientCredential": {"clientId": "me"}}
    client(
        "PATCH",
        PATHS["classification"],
        {"queueSelectorAttachments": [{"kind": "ruleEngine", "rule": other}]},
    )
    assert written(store).secret == ""


RULES = [
    {"kind": "function", "functionUri": "https://f/api?code=SECRET"},
    {
        "kind": "webhook",
        "webhookUri": "https://w/hook?sig=SECRET#x",
        "authorizationServerUri": "https://a/?k=SECRET",
    },
]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    ("kind", "place"),
    [
        ("distribution", lambda rule: {"mode": {"kind": "bestWorker", "scoringRule": rule}}),
        ("classification", lambda rule: {"prioritizationRule": rule}),
        (
            "classification",
            lambda rule: {
                "workerSelectorAttachments": [{"kind": "ruleEngine", "rule": rule}],
                "queueSelectorAttachments": [
                    {"kind": "conditional", "condition": rule, "queueSelectors": []}
                ],
            },
        ),
    ],
)
def test_a_viewing_key_sees_uris_without_queries(
    client: Any, store: Any, policies: Any, kind: str, place: Any, rule: dict[str, Any]
) -> None:
    written = client("PATCH", PATHS[kind], {**LEAST[kind], **place(rule)})
    assert written.status == 201
    # who signs gets what is stored, and can send it back
    assert client("GET", PATHS[kind]).body == written.body
    assert b"SECRET" in written.body
    target = f"{PATHS[kind]}?api-version=2023-11-01"
    viewed = client.send("GET", target, b"", {"host": "localhost", "authorization": f"Bearer {VIEW_KEY}"})
    assert viewed.status == 200
    assert b"SECRET" not in viewed.body
    cut = re.sub(rb"[?#][^\"]*\"", b'"', written.body)
    assert viewed.json == json.loads(cut)


@pytest.mark.parametrize("value", ["a" * 1025, ["a" * 1022], {"b": "a" * 1020}])
@pytest.mark.parametrize(
    "attachments",
    [
        lambda one: {"workerSelectorAttachments": [{"kind": "static", "workerSelector": one}]},
        lambda one: {"queueSelectorAttachments": [{"kind": "static", "queueSelector": one}]},
    ],
)
def test_the_length_of_a_selectors_value(
    client: Any, store: Any, policies: Any, value: Any, attachments: Any
) -> None:
    store.on(PolicyRead, Refused("NOT_FOUND", "The item was not found."))
    selector = {"key": "k", "labelOperator": "equal", "value": value}
    response = client("PATCH", PATHS["classification"], attachments(selector))
    assert response.status == 400
    assert "'k'" in response.error["message"]
    assert policies == {}
    shorter = {**selector, "value": "a" * 1024}
    assert client("PATCH", PATHS["classification"], attachments(shorter)).status == 201


@pytest.mark.parametrize("value", [[], {"b": [1]}])
def test_a_selectors_value_may_be_anything(client: Any, store: Any, policies: Any, value: Any) -> None:
    selector = {"key": "k", "labelOperator": "equal", "value": value}
    body = {"workerSelectorAttachments": [{"kind": "static", "workerSelector": selector}]}
    response = client("PATCH", PATHS["classification"], body)
    assert response.json["workerSelectorAttachments"][0]["workerSelector"]["value"] == value
