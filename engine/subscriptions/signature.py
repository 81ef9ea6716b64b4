"""Signatures of deliveries, as Standard Webhooks has them: HMAC-SHA256 with secrets that look like whsec_…"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import secrets
from base64 import b64decode, b64encode
from collections.abc import Sequence

PREFIX = "whsec_"
_LEAST, _MOST, _MADE = 24, 64, 32


class BadSecret(ValueError):
    """A text that is no signing secret; its own text never repeats it."""


def new_secret() -> str:
    """A fresh secret."""
    return PREFIX + b64encode(secrets.token_bytes(_MADE)).decode()


def key_of(secret: str) -> bytes:
    """The key in a secret: 24 to 64 bytes as base64, behind ``whsec_``. Raises BadSecret."""
    try:
        key = b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(PREFIX) or not _LEAST <= len(key) <= _MOST:
        raise BadSecret(f"a signing secret is {PREFIX} and the base64 of {_LEAST} to {_MOST} bytes")
    return key


def headers(event_id: str, at_seconds: int, body: bytes, signing: Sequence[str]) -> dict[str, str]:
    """The headers that sign a body: one signature for each live secret. None when there is no secret.

    ``event_id`` is the same in all attempts for one event, ``at_seconds`` (epoch) the time of this one.
    """
    if not signing:
        return {}
    content = f"{event_id}.{at_seconds}.".encode() + body
    made = [b64encode(hmac.digest(key_of(secret), content, hashlib.sha256)).decode() for secret in signing]
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(at_seconds),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in made),
    }
