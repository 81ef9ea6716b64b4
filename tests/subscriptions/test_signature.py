"""Signatures, verified by the library of Standard Webhooks."""

from __future__ import annotations

import time
from base64 import b64encode

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from engine.subscriptions import signature

OLD, NEW = (f"whsec_{b64encode(bytes([n]) * 24).decode()}" for n in (1, 2))
BODY = '{"name":"Zoë"}'.encode()


def test_the_published_example() -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    made = signature.headers("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', [secret])
    assert made == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@pytest.mark.parametrize("signing", [[OLD], [NEW, OLD], [OLD, NEW]])
def test_each_live_secret_verifies(signing: list[str]) -> None:
    made = signature.headers("an-id", int(time.time()), BODY, signing)
    for secret in signing:
        assert Webhook(secret).verify(BODY, made) == {"name": "Zoë"}
    with pytest.raises(WebhookVerificationError):
        Webhook(signature.new_secret()).verify(BODY, made)
    with pytest.raises(WebhookVerificationError):
        Webhook(OLD).verify(BODY + b" ", made)


def test_no_secret_no_signature() -> None:
    assert signature.headers("an-id", 1, BODY, []) == {}


def test_a_new_secret_is_one_and_never_the_same() -> None:
    made = {signature.new_secret() for _ in range(50)}
    assert len(made) == 50
    assert {len(signature.key_of(secret)) for secret in made} == {32}


@pytest.mark.parametrize("size", [23, 65])
@pytest.mark.parametrize("prefix", ["whsec_", ""])
def test_what_is_no_secret(prefix: str, size: int) -> None:
    for text in (f"{prefix}{b64encode(bytes(size)).decode()}", prefix, f"{prefix}ä", f"{prefix}{'*' * 44}"):
        with pytest.raises(signature.BadSecret) as raised:
            signature.key_of(text)
        assert text not in str(raised.value) or len(text) < 7
