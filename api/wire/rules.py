"""Rules and selector attachments, as policies hold them: their kinds, members and ranges."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from api.wire.values import MAX_ENTRIES, Key, LabelOperator, Seconds, Uri, check_value, stored_selector
from engine import model
from engine.expressions import BadExpression, compile_expression
from engine.outgoing import guard
from engine.outgoing.errors import OutgoingFailed

Secret = Annotated[str, Meta(max_length=4096)]
Expression = Annotated[str, Meta(min_length=1)]
_MAX_WEIGHT = 10**6
Weight = Annotated[int, Meta(gt=0, le=_MAX_WEIGHT)] | Annotated[float, Meta(gt=0, le=_MAX_WEIGHT)]


class FunctionCredential(msgspec.Struct, rename="camel"):
    """How the router authenticates itself to a function; the keys are write-only."""

    function_key: Secret | UnsetType = UNSET
    app_key: Secret | UnsetType = UNSET
    client_id: Secret | UnsetType = UNSET


class ClientCredential(msgspec.Struct, rename="camel"):
    """How the router authenticates itself to a webhook; the secret is write-only."""

    client_id: Secret | UnsetType = UNSET
    client_secret: Secret | UnsetType = UNSET


class _Kind(msgspec.Struct, tag_field="kind", rename="camel"):
    pass


class StaticRule(_Kind, tag="static"):
    """Always the same value."""

    value: Any = UNSET

    def __post_init__(self) -> None:
        check_value(self.value)


class DirectMapRule(_Kind, tag="directMap"):
    """The labels themselves."""


class ExpressionRule(_Kind, tag="expression", kw_only=True):
    """The value of an expression over labels."""

    language: Literal["powerFx"] = "powerFx"
    expression: Expression

    def __post_init__(self) -> None:
        try:
            compile_expression(self.expression)
        except BadExpression as error:
            raise ValueError(f"`expression`: {error}") from None


class FunctionRule(_Kind, tag="function"):
    """What a function answers."""

    function_uri: Uri
    credential: FunctionCredential | UnsetType = UNSET

    def __post_init__(self) -> None:
        _check_uri("functionUri", self.function_uri, "credential")


class WebhookRule(_Kind, tag="webhook"):
    """What a webhook answers."""

    authorization_server_uri: Uri | UnsetType = UNSET
    client_credential: ClientCredential | UnsetType = UNSET
    webhook_uri: Uri | UnsetType = UNSET

    def __post_init__(self) -> None:
        _check_uri("authorizationServerUri", self.authorization_server_uri, "clientCredential")
        _check_uri("webhookUri", self.webhook_uri, "clientCredential")


def _check_uri(name: str, uri: str | UnsetType, credential: str) -> None:
    """Refuses what would not be called. A URL is shown to whoever reads its policy, a credential is not."""
    if uri is UNSET:
        return
    try:
        guard.target(uri)
    except OutgoingFailed as error:
        instead = f": they belong in '{credential}'" if error.reason == guard.WITH_CREDENTIALS else ""
        raise ValueError(f"`{name}`: {error.reason}{instead}.") from None


Rule = StaticRule | DirectMapRule | ExpressionRule | FunctionRule | WebhookRule


# ---- selectors and their attachments -----------------------------------------------------------------------


class QueueSelector(msgspec.Struct, rename="camel"):
    """A condition on the labels of a queue."""

    key: Key
    label_operator: LabelOperator
    value: Any = UNSET

    def __post_init__(self) -> None:
        check_value(self.value)

    def stored(self) -> model.Selector:
        """As the router tests it: like a selector of workers that does not run out."""
        return stored_selector(self.key, self.label_operator, self.value, UNSET, False)


class WorkerSelector(msgspec.Struct, rename="camel", kw_only=True):
    """A condition on the labels of a worker, to be attached to a job."""

    expires_after_seconds: Seconds | UnsetType = UNSET
    expedite: bool = False
    status: str = "active"
    key: Key
    label_operator: LabelOperator
    value: Any = UNSET

    def __post_init__(self) -> None:
        self.status = "active"
        check_value(self.value)

    def stored(self) -> model.Selector:
        """As it is stored with a job."""
        return stored_selector(
            self.key, self.label_operator, self.value, self.expires_after_seconds, self.expedite
        )


QueueSelectors = Annotated[list[QueueSelector], Meta(max_length=MAX_ENTRIES)]
WorkerSelectors = Annotated[list[WorkerSelector], Meta(max_length=MAX_ENTRIES)]


class StaticQueueAttachment(_Kind, tag="static"):
    """One selector, always."""

    queue_selector: QueueSelector


class ConditionalQueueAttachment(_Kind, tag="conditional"):
    """Selectors when a condition holds."""

    condition: Rule
    queue_selectors: QueueSelectors


class PassThroughQueueAttachment(_Kind, tag="passThrough"):
    """A selector for the job's own value of a label."""

    key: Key
    label_operator: LabelOperator


class RuleEngineQueueAttachment(_Kind, tag="ruleEngine"):
    """The selectors that a rule answers."""

    rule: Rule


class QueueAllocation(msgspec.Struct, rename="camel"):
    """A share of the jobs."""

    weight: Weight
    queue_selectors: QueueSelectors


class WeightedQueueAttachment(_Kind, tag="weightedAllocation"):
    """One of several allocations, drawn by weight."""

    allocations: Annotated[list[QueueAllocation], Meta(min_length=1, max_length=MAX_ENTRIES)]


QueueAttachment = (
    StaticQueueAttachment
    | ConditionalQueueAttachment
    | PassThroughQueueAttachment
    | RuleEngineQueueAttachment
    | WeightedQueueAttachment
)


class StaticWorkerAttachment(_Kind, tag="static"):
    """One selector, always."""

    worker_selector: WorkerSelector


class ConditionalWorkerAttachment(_Kind, tag="conditional"):
    """Selectors when a condition holds."""

    condition: Rule
    worker_selectors: WorkerSelectors


class PassThroughWorkerAttachment(_Kind, tag="passThrough"):
    """A selector for the job's own value of a label."""

    key: Key
    label_operator: LabelOperator
    expires_after_seconds: Seconds | UnsetType = UNSET


class RuleEngineWorkerAttachment(_Kind, tag="ruleEngine"):
    """The selectors that a rule answers."""

    rule: Rule


class WorkerAllocation(msgspec.Struct, rename="camel"):
    """A share of the jobs."""

    weight: Weight
    worker_selectors: WorkerSelectors


class WeightedWorkerAttachment(_Kind, tag="weightedAllocation"):
    """One of several allocations, drawn by weight."""

    allocations: Annotated[list[WorkerAllocation], Meta(min_length=1, max_length=MAX_ENTRIES)]


WorkerAttachment = (
    StaticWorkerAttachment
    | ConditionalWorkerAttachment
    | PassThroughWorkerAttachment
    | RuleEngineWorkerAttachment
    | WeightedWorkerAttachment
)
