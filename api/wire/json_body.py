"""A request's body as untyped JSON, within the limits of engine.bounded_json."""

from __future__ import annotations

from typing import Any

from api.errors import BadRequest
from engine.bounded_json import BadJson, decode


def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object that a body must be."""
    try:
        value = decode(body)
    except BadJson as error:
        raise BadRequest(f"The body {error}.") from None
    if not isinstance(value, dict):
        raise BadRequest("The body must be a JSON object.")
    return value


def read_options(body: bytes) -> dict[str, Any]:
    """The JSON object that a body may be; none at all is an empty one."""
    return read_object(body) if body.strip() not in (b"", b"null") else {}
