"""A secret is told by ``reveal`` alone."""

from __future__ import annotations

import copy
import pickle

import msgspec
import pytest

from engine.outgoing.secret import Secret


def test_nothing_else_tells_it() -> None:
    secret = Secret("hidden")
    assert secret.reveal() == "hidden"
    shown = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret!r}",
        repr([secret]),
        repr(dir(secret)),
    ]
    assert "hidden" not in "".join(shown)
    for write in (pickle.dumps, copy.copy, msgspec.json.encode, msgspec.to_builtins):
        with pytest.raises(TypeError) as caught:
            write(secret)
        assert "hidden" not in str(caught.value)


def test_equal_secrets_are_equal() -> None:
    assert Secret("a") == Secret("a")
    assert hash(Secret("a")) == hash(Secret("a"))
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert Secret("a")
    assert not Secret("")
