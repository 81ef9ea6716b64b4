"""The write-only members of policies: kept apart from the document, carried over when a policy is merged.

A policy's secrets are a JSON object: the place of a rule in the policy, as text, to the secrets of that rule.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import UNSET

from api.wire.policies import BestWorker, ClassificationPolicy, DistributionPolicy, PolicyBody
from api.wire.rules import (
    ClientCredential,
    ConditionalQueueAttachment,
    ConditionalWorkerAttachment,
    FunctionCredential,
    FunctionRule,
    Rule,
    RuleEngineQueueAttachment,
    RuleEngineWorkerAttachment,
    WebhookRule,
)
from api.wire.values import encode

Credential = FunctionCredential | ClientCredential
Secrets = dict[str, dict[str, str]]

_WRITE_ONLY = ("function_key", "app_key", "client_secret")
_URIS = ("function_uri", "webhook_uri", "authorization_server_uri")


def text_of(secrets: Secrets) -> str:
    """Secrets as they are stored."""
    return encode(secrets).decode() if secrets else ""


def parse(text: str) -> Secrets:
    """Secrets from what is stored."""
    return msgspec.json.decode(text, type=Secrets) if text else {}


def take(policy: PolicyBody) -> Secrets:
    """The secrets of a policy, which has none afterwards."""
    taken: Secrets = {}
    for place, credential in _credentials(policy).items():
        secrets = _secrets(credential)
        for name in secrets:
            setattr(credential, name, UNSET)
        if secrets:
            taken[place] = secrets
    return taken


def put(policy: PolicyBody, secrets: Secrets) -> None:
    """Gives a policy its secrets back."""
    for place, credential in _credentials(policy).items():
        for name, value in secrets.get(place, {}).items():
            setattr(credential, name, value)


def inherit(policy: PolicyBody, former: PolicyBody) -> None:
    """Rules that a client sends back as it has read them, so without their secrets, keep them."""
    before = _rules(former)
    for place, rule in _rules(policy).items():
        credential, past = _credential(rule), _credential(before.get(place))
        if credential and past and not _secrets(credential) and _same_without_secrets(rule, before[place]):
            for name, value in _secrets(past).items():
                setattr(credential, name, value)


def hide_queries(policy: PolicyBody) -> None:
    """Takes the queries of all URIs away: they may hold a key, and not everybody who reads may call."""
    for rule in _rules(policy).values():
        for name in _URIS:
            if uri := getattr(rule, name, UNSET):
                setattr(rule, name, uri.partition("#")[0].partition("?")[0])


def _same_without_secrets(rule: Rule, former: Rule) -> bool:
    public = msgspec.convert(msgspec.to_builtins(former), type(former))
    credential = _credential(public)
    for name in _secrets(credential) if credential else ():
        setattr(credential, name, UNSET)
    return rule == public


def _secrets(credential: Credential) -> dict[str, str]:
    values = {name: getattr(credential, name, UNSET) for name in _WRITE_ONLY}
    return {name: value for name, value in values.items() if value is not UNSET}


def _credential(rule: Rule | None) -> Credential | None:
    if isinstance(rule, FunctionRule):
        return rule.credential or None
    if isinstance(rule, WebhookRule):
        return rule.client_credential or None
    return None


def _credentials(policy: PolicyBody) -> dict[str, Credential]:
    found = {place: _credential(rule) for place, rule in _rules(policy).items()}
    return {place: credential for place, credential in found.items() if credential}


def _rules(policy: PolicyBody) -> dict[str, Rule]:
    return dict(_each_rule(policy))


def _each_rule(policy: PolicyBody) -> Iterator[tuple[str, Rule]]:
    """Every rule of a policy, with its place."""
    if isinstance(policy, DistributionPolicy):
        if isinstance(policy.mode, BestWorker) and policy.mode.scoring_rule is not UNSET:
            yield "scoring", policy.mode.scoring_rule
    elif isinstance(policy, ClassificationPolicy):
        if policy.prioritization_rule is not UNSET:
            yield "priority", policy.prioritization_rule
        for name, attachments in (
            ("queue", policy.queue_selector_attachments),
            ("worker", policy.worker_selector_attachments),
        ):
            for i, attachment in enumerate(attachments):
                if isinstance(attachment, ConditionalQueueAttachment | ConditionalWorkerAttachment):
                    yield f"{name}.{i}", attachment.condition
                elif isinstance(attachment, RuleEngineQueueAttachment | RuleEngineWorkerAttachment):
                    yield f"{name}.{i}", attachment.rule
