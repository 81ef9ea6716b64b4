"""JSON that others have written, within limits: well-formed, UTF-8, no NUL, not too deep."""

from __future__ import annotations

from typing import Any

import msgspec

MAX_DEPTH = 32

_decode = msgspec.json.Decoder().decode


class BadJson(ValueError):
    """What is wrong with a text, as the rest of a sentence: ``is nested deeper than 32 levels``."""


def decode(text: bytes) -> Any:
    """Any JSON value; of equal names in an object the last counts. Raises BadJson."""
    try:
        value = _decode(text)
    except RecursionError:
        raise _too_deep() from None
    except UnicodeDecodeError:
        raise BadJson("is not valid UTF-8") from None
    except msgspec.MsgspecError as error:
        raise BadJson(f"is not valid JSON: {error}") from None
    if text.count(b"[") + text.count(b"{") > MAX_DEPTH or b"\\u0000" in text:
        _check(value)
    return value


def _check(value: Any) -> None:
    """Looks at every level: only for texts that could be too deep or hold a NUL."""
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
                raise _holds_nul()
        level = inside
    if any(isinstance(item, dict | list) for item in level):
        raise _too_deep()
    if any(isinstance(item, str) and "\0" in item for item in level):
        raise _holds_nul()


def _too_deep() -> BadJson:
    return BadJson(f"is nested deeper than {MAX_DEPTH} levels")


def _holds_nul() -> BadJson:
    return BadJson("must not contain the character NUL")
