"""The options of actions and their results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from api.wire.folding import Fold, folder
from api.wire.json_body import read_options
from api.wire.reading import read
from api.wire.values import Moment, Text, encode, number

T = TypeVar("T", bound=msgspec.Struct)

EMPTY = b"{}"

_NOTHING = (b"", EMPTY)


class CancelOptions(msgspec.Struct, rename="camel"):
    """Options of cancelling a job."""

    note: str = ""
    disposition_code: Text = ""


class CompleteOptions(msgspec.Struct, rename="camel"):
    """Options of completing an assignment."""

    note: str = ""


class CloseOptions(msgspec.Struct, rename="camel"):
    """Options of closing an assignment."""

    disposition_code: Text = ""
    close_at: Moment | UnsetType = UNSET
    note: str = ""


class UnassignOptions(msgspec.Struct, rename="camel"):
    """Options of unassigning a job."""

    suspend_matching: bool = False


class DeclineOptions(msgspec.Struct, rename="camel"):
    """Options of declining an offer."""

    retry_offer_at: Moment | UnsetType = UNSET


class NoOptions(msgspec.Struct):
    """An action without options."""


_folders: dict[type, Fold] = {
    kind: folder(kind)
    for kind in (CancelOptions, CompleteOptions, CloseOptions, UnassignOptions, DeclineOptions, NoOptions)
}


def options(body: bytes, kind: type[T]) -> T:
    """The options in a body, which may be empty; null members count as absent."""
    if body in _NOTHING:
        return kind()
    given = _folders[kind](read_options(body))
    return read({name: value for name, value in given.items() if value is not None}, kind)


def note_text(note: str) -> str:
    """A note as it is handed to the router: JSON text, or nothing."""
    return encode(note).decode() if note else ""


class _Accepted(msgspec.Struct, rename="camel"):
    assignment_id: str
    job_id: str
    worker_id: str


class _Unassigned(msgspec.Struct, rename="camel"):
    job_id: str
    unassignment_count: int


class _Position(msgspec.Struct, rename="camel"):
    job_id: str
    position: int
    queue_id: str
    queue_length: int
    estimated_wait_time_minutes: float


def accepted(reply: Mapping[str, Any]) -> bytes:
    """The result of accepting an offer."""
    return encode(_Accepted(reply["assignment"], reply["job"], reply["worker"]))


def unassigned(reply: Mapping[str, Any]) -> bytes:
    """The result of unassigning a job."""
    return encode(_Unassigned(reply["job"], int(reply["count"])))


def position(reply: Mapping[str, Any]) -> bytes:
    """The place of a job in its queue."""
    return encode(
        _Position(
            reply["job"],
            int(reply["position"]),
            reply["queue"],
            int(reply["length"]),
            number(float(reply["wait_minutes"])),
        )
    )
