"""Classification policies as the router acts on them: a JSON text, made when a policy is written.

Documents stand in it as the texts in which they are stored, so that the router never decodes a user's values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import msgspec

_encode = msgspec.json.Encoder(order="deterministic").encode


class Rule(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a value is found.

    ``text`` is the JSON text of a ``value``, or the tree of an ``expression``; ``labels`` are the job's own.
    A ``function`` or a ``webhook`` is asked by the workers: ``text`` is its engine.remote.RemoteRule.
    """

    kind: Literal["value", "labels", "expression", "function", "webhook"]
    text: str = ""


class _Kind(msgspec.Struct, frozen=True, tag_field="kind", omit_defaults=True):
    pass


class Always(_Kind, frozen=True, tag="always"):
    """Attaches selectors."""

    selectors: str


class When(_Kind, frozen=True, tag="when"):
    """Attaches selectors when a rule gives true."""

    rule: Rule
    selectors: str


class Label(_Kind, frozen=True, tag="label"):
    """Attaches a selector for the job's own value of a label. ``key`` and ``seconds`` are JSON texts."""

    key: str
    operator: str
    seconds: str = ""


class Answer(_Kind, frozen=True, tag="answer"):
    """Attaches the selectors that a rule gives."""

    rule: Rule


class Share(msgspec.Struct, frozen=True):
    """One of several lists of selectors, and how often it is drawn."""

    weight: float
    selectors: str


class Draw(_Kind, frozen=True, tag="draw"):
    """Attaches the selectors of one share, drawn by weight."""

    shares: Sequence[Share]


Attachment = Always | When | Label | Answer | Draw


class Pipeline(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a classification policy finds: a priority, selectors of workers, selectors of queues."""

    priority: Rule | None = None
    workers: Sequence[Attachment] = ()
    queues: Sequence[Attachment] = ()


class Given(msgspec.Struct, frozen=True):
    """What others have answered: a JSON text (``value``), a document of ``selectors``, or why it failed."""

    kind: Literal["value", "selectors", "failed"]
    text: str


def rules(pipeline: Pipeline) -> Iterator[tuple[str, Rule, bool]]:
    """The rules of a pipeline: place, rule, whether selectors are to be its value.

    Places are those of secrets and answers: ``priority``, ``worker.<n>``, ``queue.<n>``.
    """
    if pipeline.priority:
        yield "priority", pipeline.priority, False
    for name, attachments in (("worker", pipeline.workers), ("queue", pipeline.queues)):
        for i, attachment in enumerate(attachments):
            if isinstance(attachment, When | Answer):
                yield f"{name}.{i}", attachment.rule, isinstance(attachment, Answer)


def pipeline_of_text(text: str) -> Pipeline:
    """A pipeline from its text."""
    return msgspec.json.decode(text, type=Pipeline) if text else Pipeline()


def answers_text(answers: Mapping[str, Given]) -> str:
    """Answers by their places, as text."""
    return _encode(answers).decode()


def pipeline_text(pipeline: Pipeline) -> str:
    """A pipeline as text; empty when there is nothing to find."""
    found = Pipeline(pipeline.priority, tuple(pipeline.workers), tuple(pipeline.queues))
    return _encode(found).decode() if found != Pipeline() else ""
