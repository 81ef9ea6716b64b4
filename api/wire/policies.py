"""Classification, distribution and exception policies: what clients send, and the commands that store it."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import uuid4

import msgspec
from msgspec import UNSET, Meta, UnsetType

from api.errors import BadRequest
from api.wire.options import note_text
from api.wire.pipelines import pipeline_of, remote_of
from api.wire.rules import (
    DirectMapRule,
    ExpressionRule,
    FunctionRule,
    QueueAttachment,
    Rule,
    StaticRule,
    WebhookRule,
    WorkerAttachment,
    WorkerSelectors,
)
from api.wire.values import (
    MAX_ENTRIES,
    MAX_SECONDS,
    Count,
    Id,
    Labels,
    Priority,
    Reference,
    Text,
    encode,
    labels_text,
)
from engine import exception_rules, model, scoring
from engine.commands import PolicyUpsert
from engine.pipelines import pipeline_text

Expiry = Annotated[int, Meta(ge=1, le=MAX_SECONDS)] | Annotated[float, Meta(ge=1, le=MAX_SECONDS)]
ScoringParameter = Literal["jobLabels", "workerSelectors"]
Threshold = Annotated[int, Meta(gt=0, le=MAX_SECONDS)] | Annotated[float, Meta(gt=0, le=MAX_SECONDS)]


_MAX_ACTIONS = 10
_MAX_EXPRESSIONS = 20_000
"""Characters of the expressions of a classification policy: all may be evaluated in one call."""
_BATCH_SIZE = 20
"""Workers that are scored at a time where a policy does not say how many."""


class _Kind(msgspec.Struct, tag_field="kind", rename="camel", kw_only=True):
    pass


class PolicyBody(msgspec.Struct, rename="camel", kw_only=True):
    """What clients may set of any policy; a subclass says how it is stored beside its document."""

    name: Text | UnsetType = UNSET

    def complete(self) -> None:
        """Fills in what the service makes, and checks what one property alone cannot show."""

    def control(self) -> dict[str, Any]:
        """The fields of the command that the router acts on."""
        return {}


# ---- distribution ------------------------------------------------------------------------------------------


class ScoringOptions(msgspec.Struct, rename="camel"):
    """How workers are scored."""

    batch_size: Count | UnsetType = UNSET
    scoring_parameters: list[ScoringParameter] = msgspec.field(
        default_factory=lambda: ["jobLabels", "workerSelectors"]
    )
    is_batch_scoring_enabled: bool = False
    descending_order: bool = True


class _Concurrent(_Kind):
    min_concurrent_offers: Count = 1
    max_concurrent_offers: Count = 1
    bypass_selectors: bool = False

    def __post_init__(self) -> None:
        _check_bounds(self.min_concurrent_offers, self.max_concurrent_offers)


class RoundRobin(_Concurrent, tag="roundRobin"):
    """Workers in turn."""


class LongestIdle(_Concurrent, tag="longestIdle"):
    """The worker that waits longest."""


class BestWorker(_Kind, tag="bestWorker"):
    """The worker with the best score."""

    scoring_rule: Rule | UnsetType = UNSET
    scoring_rule_options: ScoringOptions = msgspec.field(default_factory=ScoringOptions)
    min_concurrent_offers: Count = 1
    max_concurrent_offers: Count = 1
    bypass_selectors: bool = False

    def __post_init__(self) -> None:
        _check_bounds(self.min_concurrent_offers, self.max_concurrent_offers)


def _scoring(rule: Rule, options: ScoringOptions) -> scoring.Scoring:
    """A scoring rule in the router's own terms."""
    job = "jobLabels" in options.scoring_parameters
    selectors = "workerSelectors" in options.scoring_parameters
    size = _BATCH_SIZE if options.batch_size is UNSET else options.batch_size
    batch = size if options.is_batch_scoring_enabled else 0
    match rule:
        case ExpressionRule(expression=source):
            return scoring.by_expression(source, job_labels=job)
        case FunctionRule():
            return scoring.Function(remote_of(rule), job, selectors, batch)
        case WebhookRule():
            return scoring.Webhook(remote_of(rule), job, selectors, batch)
        case StaticRule() | DirectMapRule():
            # one value for all; labels are no score
            return scoring.Equal()


def _check_bounds(least: int, most: int) -> None:
    if least > most:
        raise ValueError("minConcurrentOffers must not exceed maxConcurrentOffers")


class DistributionPolicy(PolicyBody, kw_only=True):
    """How offers are made."""

    offer_expires_after_seconds: Expiry
    mode: RoundRobin | LongestIdle | BestWorker

    def control(self) -> dict[str, Any]:
        """How offers are made, in the router's own terms."""
        mode = self.mode
        fields: dict[str, Any] = {
            "expires_ms": round(self.offer_expires_after_seconds * 1000),
            "mode": mode.__struct_config__.tag,
            "min_offers": mode.min_concurrent_offers,
            "max_offers": mode.max_concurrent_offers,
            "bypass": mode.bypass_selectors,
        }
        if isinstance(mode, BestWorker):
            fields["descending"] = mode.scoring_rule_options.descending_order
            if mode.scoring_rule is not UNSET:
                fields["rules"] = scoring.scoring_text(_scoring(mode.scoring_rule, mode.scoring_rule_options))
        return fields


# ---- classification ----------------------------------------------------------------------------------------


