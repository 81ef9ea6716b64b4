"""The description of the whole surface as an OpenAPI 3.1 document."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from api import errors
from api.viewing import COOKIE, reads
from api.wire import queries
from api.wire.operations import OPERATIONS, Done, Operation
from api.wire.shapes import Schema, Shapes
from api.wire.values import MAX_ID
from engine import __version__

ACS = "/routing/"

_JSON, _PATCH = "application/json", "application/merge-patch+json"
_TEXT: Schema = {"type": "string"}
_TIME: Schema = {"type": "string", "format": "date-time"}
_WHOLE: Schema = {"type": "integer", "minimum": 1}
_ID: Schema = {"type": "string", "minLength": 1, "maxLength": MAX_ID}

_QUERY: dict[str, tuple[Schema, str]] = {
    "maxpagesize": ({**_WHOLE, "maximum": 1000, "default": 100}, "Rows of a page at most."),
    "continuationToken": (_TEXT, "Where a page goes on, as the link to it says."),
    "status": ({"enum": list(queries.JOB_STATUSES), "default": queries.ALL}, "Jobs of this status."),
    "state": ({"enum": list(queries.WORKER_STATES), "default": queries.ALL}, "Workers of this state."),
    "queueId": (_ID, "Of this queue."),
    "channelId": (_ID, "Of this channel."),
    "workerId": (_ID, "About this worker."),
    "jobId": (_ID, "About this job."),
    "eventType": (_TEXT, "Events of this type; several with commas between."),
    "subjectBeginsWith": (_TEXT, "Events whose subject begins with this."),
    "subjectEndsWith": (_TEXT, "Events whose subject ends with this."),
    "heartbeat": ({**_WHOLE, "maximum": 300, "default": 15}, "Seconds between signs of life."),
    "wait": ({"type": "integer", "minimum": 0, "maximum": 60, "default": 30}, "Seconds to wait at most."),
    "classificationPolicyId": (_ID, "With this classification policy."),
    "scheduledBefore": (_TIME, "Scheduled at this time or earlier."),
    "scheduledAfter": (_TIME, "Scheduled at this time or later."),
    "hasCapacity": ({"type": "boolean", "default": False}, "Only workers with room for another job."),
    "after": (_TEXT, "What comes after this: the id or cursor of an earlier answer."),
    "before": (_TEXT, "Events before this one, by its place in the log, as 17.2."),
    "limit": ({**_WHOLE, "maximum": 1000, "default": 100}, "Rows at most."),
}

_TAGS = {
    "Jobs": "Jobs and their assignments, as in Azure Communication Services.",
    "Workers": "Workers and their offers, as in Azure Communication Services.",
    "Queues": "Queues, as in Azure Communication Services.",
    "Policies": "Classification, distribution and exception policies, as in Azure Communication Services.",
    "Events": "What happened, in order; beyond what the SDKs know.",
    "Watching": "Looking at a router; beyond what the SDKs know.",
    "Operating": "Health and metrics, without an access key.",
}

_ABOUT = (
    "A self-hosted job router, wire-compatible with Azure Communication Services Job Router. Requests are "
    "signed as Azure signs them, by HMAC-SHA256 over method, path, date, host and the hash of the body; "
    "reading, and a preview, takes a viewing key as well. A repeated action with the same "
    "`x-ms-client-request-id` acts once."
)

_EVENT: Schema = {
    "type": "object",
    "description": "An event in the format of Event Grid.",
    "properties": {
        "id": _TEXT,
        "topic": _TEXT,
        "subject": _TEXT,
        "data": {"type": "object"},
        "eventType": _TEXT,
        "dataVersion": _TEXT,
        "metadataVersion": _TEXT,
        "eventTime": _TIME,
    },
    "required": ["id", "topic", "subject", "data", "eventType", "eventTime"],
}


def document(routes: Iterable[str]) -> dict[str, Any]:
    """The document of these routes (``METHOD /path/{}:action``) and of the pages beside them."""
    operations = {route: OPERATIONS.get(route) or _unknown(route) for route in routes}
    # what is sent first: of two that would have one name it keeps the plain one
    fields = ("takes", "shows", "beside")
    kinds = [kind for field in fields for one in operations.values() if (kind := getattr(one, field))]
    shapes = Shapes([*kinds, errors._Envelope])
    paths: dict[str, dict[str, Any]] = {}
    for route, operation in operations.items():
        method, path = route.split(" ")
        named, parameters = _named(path)
        paths.setdefault(named, {})[method.lower()] = _described(operation, method, path, parameters, shapes)
    schemas = {**shapes.components, "Event": _EVENT}
    _show_events(schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "jobrouter", "version": __version__, "description": _ABOUT},
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": text} for name, text in _TAGS.items()],
        "security": [{"signature": []}],
        "paths": {**paths, **_pages(shapes)},
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "securitySchemes": {
                "signature": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "HMAC-SHA256 with an access key, as the official SDKs sign.",
                },
                "viewing": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A viewing key: reads everything, changes nothing.",
                },
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": COOKIE,
                    "description": "The session of a browser that has signed in with a viewing key.",
                },
            },
        },
    }


def _described(
    operation: Operation, method: str, path: str, parameters: list[Schema], shapes: Shapes
) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.about,
        "tags": [operation.tag],
        "parameters": [*parameters, *_more_parameters(operation, method, path)],
        "responses": _responses(operation, shapes),
    }
    if operation.takes is not None:
        schema = shapes.patch(operation.takes) if operation.patch else shapes.ref(operation.takes)
        content = {_PATCH if operation.patch else _JSON: {"schema": schema}}
        shown["requestBody"] = {"content": content, "required": operation.patch}
    if reads(method, path):
        shown["security"] = [{"signature": []}, {"viewing": []}, {"session": []}]
    return shown


def _named(path: str) -> tuple[str, list[Schema]]:
    """A path with names for its ids, made of what stands before each, and these as parameters."""
    parameters: list[Schema] = []

    def name(found: re.Match[str]) -> str:
        noun = found[1]
        singular = f"{noun[:-3]}y" if noun.endswith("ies") else noun.removesuffix("s")
        parameters.append({"name": f"{singular}Id", "in": "path", "required": True, "schema": _ID})
        return f"{noun}/{{{singular}Id}}"

    return re.sub(r"(\w+)/\{\}", name, path), parameters


def _more_parameters(operation: Operation, method: str, path: str) -> list[Schema]:
    found: list[Schema] = []
    if path.startswith(ACS):
        version = {"enum": list(queries.VERSIONS)}
        found.append({"name": queries.VERSION, "in": "query", "required": True, "schema": version})
    for name in operation.query:
        schema, text = _QUERY[name]
        found.append({"name": name, "in": "query", "description": text, "schema": schema})
    headers: dict[str, str] = {}
    if operation.patch:
        headers |= {
            "If-Match": "Only if it has one of these ETags.",
            "If-None-Match": "Only if it has none of these ETags.",
            "If-Unmodified-Since": "Only if it has not changed since.",
        }
    if operation.streams:
        headers["Last-Event-ID"] = "The last event that the client has seen; goes before `after`."
    if method != "GET":
        headers["x-ms-client-request-id"] = "The client's id of the request, the same in all repetitions."
    found += [
        {"name": n, "in": "header", "description": text, "schema": _TEXT} for n, text in headers.items()
    ]
    return found


def _responses(operation: Operation, shapes: Shapes) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    if operation.streams:
        content = {"text/event-stream": {"schema": _TEXT}}
        responses["200"] = {"description": "Events, for as long as the client stays.", "content": content}
    elif operation.shows is None:
        responses["204"] = {"description": "Done; what is not there counts as deleted."}
    else:
        schema = shapes.ref(operation.shows)
        if operation.beside is not None:
            schema = {"allOf": [schema, shapes.ref(operation.beside)]}
        if operation.pages:
            schema = {
                "type": "object",
                "properties": {
                    "value": {"type": "array", "items": schema},
                    "nextLink": {**_TEXT, "description": "Where the next page is; none on the last."},
                },
                "required": ["value"],
            }
        answer = {"description": "The answer.", "content": {_JSON: {"schema": schema}}}
        if operation.patch:
            version = {"ETag": {"schema": _TEXT}, "Last-Modified": {"schema": _TEXT}}
            answer = {**answer, "headers": version}
            responses["201"] = {**answer, "description": "It was created."}
        responses["200"] = answer
    later = {"x-ms-error-code": {"schema": _TEXT}, "Retry-After": {"schema": _WHOLE}}
    responses["429"] = {
        **_error(shapes),
        "description": "The router's limit of requests is reached: repeat it when told.",
        "headers": later,
    }
    responses["503"] = {
        **_error(shapes),
        "description": "Too much is under way, or the store does not answer: repeat it after a while.",
        "headers": later,
    }
    responses["default"] = _error(shapes)
    return responses


def _error(shapes: Shapes) -> dict[str, Any]:
    return {
        "description": "It was refused; nothing has changed.",
        "headers": {"x-ms-error-code": {"schema": _TEXT}},
        "content": {_JSON: {"schema": shapes.ref(errors._Envelope)}},
    }


def _show_events(schemas: dict[str, Schema]) -> None:
    """The payloads of events are written as they are stored: the structs do not tell their form."""
    event = {"$ref": "#/components/schemas/Event"}
    if "Entry" in schemas:
        schemas["Entry"]["properties"]["events"]["items"] = event
    if "DeadLetter" in schemas:
        schemas["DeadLetter"]["properties"]["event"] = event
    if "Row" in schemas:
        schemas["Row"]["properties"]["event"] = event


def _unknown(route: str) -> Operation:
    """A route of which nothing is known but its path."""
    words = re.findall(r"\w+", route)
    return Operation("".join(word.title() for word in words), route, "Watching", Done)


def _pages(shapes: Shapes) -> dict[str, Any]:
    """The pages beside the interface."""

    def page(name: str, text: str, kind: str, schema: Schema, more: Mapping[str, Any] | None = None) -> Any:
        answer = {"description": "The answer.", "content": {kind: {"schema": schema}}}
        return {
            "get": {
                "operationId": name,
                "summary": text,
                "tags": ["Operating"],
                "security": [],
                "responses": {"200": answer, **(more or {})},
            }
        }

    report: Schema = {
        "type": "object",
        "properties": {
            "status": {"enum": ["ready", "unavailable"]},
            "reasons": {"type": "array", "items": _TEXT},
            "warnings": {"type": "array", "items": _TEXT},
            "library": {"type": "object"},
            "settings": {"type": "object"},
        },
        "required": ["status"],
    }
    not_ready = {"description": "Not ready.", "content": {_JSON: {"schema": report}}}
    alive: Schema = {"type": "object", "properties": {"status": {"const": "ok"}}, "required": ["status"]}
    metrics = page("getMetrics", "Metrics for Prometheus.", "text/plain", _TEXT, {"default": _error(shapes)})
    metrics["get"]["security"] = [{}, {"viewing": []}, {"session": []}]
    agrees = page(
        "agree", "Agree to get events, by the code that the endpoint was sent.", "text/plain", _TEXT
    )
    agrees["get"]["tags"] = ["Events"]
    agrees["get"]["responses"]["default"] = _error(shapes)
    agrees["get"]["parameters"] = [
        {"name": "tenant", "in": "path", "required": True, "schema": _ID},
        {"name": "subscription", "in": "query", "required": True, "schema": _ID},
        {"name": "code", "in": "query", "required": True, "schema": _TEXT},
    ]
    return {
        "/validate/{tenant}": agrees,
        "/health/live": page("getLiveness", "Does the process answer?", _JSON, alive),
        "/health/ready": page(
            "getReadiness", "Can the router work? Reasons and warnings.", _JSON, report, {"503": not_ready}
        ),
        "/metrics": metrics,
        "/openapi.json": page("getDescription", "This document.", _JSON, {"type": "object"}),
    }
