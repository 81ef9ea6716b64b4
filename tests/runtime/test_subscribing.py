"""``jobrouter subscriptions``: list, show, add, delete, validate, rotate, dead letters, replay."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from api.cli import main
from engine import commands as c
from engine.model import SubscriptionRecord
from engine.subscriptions.model import Secrets, Subscription
from tests.support import Server, SyncStore

URL = "https://crm.example.com/events"
ORIGIN = "http://jobs.test:18080"
Told = tuple[int, str, str]


@pytest.fixture
def do(
    server: Server, tenant: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Told]:
    """Runs the command; gives its exit status and what it has printed."""
    monkeypatch.setenv("JOBROUTER_PUBLIC_BASE_URL", ORIGIN)

    def call(*words: str) -> Told:
        status = main(["subscriptions", *words, "--redis-url", server.url, "--tenants", tenant])
        out, err = capsys.readouterr()
        return status, out, err

    return call


def stored(store: SyncStore, root: str, name: str = "crm") -> SubscriptionRecord:
    return SubscriptionRecord.parse(store.run(root, c.SubscriptionRead(name, secrets=True)))


def added(do: Callable[..., Told], *more: str) -> Any:
    status, out, err = do("add", "crm", f"{URL}?code=key", *more)
    assert (status, err) == (0, "")
    return json.loads(out)


def test_add_shows_the_secret_once(do: Callable[..., Told], store: SyncStore, root: str) -> None:
    shown = added(do, "--properties", '{"Schema":"cloud-events-binary","startAfter":"0-0"}')
    assert shown["destination"] == {"endpointBaseUrl": URL}
    assert (shown["schema"], shown["status"]) == ("cloudEventsBinary", "validating")
    record = stored(store, root)
    assert Secrets.parse(record.secret) == Secrets(f"{URL}?code=key", shown["signingSecrets"])
    assert Subscription.parse(record.document).after == 0
    status, out, _ = do("show", "crm")
    assert status == 0
    assert json.loads(out) == {name: value for name, value in shown.items() if name != "signingSecrets"}


def test_endpoints_are_told_the_public_address(do: Callable[..., Told], store: SyncStore, root: str) -> None:
    added(do)
    read = store.run(root, c.SubscriptionRead("crm"))
    assert read["origin"] == ORIGIN
    do("validate", "crm", "--public-base-url", "https://jobs.example.com/")
    assert store.run(root, c.SubscriptionRead("crm"))["origin"] == "https://jobs.example.com"


def test_an_address_that_nobody_tells(
    do: Callable[..., Told], store: SyncStore, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No guess: the endpoint may be told it. Who has been told one before goes on with that."""
    added(do)
    monkeypatch.delenv("JOBROUTER_PUBLIC_BASE_URL")
    status, out, err = do("add", "other", URL)
    assert (status, out) == (2, "")
    assert "give --public-base-url" in err
    assert do("show", "other")[0] == 1
    for action in ("validate", "rotate-secret"):
        assert do(action, "crm")[0] == 0
        assert store.run(root, c.SubscriptionRead("crm"))["origin"] == ORIGIN


def test_add_adds_only(do: Callable[..., Told]) -> None:
    added(do)
    assert do("add", "crm", URL) == (1, "", "jobrouter: there is a subscription crm already\n")


def test_list(do: Callable[..., Told], store: SyncStore, root: str) -> None:
    assert do("list")[1].split("\n")[1:] == [""]
    added(do)
    do("add", "an\x1b[31mother", "https://a.example.com/")
    key = f"{root}:subscription:crm"
    store.redis.hset(key, mapping={"delivered": 12, "parked": 3, "dead": 1, "last_error": "status 500"})
    header, first, second, end = do("list")[1].split("\n")
    assert header.split() == ["id", "status", "delivered", "waiting", "dead", "endpoint", "last", "error"]
    assert first.split()[:2] == ["'an\\x1b[31mother'", "validating"]
    assert second.split() == ["crm", "validating", "12", "3", "1", URL, "status", "500"]
    assert end == ""


def test_delete(do: Callable[..., Told]) -> None:
    added(do)
    assert do("delete", "crm") == (0, "", "")
    assert do("delete", "crm") == (1, "", "jobrouter: there is no subscription crm\n")


def test_validate_asks_again(do: Callable[..., Told], store: SyncStore, root: str) -> None:
    added(do)
    before = store.run(root, c.SubscriptionRead("crm"))["asked"]
    assert json.loads(do("validate", "crm")[1])["status"] == "validating"
    assert int(store.run(root, c.SubscriptionRead("crm"))["asked"]) > int(before)


def test_rotate_secret(do: Callable[..., Told], store: SyncStore, root: str) -> None:
    [first] = added(do)["signingSecrets"]
    [second] = json.loads(do("rotate-secret", "crm")[1])["signingSecrets"]
    assert Secrets.parse(stored(store, root).secret).signing == [second, first]


def test_dead_letters_and_replay(do: Callable[..., Told], store: SyncStore, root: str) -> None:
    added(do)
    assert do("dead-letters", "crm") == (0, "", "")
    event = '{"id":"1","data":{},"eventTime":"2026-01-01T00:00:00.000Z"}'
    facts = '{"count":3,"first":1,"last":1700000000000,"status":404,"outcome":"no","why":"attempts"}'
    key = f"{root}:dead_letters:crm"
    letter = {"at": "1700000000500", "lane": "job:j", "place": "1.1", "facts": facts, "event": event}
    store.redis.xadd(key, letter, id="1-1")  # type: ignore[arg-type]
    store.redis.xadd(key, {"at": "1700000000600", "first": "2-0", "last": "9-0"}, id="1-2")
    first, second, end = do("dead-letters", "crm")[1].split("\n")
    assert json.loads(first)["event"]["deadLetterReason"] == "MaxDeliveryAttemptsExceeded"
    assert json.loads(second)["lost"]["lastId"] == "9-0"
    assert end == ""
    assert do("replay", "crm")[1] == "1 events are delivered once more\n"
    assert len(do("dead-letters", "crm")[1].splitlines()) == 1


@pytest.mark.parametrize("action", ["show", "validate", "rotate-secret", "dead-letters", "replay"])
def test_there_is_no_such_subscription(do: Callable[..., Told], action: str) -> None:
    assert do(action, "nobody") == (1, "", "jobrouter: there is no subscription nobody\n")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("show",), "'subscriptions show' needs id."),
        (("add",), "'subscriptions add' needs id and url."),
        (("add", "crm"), "'subscriptions add' needs url."),
        (
            ("add", "crm", "ftp://a/"),
            "The property 'destination.endpointUrl' is not valid: it must be a URL that begins with http://",
        ),
        (("add", "crm", URL, "--properties", "[]"), "--properties (or JOBROUTER_PROPERTIES) cannot be '[]'"),
        (("add", "crm", URL, "--properties", '{"schema":"xml"}'), "The property 'schema' is not valid"),
        (("add", "crm", URL, "--properties", '{"startAfter":"999"}'), "there is no entry 999 yet"),
    ],
)
def test_what_is_not_well_put(do: Callable[..., Told], words: tuple[str, ...], text: str) -> None:
    status, out, err = do(*words)
    assert (status, out) == (1 if "999" in text else 2, "")
    assert err.startswith(f"jobrouter: {text}")
