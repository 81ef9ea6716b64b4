"""What of a function or webhook rule is no secret, as it stands in what policies are cut into."""

from __future__ import annotations

import msgspec


class RemoteRule(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whom to ask, and as whom; ``authorization`` is the URL of a webhook's authorization server."""

    url: str = ""
    client_id: str = ""
    authorization: str = ""


def remote_text(rule: RemoteRule) -> str:
    """A rule as text."""
    return msgspec.json.encode(rule).decode()


def remote_of_text(text: str) -> RemoteRule:
    """A rule from its text."""
    return msgspec.json.decode(text, type=RemoteRule)
