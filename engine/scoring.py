"""How workers are scored for a queue, cut from the scoring rule of its distribution policy: a JSON text."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from engine.expressions import compile_expression
from engine.model import json_text

_OWN_ID = "Id"
_encode = msgspec.json.Encoder().encode


class _Kind(msgspec.Struct, frozen=True, tag_field="kind", omit_defaults=True):
    pass


class Equal(_Kind, frozen=True, tag="equal"):
    """All workers score the same, or none has a score: the longest available comes first."""


class Expression(_Kind, frozen=True, tag="expression"):
    """The value of an expression over a worker's labels and some of the job's.

    ``tree`` is its compiled text, ``labels`` the keys (as JSON texts) of the job's labels that it sees;
    ``own_id`` says that it reads the id of the worker, so that no two workers are alike to it.
    """

    tree: str
    labels: Sequence[str] = []
    own_id: bool = False


class _Remote(_Kind, frozen=True):
    """What others answer.

    ``text`` is their engine.remote.RemoteRule; ``job`` and ``selectors`` say whether they are told the labels
    and the active selectors of the job, ``batch`` about how many workers they are asked at a time (0 = about
    each alone).
    """

    text: str = "{}"
    job: bool = True
    selectors: bool = True
    batch: int = 0


class Function(_Remote, frozen=True, tag="function"):
    """What a function answers."""


class Webhook(_Remote, frozen=True, tag="webhook"):
    """What a webhook answers."""


Remote = Function | Webhook
Scoring = Equal | Expression | Function | Webhook

_decode_remote = msgspec.json.Decoder(Remote).decode


def by_expression(source: str, *, job_labels: bool) -> Expression:
    """Scores by an expression, which sees the labels of the job if it may. Raises BadExpression."""
    compiled = compile_expression(source)
    keys = sorted(compiled.reads["job"]) if job_labels else []
    return Expression(compiled.text, [json_text(key) for key in keys], _OWN_ID in compiled.reads["worker"])


def remote_scoring_of_text(text: str) -> Remote:
    """A way to score that others answer, from its text."""
    found: Remote = _decode_remote(text)
    return found


def scoring_text(scoring: Scoring) -> str:
    """A way to score as text."""
    return _encode(scoring).decode()
