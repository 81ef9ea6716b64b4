"""What can go wrong with a command, for those who call the store."""

from __future__ import annotations

import re

CODES = frozenset(
    {
        "BAD_CALL",
        "CHANGED",
        "CONFLICT",
        "INVALID",
        "IN_USE",
        "LIMIT",
        "NOT_FOUND",
        "TAKEN",
        "VERSION",
    }
)
"""Codes with which the Lua library refuses; ``lua/call/refuse.lua`` says what each means."""

_TRAILER = re.compile(r" script: .*on @?user_function:\d+\.$")


class Refused(Exception):
    """The library has refused a command; nothing has changed."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code} {text}")
        self.code = code
        self.text = text


class Unavailable(Exception):
    """The store cannot answer. Whether the command was executed is unknown, unless it says so."""


class OutOfMemory(Unavailable):
    """The server is full: what adds an entity is refused and has not been executed."""


class NewerLibrary(Unavailable):
    """The store has a newer library, which has no such function; the command has not been executed."""


class Failed(Exception):
    """The library has failed in the middle: a bug, with the place in the Lua files."""


class NotLetIn(Unavailable):
    """The server wants a password, or not the one it was given; the command has not been executed."""


def not_let_in(message: str) -> NotLetIn | None:
    """An error reply as such, or None when it is something else."""
    if message.startswith("NOAUTH"):
        return NotLetIn(
            "the store wants a password: put it into --redis-url (redis://:PASSWORD@… or "
            "redis://USER:PASSWORD@…); the call was not executed"
        )
    if message.startswith("WRONGPASS"):
        return NotLetIn(
            "the store does not take this user and password: correct --redis-url "
            "(redis://:PASSWORD@… or redis://USER:PASSWORD@…); the call was not executed"
        )
    return None


def refusal_of(text: str) -> Refused | None:
    """An error reply as refusal, or None when it is something else."""
    code, _, rest = text.partition(" ")
    if code not in CODES:
        return None
    return Refused(code, _TRAILER.sub("", rest))
