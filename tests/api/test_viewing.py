"""Viewing keys: they read everything, as token or as session, and change nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from api.serving import body
from api.viewing import COOKIE, SESSION_SECONDS, Viewing
from engine.commands import QueueOverview
from engine.settings import Settings, Tenant
from tests.api.conftest import NOW, Client, healthy, make_app
from tests.api.conftest import VIEW_KEY as KEY


class Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


def asked(client: Any, **headers: str) -> int:
    """The status of an unsigned read."""
    status: int = client.send("GET", "/ext/v1/queues", b"", {"host": "localhost", **headers}).status
    return status


@pytest.fixture(autouse=True)
def _answers(store: Any) -> None:
    store.on(QueueOverview, {"next": 0, "rows": []})


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_a_key_reads(client: Any, scheme: str) -> None:
    assert asked(client, authorization=f"{scheme} {KEY}") == 200


@pytest.mark.parametrize("token", ["", "x", KEY[:-1], f"{KEY}x", KEY.upper(), "\u00e9" * 20])
def test_another_does_not(client: Any, token: str) -> None:
    assert asked(client, authorization=f"Bearer {token}") == 401


def test_nobody_reads_without(client: Any) -> None:
    assert asked(client) == 401


def test_a_key_opens_streams(client: Any) -> None:
    headers = {"host": "localhost", "authorization": f"Bearer {KEY}"}
    # it gets as far as its parameters
    assert client.send("GET", "/ext/v1/events/stream?heartbeat=x", b"", headers).status == 400
    assert client.send("GET", "/ext/v1/workers/w/offers/next?wait=x", b"", headers).status == 400


@pytest.mark.parametrize("method", ["PATCH", "POST", "DELETE"])
def test_a_key_changes_nothing(client: Any, store: Any, method: str) -> None:
    headers = {"host": "localhost", "authorization": f"Bearer {KEY}"}
    target = "/routing/jobs/j1:cancel?api-version=2023-11-01"
    assert client.send(method, target, b"{}", headers).status == 401
    assert store.commands == []


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/ext/v1/jobs:preview", 400),
        ("/ext/v1/jobs:preview?x=1", 400),
        ("/ext/v1/jobs/jobs:preview", 401),
        ("/ext/v1/jobs%3Apreview", 401),
        ("/ext/v1/subscriptions/s:validate", 401),
    ],
)
def test_a_key_previews(client: Any, store: Any, target: str, status: int) -> None:
    """It writes nothing; what it refuses here is the empty body."""
    headers = {"host": "localhost", "authorization": f"Bearer {KEY}"}
    assert client.send("POST", target, b"{}", headers).status == status
    assert store.commands == []


def signed_in(client: Any, key: str = KEY) -> Any:
    return client.send("POST", "/dashboard/session", f"key={key}".encode(), {"host": "localhost"})


def test_a_session_reads(client: Any) -> None:
    answer = signed_in(client)
    assert answer.status == 204
    cookie = answer.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=strict", "Path=/", f"Max-Age={SESSION_SECONDS}"} <= set(cookie.split("; "))
    assert KEY not in cookie
    pair = cookie.partition(";")[0]
    assert asked(client, cookie=f"other=1; {pair}") == 200
    # an access key that is wrong is not helped by a session
    assert asked(client, cookie=pair, authorization="Bearer x") == 401


@pytest.mark.parametrize("key", ["", "x", "%00", "a" * 5000])
def test_a_wrong_key_gives_no_session(client: Any, key: str) -> None:
    answer = signed_in(client, key)
    assert answer.status == 401
    assert "set-cookie" not in answer.headers


def test_a_host_of_no_router_gives_no_session(store: Any) -> None:
    settings = Settings(tenants={"other": Tenant("other", keys=(b"k",), view_keys=(KEY,))})
    elsewhere = Client(make_app(store, settings, healthy, clock=lambda: NOW))
    answer = signed_in(elsewhere)
    assert answer.status == 401
    assert answer.json["error"]["code"] == "Denied"


def test_a_cookie_is_found_among_others(client: Any) -> None:
    pair = signed_in(client).headers["set-cookie"].partition(";")[0]
    name, _, value = pair.partition("=")
    for cookies in (pair, f" {pair} ;b=1", f'a="x;{name}="{value}"', f"{name}=x; {pair}", f"=; ;a; {pair}"):
        assert asked(client, cookie=cookies) == 200, cookies
    for cookies in (f"{pair}; {name}=x", f"x{pair}", f"{name}", f"{name}={name}={value}", f"{name};={value}"):
        assert asked(client, cookie=cookies) == 401, cookies


def test_a_cookie_full_of_escapes(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """One such header kept the whole process busy for 15 s, in what is not called any more."""

    def slow(value: str) -> str:
        raise AssertionError(f"{len(value)} characters are read in a time that grows with their square")

    monkeypatch.setattr("http.cookies._unquote", slow)
    assert asked(client, cookie='a="' + "\\\\" * 10_000 + '"') == 401


def test_a_session_ends() -> None:
    clock, tenant = Clock(), Tenant("main", view_keys=(KEY,))
    viewing = Viewing(clock)
    headers = {b"cookie": f"{COOKIE}={viewing.session(tenant)}".encode()}
    assert viewing.admits(tenant, headers)
    clock.now = NOW + SESSION_SECONDS
    assert not viewing.admits(tenant, headers)


def test_a_session_is_of_its_router_and_key() -> None:
    viewing = Viewing(Clock())
    value = viewing.session(Tenant("main", view_keys=(KEY,)))
    headers = {b"cookie": f"{COOKIE}={value}".encode()}
    assert viewing.admits(Tenant("main", view_keys=("a-newer-key-of-it", KEY)), headers)
    assert not viewing.admits(Tenant("other", view_keys=(KEY,)), headers)
    assert not viewing.admits(Tenant("main", view_keys=("a-newer-key-of-it",)), headers)
    assert not viewing.admits(Tenant("main"), headers)


@pytest.mark.parametrize(
    "value", ["", "1", ".", "x.y", f"{int(NOW) + 9}.", f"{int(NOW) + 9}.00", f"{'9' * 13}.0", "²." + "0" * 64]
)
def test_no_session_of_ones_own(client: Any, value: str) -> None:
    assert asked(client, cookie=f"{COOKIE}={value}".encode().decode("latin-1")) == 401


@pytest.mark.parametrize("digit", ["²", "³", "¹"])
@pytest.mark.parametrize("form", ["{0}.x", '"{0}.x"', '"\\{1:03o}.x"'])
def test_digits_that_are_no_numbers(client: Any, digit: str, form: str) -> None:
    assert asked(client, cookie=f"{COOKIE}={form.format(digit, ord(digit))}") == 401


def test_the_page_and_its_files_come_under_a_strict_policy(client: Any) -> None:
    for path, kind in [
        ("/dashboard", "text/html"),
        ("/static/dashboard/main.js", "text/javascript"),
        ("/static/dashboard/dashboard.css", "text/css"),
        ("/static/uplot/uPlot.iife.min.js", "text/javascript"),
    ]:
        answer = client.send("GET", path, b"", {"host": "localhost"})
        assert answer.status == 200
        assert answer.headers["content-type"].startswith(kind)
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy


@pytest.mark.parametrize(
    "path", ["/static/", "/static/..%2fapp.py", "/static/../app.py", "/static/dashboard/none.js"]
)
def test_nothing_else_is_a_file(client: Any, path: str) -> None:
    assert client.send("GET", path, b"", {"host": "localhost"}).status == 404


def test_signing_out_takes_the_session_back(client: Any) -> None:
    answer = client.send("DELETE", "/dashboard/session", b"", {"host": "localhost"})
    assert answer.status == 204
    assert "Max-Age=0" in answer.headers["set-cookie"]


@pytest.mark.parametrize("path", ["/dashboard/session", "/validate/main?subscription=s&code=c"])
class TestABodyThatIsNotWhole:
    def test_one_that_never_ends(self, client: Any, store: Any, path: str, monkeypatch: Any) -> None:
        monkeypatch.setattr(body, "BODY_SECONDS", 0.01)
        sent = self._sent(client, path, asyncio.Event().wait)
        assert sent[0]["status"] == 408
        assert (b"connection", b"close") in sent[0]["headers"]
        assert store.commands == []

    def test_one_of_too_many(self, client: Any, store: Any, path: str, monkeypatch: Any) -> None:
        monkeypatch.setattr(body, "COMING_BYTES", 3)
        sent = self._sent(client, path, asyncio.Event().wait)
        assert sent[0]["status"] == 503
        assert (b"retry-after", b"1") in sent[0]["headers"]
        assert store.commands == []

    def test_a_client_that_goes(self, client: Any, store: Any, path: str) -> None:
        async def gone() -> Any:
            return {"type": "http.disconnect"}

        # nothing is raised, so nothing is logged
        assert self._sent(client, path, gone)[0]["status"] == 400
        assert store.commands == []

    def _sent(self, client: Any, path: str, then: Any) -> list[Any]:
        sent: list[Any] = []
        parts = [{"type": "http.request", "body": b"key=", "more_body": True}]

        async def receive() -> Any:
            return parts.pop() if parts else await then()

        async def send(message: Any) -> None:
            sent.append(message)

        path, _, query = path.partition("?")
        scope = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "headers": []}
        asyncio.run(client.app({**scope, "query_string": query.encode()}, receive, send))
        return sent