class ClassificationPolicy(PolicyBody, kw_only=True):
    """How priority, selectors and queue of a job are found."""

    fallback_queue_id: Reference | UnsetType = UNSET
    queue_selector_attachments: Annotated[list[QueueAttachment], Meta(max_length=MAX_ENTRIES)] = []
    prioritization_rule: Rule | UnsetType = UNSET
    worker_selector_attachments: Annotated[list[WorkerAttachment], Meta(max_length=MAX_ENTRIES)] = []

    def complete(self) -> None:
        """An empty reference is none; the expressions together must not be too long."""
        self.fallback_queue_id = self.fallback_queue_id or UNSET
        rules = [self.prioritization_rule]
        for attachment in (*self.worker_selector_attachments, *self.queue_selector_attachments):
            rules += [getattr(attachment, "condition", UNSET), getattr(attachment, "rule", UNSET)]
        if sum(len(rule.expression) for rule in rules if isinstance(rule, ExpressionRule)) > _MAX_EXPRESSIONS:
            raise BadRequest(
                f"The expressions of the policy are too long: at most {_MAX_EXPRESSIONS} characters together."
            )

    def control(self) -> dict[str, Any]:
        """What it finds, in the router's own terms, and the queue that it refers to."""
        pipeline = pipeline_of(
            self.prioritization_rule, self.worker_selector_attachments, self.queue_selector_attachments
        )
        return {"fallback": self.fallback_queue_id or "", "pipeline": pipeline_text(pipeline)}


# ---- exception ---------------------------------------------------------------------------------------------


class QueueLengthTrigger(_Kind, tag="queueLength"):
    """Fires when a queue is long."""

    threshold: Count

    def cut(self) -> tuple[Literal["length", "wait"], int]:
        """In the router's own terms: jobs in the queue."""
        return "length", self.threshold


class WaitTimeTrigger(_Kind, tag="waitTime"):
    """Fires when a job has waited."""

    threshold_seconds: Threshold

    def cut(self) -> tuple[Literal["length", "wait"], int]:
        """In the router's own terms: milliseconds in the queue."""
        return "wait", max(1, round(self.threshold_seconds * 1000))


class CancelAction(_Kind, tag="cancel"):
    """Cancels the job."""

    note: str | UnsetType = UNSET
    disposition_code: Text | UnsetType = UNSET
    id: Reference = ""

    def cut(self) -> exception_rules.Action:
        """In the router's own terms."""
        return exception_rules.Cancel(note_text(self.note or ""), self.disposition_code or "")


class ManualReclassifyAction(_Kind, tag="manualReclassify"):
    """Changes queue, priority or selectors."""

    queue_id: Reference | UnsetType = UNSET
    priority: Priority | UnsetType = UNSET
    worker_selectors: WorkerSelectors = []
    id: Reference = ""

    def cut(self) -> exception_rules.Action:
        """In the router's own terms."""
        return exception_rules.Change(
            self.queue_id or "",
            None if self.priority is UNSET else self.priority,
            model.selectors_text(selector.stored() for selector in self.worker_selectors),
        )


class ReclassifyAction(_Kind, tag="reclassify"):
    """Classifies the job again, with other labels or by another policy."""

    classification_policy_id: Reference | UnsetType = UNSET
    labels_to_upsert: Labels = {}
    id: Reference = ""

    def cut(self) -> exception_rules.Action:
        """In the router's own terms."""
        labels = labels_text(self.labels_to_upsert, "labelsToUpsert")
        return exception_rules.Classify(self.classification_policy_id or "", labels)


class ExceptionRule(msgspec.Struct, rename="camel"):
    """What happens when."""

    id: Id
    trigger: QueueLengthTrigger | WaitTimeTrigger
    actions: Annotated[
        list[CancelAction | ManualReclassifyAction | ReclassifyAction], Meta(max_length=_MAX_ACTIONS)
    ]

    def cut(self) -> exception_rules.Rule:
        """In the router's own terms."""
        trigger, threshold = self.trigger.cut()
        return exception_rules.Rule(self.id, trigger, threshold, [action.cut() for action in self.actions])


class ExceptionPolicy(PolicyBody, kw_only=True):
    """What happens to jobs that wait too long or in too long a queue."""

    exception_rules: Annotated[list[ExceptionRule], Meta(max_length=MAX_ENTRIES)] = []

    def complete(self) -> None:
        """Gives every action without an id one of its own; ids of rules must differ."""
        ids = [rule.id for rule in self.exception_rules]
        if len(set(ids)) < len(ids):
            raise BadRequest("The property 'exceptionRules' is not valid: two rules have the same id.")
        for rule in self.exception_rules:
            for action in rule.actions:
                action.id = action.id or str(uuid4())

    def control(self) -> dict[str, Any]:
        """What its rules do, and the classification policies that they refer to."""
        actions = [action for rule in self.exception_rules for action in rule.actions]
        named = [a.classification_policy_id for a in actions if isinstance(a, ReclassifyAction)]
        rules = exception_rules.rules_text([rule.cut() for rule in self.exception_rules])
        return {"rules": rules, "uses": list(dict.fromkeys(filter(None, named)))}


# ---- as stored ---------------------------------------------------------------------------------------------


def command(policy: PolicyBody, kind: str, policy_id: str, doc: int, rev: int, secret: str) -> PolicyUpsert:
    """The command that stores a policy; its secrets must have been taken out."""
    document = encode(policy).decode()
    return PolicyUpsert(
        kind=kind, id=policy_id, doc=doc, rev=rev, document=document, secret=secret, **policy.control()
    )


def view(policy_id: str, document: str, tag: str) -> bytes:
    """A policy as clients see it: its document between id and etag."""
    inside = document[1:-1].encode()
    return b'{"id":%b,%b"etag":%b}' % (encode(policy_id), inside + b"," if inside else b"", encode(tag))
