"""Rules as they are called: what policies say of them, joined with their secrets."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from engine.outgoing.oauth import Grant
from engine.outgoing.rules import FunctionRule, Rule, WebhookRule
from engine.outgoing.secret import Secret
from engine.remote import remote_of_text

_SecretsByPlace = dict[str, dict[str, str]]


def secrets_of_text(text: str) -> Mapping[str, Mapping[str, str]]:
    """The secrets of a policy by the places of its rules."""
    return msgspec.json.decode(text, type=_SecretsByPlace) if text else {}


def called_rule(kind: str, text: str, secrets: Mapping[str, str]) -> Rule:
    """A rule as it is called; ``kind`` is function or webhook, ``text`` its engine.remote.RemoteRule."""

    def secret(name: str) -> Secret | None:
        return Secret(secrets[name]) if name in secrets else None

    rule = remote_of_text(text)
    if kind == "function":
        return FunctionRule(Secret(rule.url), secret("function_key"), secret("app_key"), rule.client_id)
    if not rule.authorization:
        return WebhookRule(Secret(rule.url))
    client_secret = secret("client_secret") or Secret("")
    return WebhookRule(Secret(rule.url), Grant(Secret(rule.authorization), rule.client_id, client_secret))
