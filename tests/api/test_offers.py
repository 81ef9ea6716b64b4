"""Offers and assignments on the wire."""

from __future__ import annotations

from typing import Any

import pytest

from engine.commands import (
    AssignmentClose,
    AssignmentComplete,
    AssignmentUnassign,
    Command,
    OfferAccept,
    OfferDecline,
)
from engine.errors import Refused

ASSIGNMENT = "/routing/jobs/j/assignments/a"
OFFER = "/routing/workers/w/offers/o"


@pytest.mark.parametrize(
    ("path", "body", "command"),
    [
        (f"{OFFER}:accept", None, OfferAccept("w", "o", "r")),
        (f"{OFFER}:accept", {}, OfferAccept("w", "o", "r")),
        (f"{OFFER}:decline", None, OfferDecline("w", "o", request_id="r")),
        (f"{OFFER}:decline", {"retryOfferAt": None}, OfferDecline("w", "o", request_id="r")),
        (
            f"{OFFER}:decline",
            {"retryOfferAt": "0001-01-01T00:00:00.000Z"},
            OfferDecline("w", "o", request_id="r"),
        ),
        (
            f"{OFFER}:decline",
            {"retryOfferAt": "0001-01-01T00:00:00+05:00"},
            OfferDecline("w", "o", request_id="r"),
        ),
        (f"{OFFER}:decline", {"retryOfferAt": "1960-01-01T00:00:00Z"}, OfferDecline("w", "o", 1, "r")),
        (
            f"{OFFER}:decline",
            {"RetryOfferAt": "2023-11-14T22:13:20.1234567Z"},
            OfferDecline("w", "o", 1700000000123, "r"),
        ),
        (
            f"{OFFER}:decline",
            {"retryOfferAt": "9999-12-31T23:59:59.9999999+00:00"},
            OfferDecline("w", "o", 253402300799999, "r"),
        ),
        (f"{ASSIGNMENT}:complete", None, AssignmentComplete("j", "a", "r")),
        (f"{ASSIGNMENT}:complete", {"note": "n"}, AssignmentComplete("j", "a", "r", '"n"')),
        (f"{ASSIGNMENT}:close", {}, AssignmentClose("j", "a", request_id="r")),
        (
            f"{ASSIGNMENT}:close",
            {"closeAt": "2023-11-15T00:13:20.123456789+02:00", "dispositionCode": "d", "note": "n"},
            AssignmentClose("j", "a", "d", 1700000000123, "r", '"n"'),
        ),
        (
            f"{ASSIGNMENT}:close",
            {"closeAt": "0001-01-01T00:00:00.0000000Z"},
            AssignmentClose("j", "a", request_id="r"),
        ),
        (f"{ASSIGNMENT}:unassign", None, AssignmentUnassign("j", "a", False, "r")),
        (f"{ASSIGNMENT}:unassign", {"suspendMatching": True}, AssignmentUnassign("j", "a", True, "r")),
    ],
)
def test_actions(client: Any, store: Any, path: str, body: Any, command: Command) -> None:
    store.on(type(command), {"op": 1, "job": "j", "assignment": "a", "worker": "w", "count": 2})
    response = client("POST", path, body, headers={"x-ms-client-request-id": "r"})
    assert response.status == 200
    assert store.commands == [command]
    results = {
        OfferAccept: {"assignmentId": "a", "jobId": "j", "workerId": "w"},
        AssignmentUnassign: {"jobId": "j", "unassignmentCount": 2},
    }
    assert response.json == results.get(type(command), {})


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (f"{OFFER}:accept", []),
        (f"{OFFER}:decline", {"retryOfferAt": "soon"}),
        (f"{OFFER}:decline", {"retryOfferAt": 5}),
        (f"{OFFER}:decline", {"retryOfferAt": "2024-02-30T00:00:00Z"}),
        (f"{OFFER}:decline", {"retryOfferAt": "2024-01-01"}),
        (f"{OFFER}:decline", {"retryOfferAt": "2024-01-01T00:00:00"}),
        (f"{ASSIGNMENT}:complete", {"note": 1}),
        (f"{ASSIGNMENT}:close", {"closeAt": True}),
        (f"{ASSIGNMENT}:close", {"dispositionCode": 1}),
        (f"{ASSIGNMENT}:unassign", {"suspendMatching": "true"}),
        (f"{ASSIGNMENT}:unassign", {"suspendMatching": 1}),
        (f"{ASSIGNMENT}:unassign", b"{"),
    ],
)
def test_bad_options(client: Any, store: Any, path: str, body: Any) -> None:
    response = client("POST", path, body)
    assert response.status == 400
    assert response.error["target"] == path
    assert store.commands == []


def test_offer_that_is_gone(client: Any, store: Any) -> None:
    text = "DeclineOfferCommandHandler: Offer not found. OfferId: o, WorkerId: w"
    store.on(OfferDecline, Refused("NOT_FOUND", text))
    response = client("POST", f"{OFFER}:decline", {})
    assert response.status == 404
    assert response.error == {"code": "NotFound", "message": text, "target": f"{OFFER}:decline"}
