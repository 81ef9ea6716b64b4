"""The description of the interface: it is valid, leaves out no route, and is what is really answered."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator, ValidationError
from openapi_spec_validator import OpenAPIV31SpecValidator

from api.app import ROUTES
from api.wire import jobs, openapi
from api.wire.operations import OPERATIONS
from api.wire.shapes import Shapes
from tests.api.conftest import Client

Check = Callable[[str, int, Any], None]


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    """The document as it is read."""
    text = msgspec.json.encode(openapi.document(ROUTES))
    found: dict[str, Any] = msgspec.json.decode(text)
    return found


def test_every_route_is_described() -> None:
    assert set(OPERATIONS) == set(ROUTES), "api/wire/operations.py must say what each route takes and answers"


def test_it_is_valid(described: dict[str, Any]) -> None:
    assert list(OpenAPIV31SpecValidator(described).iter_errors()) == []


def test_paths_are_those_of_the_routes(described: dict[str, Any]) -> None:
    shown = {
        f"{method.upper()} {re.sub(r'{[^}]*}', '{}', path)}"
        for path, methods in described["paths"].items()
        for method in methods
    }
    pages = {"GET /health/live", "GET /health/ready", "GET /metrics", "GET /openapi.json", "GET /validate/{}"}
    assert shown == set(ROUTES) | pages


def test_a_route_without_a_description_is_shown_all_the_same() -> None:
    found = openapi.document(["GET /routing/jobs", "POST /ext/v1/things/{}:mend"])
    assert OpenAPIV31SpecValidator(found).is_valid()
    assert "post" in found["paths"]["/ext/v1/things/{thingId}:mend"]


def test_only_reading_takes_a_viewing_key(described: dict[str, Any]) -> None:
    for path, methods in described["paths"].items():
        for method, shown in methods.items():
            schemes = {name for one in shown.get("security", described["security"]) for name in one}
            assert ("viewing" in schemes) == (
                path == "/ext/v1/jobs:preview"
                or (method == "get" and not path.startswith(("/health", "/openapi", "/validate")))
            )


def test_structs_of_one_name_get_names_of_their_own() -> None:
    class Note(msgspec.Struct):
        other: int

    shapes = Shapes([jobs.JobBody, Note])
    ref = shapes.ref(Note)["$ref"].rpartition("/")[2]
    assert ref != "Note"
    assert shapes.components[ref]["properties"] == {"other": {"type": "integer"}}
    assert "message" in shapes.components["Note"]["properties"]


def test_a_patch_requires_nothing_and_takes_null(described: dict[str, Any]) -> None:
    patch = described["components"]["schemas"]["JobPatch"]
    assert "required" not in patch
    assert {"type": "null"} in patch["properties"]["priority"]["anyOf"]
    assert "`channelId`" in patch["description"]


# ---- what is really answered ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def check(described: dict[str, Any]) -> Check:
    """Checks an answer of a route against the description; members that it does not know are wrong, too."""

    def closed(schema: Any) -> Any:
        if isinstance(schema, list):
            return [closed(one) for one in schema]
        if not isinstance(schema, dict):
            return schema
        made = {key: closed(value) for key, value in schema.items()}
        if "allOf" in made or ("properties" in made and made.get("type") == "object"):
            made["unevaluatedProperties"] = False
        if "allOf" in made:
            # closed together, not each by itself
            made["allOf"] = [
                {**described_schema(one), "unevaluatedProperties": True} for one in schema["allOf"]
            ]
        return made

    def described_schema(ref: dict[str, str]) -> dict[str, Any]:
        found: dict[str, Any] = described["components"]["schemas"][ref["$ref"].rpartition("/")[2]]
        return found

    schemas = {name: closed(schema) for name, schema in described["components"]["schemas"].items()}

    def verify(route: str, status: int, body: Any) -> None:
        method, path = route.split(" ")
        pattern = re.compile(re.sub(r"{[^}]*}", "[^/:]+", path))
        (shown,) = (
            methods[method.lower()]
            for template, methods in described["paths"].items()
            if pattern.fullmatch(template) or re.sub(r"{[^}]*}", "{}", template) == path
        )
        answers = shown["responses"]
        answer = answers.get(str(status)) or answers["default"]
        schema = answer["content"]["application/json"]["schema"]
        Draft202012Validator({**closed(schema), "components": {"schemas": schemas}}).validate(body)

    return verify


@pytest.fixture
def says(call: Any, check: Check) -> Callable[..., Any]:
    """Calls a served router by a route and ids, and checks what it answers."""

    def ask(route: str, *ids: str, body: Any = None, query: str = "") -> Any:
        method, path = route.split(" ")
        status, answer = call(method, path.replace("{}", "%s") % ids + query, body)
        check(route, status, answer)
        assert status in (200, 201), answer
        return answer

    return ask


def test_answers_are_as_described(says: Callable[..., Any], request: pytest.FixtureRequest) -> None:
    name = "openapi-test"
    selector = {"key": "skill", "labelOperator": "greaterThan", "value": 3, "expiresAfterSeconds": 60}
    rule = {"kind": "expression", "expression": "worker.skill"}
    mode = {"kind": "bestWorker", "scoringRule": rule}
    policy = {"offerExpiresAfterSeconds": 60, "mode": mode}
    says("PATCH /routing/distributionPolicies/{}", name, body=policy)
    says("GET /routing/distributionPolicies/{}", name)
    exception = {
        "exceptionRules": [
            {
                "id": "late",
                "trigger": {"kind": "waitTime", "thresholdSeconds": 3600},
                "actions": [{"kind": "manualReclassify", "priority": 9}],
            }
        ]
    }
    says("PATCH /routing/exceptionPolicies/{}", name, body=exception)
    classification = {
        "prioritizationRule": {"kind": "static", "value": 5},
        "workerSelectorAttachments": [
            {"kind": "static", "workerSelector": {"key": "a", "labelOperator": "equal", "value": True}}
        ],
    }
    says("PATCH /routing/classificationPolicies/{}", name, body=classification)
    queue = {"distributionPolicyId": name, "exceptionPolicyId": name, "labels": {"a": 1, "b": "x", "c": True}}
    says("PATCH /routing/queues/{}", name, body=queue)
    channels = [{"channelId": "voice", "capacityCostPerJob": 1, "maxNumberOfJobs": 2}]
    worker = {"capacity": 2, "queues": [name], "channels": channels, "labels": {"skill": 5}}
    says("PATCH /routing/workers/{}", name, body={**worker, "availableForOffers": True})
    job = {
        "channelId": "voice",
        "queueId": name,
        "requestedWorkerSelectors": [selector],
        "notes": [{"message": "hello"}],
        "tags": {"t": "x"},
    }
    says("PATCH /routing/jobs/{}", name, body=job)
    says("GET /routing/jobs/{}/position", name)
    says("GET /routing/queues/{}/statistics", name)
    says("PATCH /routing/jobs/{}", f"{name}-2", body={**job, "matchingMode": {"kind": "suspend"}})
    offer = says("GET /routing/workers/{}", name)["offers"][0]["offerId"]
    for plural in ("jobs", "workers", "queues", "classificationPolicies", "distributionPolicies"):
        says(f"GET /routing/{plural}", query="?maxpagesize=1")
    says("GET /ext/v1/queues")
    says("GET /ext/v1/workers")
    says("GET /ext/v1/jobs/{}:explain", f"{name}-2")
    says("GET /ext/v1/jobs/{}:explain", name)
    says("GET /ext/v1/jobs/{}:explain", name, query=f"?workerId={name}")
    says("GET /ext/v1/workers/{}:explain", name)
    accepted = says("POST /routing/workers/{}/offers/{}:accept", name, offer)
    assignment = (name, accepted["assignmentId"])
    says("GET /routing/workers/{}", name)
    says("POST /routing/jobs/{}/assignments/{}:complete", *assignment, body={"note": "done"})
    says("POST /routing/jobs/{}/assignments/{}:close", *assignment, body={})
    says("GET /routing/jobs/{}", name)
    says("POST /routing/jobs/{}:cancel", f"{name}-2", body={})
    says("GET /ext/v1/jobs/{}/history", name)
    says("GET /ext/v1/workers/{}/history", name)
    says("GET /ext/v1/events", query="?limit=1000")
    hook = {"destination": {"endpointUrl": "https://a.example.com/"}, "enabled": False, "startAfter": "0-0"}
    says("PATCH /ext/v1/subscriptions/{}", name, body=hook)
    says("GET /ext/v1/subscriptions")
    for action in ("validate", "rotateSecret", "replay"):
        says(f"POST /ext/v1/subscriptions/{{}}:{action}", name)
    says("GET /ext/v1/subscriptions/{}/deadLetters", name)


def test_refusals_are_as_described(call: Any, check: Check) -> None:
    status, answer = call("GET", "/routing/jobs/nobody")
    assert status == 404
    check("GET /routing/jobs/{}", status, answer)
    with pytest.raises(ValidationError):
        check("GET /routing/jobs/{}", 200, answer)


# ---- the pages -------------------------------------------------------------------------------------------


def get(client: Client, path: str) -> Any:
    return client.send("GET", path, b"", {"host": "localhost"})


def test_the_document_is_served(client: Client, described: dict[str, Any]) -> None:
    answer = get(client, "/openapi.json")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json == described


class _Page(HTMLParser):
    """What a page refers to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: set[str] = set()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            self.attributes.add(name)
            if name == "id":
                self.ids.add(value or "")
            elif name in ("href", "src"):
                self.links.add(value or "")


def test_the_page_needs_nothing_from_elsewhere(client: Client) -> None:
    answer = get(client, "/docs")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    page = _Page(answer.body.decode())
    assert "script" not in page.tags
    assert "style" not in page.attributes | page.tags
    inside = {link for link in page.links if link.startswith("#")}
    assert {link[1:] for link in inside} <= page.ids
    assert page.links - inside == {"/static/docs.css", "/openapi.json"}
    for link in page.links - inside:
        assert get(client, link).status == 200


def test_the_page_shows_every_route(client: Client, described: dict[str, Any]) -> None:
    text = get(client, "/docs").body.decode()
    for path, methods in described["paths"].items():
        assert f"<code>{path}</code>" in text
        for shown in methods.values():
            assert f'id="{shown["operationId"]}"' in text


def test_the_page_sets_text(described: dict[str, Any]) -> None:
    from api.wire import docs_page

    hostile = json.loads(json.dumps(described).replace("Tell the place of a job", "<img src=x onerror=y>"))
    assert "<img" not in docs_page.page(hostile, "/s.css", "/openapi.json")
