"""A request's body as untyped JSON, within the limits: depth, well-formed Unicode, no NUL."""

from __future__ import annotations

from typing import Any

import msgspec

from api.errors import BadRequest

MAX_DEPTH = 32

_decode = msgspec.json.Decoder().decode


def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object that a body must be."""
    value = _read(body)
    if not isinstance(value, dict):
        raise BadRequest("The body must be a JSON object.")
    return value


def read_options(body: bytes) -> dict[str, Any]:
    """The JSON object that a body may be; none at all is an empty one."""
    return read_object(body) if body.strip() not in (b"", b"null") else {}


def _read(body: bytes) -> Any:
    try:
        value = _decode(body)
    except RecursionError:
        raise _too_deep() from None
    except UnicodeDecodeError:
        raise BadRequest("The body is not valid UTF-8.") from None
    except msgspec.MsgspecError as error:
        raise BadRequest(f"The body is not valid JSON: {error}.") from None
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH or b"\\u0000" in body:
        _check(value)
    return value


def _check(value: Any) -> None:
    """Looks at every level: only for bodies that could be too deep or hold a NUL."""
    level = [value]
    for _ in range(MAX_DEPTH):
        inside: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                inside.extend(item)
                inside.extend(item.values())
            elif isinstance(item, list):
                inside.extend(item)
            elif isinstance(item, str) and "\0" in item:
                raise BadRequest("The body must not contain the character NUL.")
        level = inside
    if any(isinstance(item, dict | list) for item in level):
        raise _too_deep()
    if any(isinstance(item, str) and "\0" in item for item in level):
        raise BadRequest("The body must not contain the character NUL.")


def _too_deep() -> BadRequest:
    return BadRequest(f"The body is nested deeper than {MAX_DEPTH} levels.")
