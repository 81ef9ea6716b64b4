"""JSON merge patch (RFC 7396).

What the contract adds needs no code here: fields of a former ``kind`` are dropped when the merged value is
read as its new kind, and an absent member reads as its default, so that null resets it.
"""

from __future__ import annotations

from typing import Any


def merge(target: Any, patch: Any) -> Any:
    """The target with the patch applied; neither is changed."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict):
            merged[name] = merge(merged.get(name), value)
        else:
            merged[name] = value
    return merged
