"""From what clients send of a classification policy to what the router acts on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import UNSET, UnsetType

from api.errors import BadRequest
from api.wire.answers import queue_selectors, selectors_text, worker_selectors
from api.wire.rules import (
    ConditionalQueueAttachment,
    ConditionalWorkerAttachment,
    DirectMapRule,
    ExpressionRule,
    FunctionRule,
    PassThroughQueueAttachment,
    PassThroughWorkerAttachment,
    QueueAttachment,
    QueueSelector,
    Rule,
    RuleEngineQueueAttachment,
    RuleEngineWorkerAttachment,
    StaticQueueAttachment,
    StaticRule,
    StaticWorkerAttachment,
    WebhookRule,
    WeightedQueueAttachment,
    WeightedWorkerAttachment,
    WorkerAttachment,
    WorkerSelector,
)
from api.wire.values import MAX_ENTRIES, encode, stored_selector
from engine import model, pipelines
from engine.expressions import compile_expression
from engine.remote import RemoteRule, remote_text

Selectors = Sequence[QueueSelector] | Sequence[WorkerSelector]


_MAX_SELECTORS = 1000
"""Selectors of all attachments of a kind, those of all allocations among them."""


def pipeline_of(
    priority: Rule | UnsetType, workers: Sequence[WorkerAttachment], queues: Sequence[QueueAttachment]
) -> pipelines.Pipeline:
    """A policy in the router's own terms. Raises BadRequest when it has too many selectors."""
    found = pipelines.Pipeline(
        None if priority is UNSET else _rule(priority),
        [_worker_attachment(attachment) for attachment in workers],
        [_queue_attachment(attachment) for attachment in queues],
    )
    _check("workerSelectorAttachments", found.workers)
    _check("queueSelectorAttachments", found.queues)
    return found


def _check(name: str, attachments: Sequence[pipelines.Attachment]) -> None:
    always = sum(_count(a.selectors) for a in attachments if isinstance(a, pipelines.Always))
    if always > MAX_ENTRIES:
        raise BadRequest(
            f"The property '{name}' is not valid: {always} selectors are always attached; "
            f"at most {MAX_ENTRIES} may be."
        )
    given = sum(_count(a.selectors) for a in attachments if isinstance(a, pipelines.When))
    shares = [share for a in attachments if isinstance(a, pipelines.Draw) for share in a.shares]
    if (total := always + given + sum(_count(share.selectors) for share in shares)) > _MAX_SELECTORS:
        raise BadRequest(
            f"The property '{name}' is not valid: it has {total} selectors; at most {_MAX_SELECTORS} may be."
        )


def _count(selectors: str) -> int:
    return selectors.count("\n") + 1 if selectors else 0


def _rule(rule: Rule) -> pipelines.Rule:
    match rule:
        case StaticRule(value=value):
            return pipelines.Rule("value", "null" if value is UNSET else encode(value).decode())
        case DirectMapRule():
            return pipelines.Rule("labels")
        case ExpressionRule(expression=expression):
            return pipelines.Rule("expression", compile_expression(expression).text)
        case FunctionRule():
            return pipelines.Rule("function", remote_of(rule))
        case WebhookRule():
            return pipelines.Rule("webhook", remote_of(rule))


def remote_of(rule: FunctionRule | WebhookRule) -> str:
    """What the workers need to ask a rule, but its secrets."""
    if isinstance(rule, FunctionRule):
        client_id = (rule.credential and rule.credential.client_id) or ""
        return remote_text(RemoteRule(rule.function_uri, client_id))
    client_id = (rule.client_credential and rule.client_credential.client_id) or ""
    return remote_text(RemoteRule(rule.webhook_uri or "", client_id, rule.authorization_server_uri or ""))


def _worker_attachment(attachment: WorkerAttachment) -> pipelines.Attachment:
    match attachment:
        case StaticWorkerAttachment():
            return pipelines.Always(selectors_text([attachment.worker_selector]))
        case ConditionalWorkerAttachment():
            return pipelines.When(_rule(attachment.condition), selectors_text(attachment.worker_selectors))
        case PassThroughWorkerAttachment():
            return _label(attachment.key, attachment.label_operator, attachment.expires_after_seconds)
        case RuleEngineWorkerAttachment():
            return _answer(attachment.rule, worker_selectors)
        case WeightedWorkerAttachment():
            shares = [(share.weight, share.worker_selectors) for share in attachment.allocations]
            return pipelines.Draw(
                [pipelines.Share(weight, selectors_text(given)) for weight, given in shares]
            )


def _queue_attachment(attachment: QueueAttachment) -> pipelines.Attachment:
    match attachment:
        case StaticQueueAttachment():
            return pipelines.Always(selectors_text([attachment.queue_selector]))
        case ConditionalQueueAttachment():
            return pipelines.When(_rule(attachment.condition), selectors_text(attachment.queue_selectors))
        case PassThroughQueueAttachment():
            return _label(attachment.key, attachment.label_operator, UNSET)
        case RuleEngineQueueAttachment():
            return _answer(attachment.rule, queue_selectors)
        case WeightedQueueAttachment():
            shares = [(share.weight, share.queue_selectors) for share in attachment.allocations]
            return pipelines.Draw(
                [pipelines.Share(weight, selectors_text(given)) for weight, given in shares]
            )


def _label(key: str, operator: Any, seconds: float | UnsetType) -> pipelines.Label:
    stored = stored_selector(key, operator, UNSET, seconds, False)
    return pipelines.Label(model.json_text(key), stored.operator, stored.seconds)


def _answer(rule: Rule, read: Callable[[Any], str | None]) -> pipelines.Attachment:
    """What a rule gives; a value that is a list of selectors gives always the same.

    Any other value may be stored: such a policy fails when it is applied.
    """
    if isinstance(rule, StaticRule) and (selectors := read(rule.value)) is not None:
        return pipelines.Always(selectors)
    return pipelines.Answer(_rule(rule))
