"""From what clients send of a classification policy to what the router acts on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from api.errors import BadRequest
from api.wire.folding import folder
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
    QueueSelectors,
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
    WorkerSelectors,
)
from api.wire.values import encode, stored_selector
from engine import model, pipelines
from engine.expressions import compile_expression

Selectors = Sequence[QueueSelector] | Sequence[WorkerSelector]


def pipeline_of(
    priority: Rule | UnsetType, workers: Sequence[WorkerAttachment], queues: Sequence[QueueAttachment]
) -> pipelines.Pipeline:
    """A policy in the router's own terms."""
    return pipelines.Pipeline(
        None if priority is UNSET else _rule(priority),
        [_worker_attachment(attachment) for attachment in workers],
        [_queue_attachment(attachment) for attachment in queues],
    )


def _rule(rule: Rule) -> pipelines.Rule:
    match rule:
        case StaticRule(value=value):
            return pipelines.Rule("value", "null" if value is UNSET else encode(value).decode())
        case DirectMapRule():
            return pipelines.Rule("labels")
        case ExpressionRule(expression=expression):
            return pipelines.Rule("expression", compile_expression(expression).text)
        case FunctionRule():
            return pipelines.Rule("function")
        case WebhookRule():
            return pipelines.Rule("webhook")


def _worker_attachment(attachment: WorkerAttachment) -> pipelines.Attachment:
    match attachment:
        case StaticWorkerAttachment():
            return pipelines.Always(_text([attachment.worker_selector]))
        case ConditionalWorkerAttachment():
            return pipelines.When(_rule(attachment.condition), _text(attachment.worker_selectors))
        case PassThroughWorkerAttachment():
            return _label(attachment.key, attachment.label_operator, attachment.expires_after_seconds)
        case RuleEngineWorkerAttachment():
            return _answer(attachment.rule, _worker_selectors)
        case WeightedWorkerAttachment():
            shares = [(share.weight, share.worker_selectors) for share in attachment.allocations]
            return pipelines.Draw([pipelines.Share(weight, _text(given)) for weight, given in shares])


def _queue_attachment(attachment: QueueAttachment) -> pipelines.Attachment:
    match attachment:
        case StaticQueueAttachment():
            return pipelines.Always(_text([attachment.queue_selector]))
        case ConditionalQueueAttachment():
            return pipelines.When(_rule(attachment.condition), _text(attachment.queue_selectors))
        case PassThroughQueueAttachment():
            return _label(attachment.key, attachment.label_operator, UNSET)
        case RuleEngineQueueAttachment():
            return _answer(attachment.rule, _queue_selectors)
        case WeightedQueueAttachment():
            shares = [(share.weight, share.queue_selectors) for share in attachment.allocations]
            return pipelines.Draw([pipelines.Share(weight, _text(given)) for weight, given in shares])


def _text(selectors: Selectors) -> str:
    return model.selectors_text(selector.stored() for selector in selectors)


def _label(key: str, operator: Any, seconds: float | UnsetType) -> pipelines.Label:
    stored = stored_selector(key, operator, UNSET, seconds, False)
    return pipelines.Label(model.json_text(key), stored.operator, stored.seconds)


def _answer(rule: Rule, read: Callable[[Any], Selectors]) -> pipelines.Attachment:
    """What a rule gives; a value that is a list of selectors gives always the same."""
    if isinstance(rule, StaticRule):
        try:
            return pipelines.Always(_text(read(rule.value)))
        except (msgspec.ValidationError, BadRequest):
            pass  # any value may be stored; such a policy fails when it is applied
    return pipelines.Answer(_rule(rule))


_fold_worker, _fold_queue = folder(WorkerSelector), folder(QueueSelector)


def _worker_selectors(value: Any) -> Selectors:
    return msgspec.convert(_each(value, _fold_worker), WorkerSelectors)


def _queue_selectors(value: Any) -> Selectors:
    return msgspec.convert(_each(value, _fold_queue), QueueSelectors)


def _each(value: Any, fold: Callable[[Any], Any]) -> Any:
    return [fold(item) for item in value] if isinstance(value, list) else value
