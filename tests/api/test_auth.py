"""HMAC: what the official clients really sent verifies, and nothing else does."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64decode, b64encode
from email.utils import mktime_tz, parsedate_tz
from pathlib import Path
from typing import Any

import pytest

from api.auth import Authenticator
from api.errors import Denied
from engine.commands import QueueOverview
from engine.settings import Settings, Tenant

KEY = b"0123456789abcdef0123456789abcdef"
CAPTURES = Path(__file__).parent / "captures"
REQUESTS = [
    json.loads(line) for file in sorted(CAPTURES.glob("*.jsonl")) for line in file.read_text().splitlines()
]


Captured = tuple[str, bytes, dict[bytes, bytes], bytes]


def moment_of(headers: dict[bytes, bytes]) -> float:
    parsed = parsedate_tz(headers[b"x-ms-date"].decode())
    assert parsed
    return float(mktime_tz(parsed))


def is_accepted(request: Captured, keys: tuple[bytes, ...], now: float) -> bool:
    """Verifies a request at a time."""
    tenant = Tenant(name="main", keys=keys, hosts=())
    authenticator = Authenticator(Settings(tenants={"main": tenant}), lambda: now)
    try:
        authenticator.check(*request, tenant, "")
    except Denied:
        return False
    return True


@pytest.fixture(params=range(len(REQUESTS)))
def captured(request: pytest.FixtureRequest) -> Captured:
    one = REQUESTS[request.param]
    headers = {name.lower().encode(): value.encode("latin-1") for name, value in one["headers"]}
    return one["method"], one["rawpath"].encode(), headers, one["body"].encode()


def test_there_are_all_captures() -> None:
    assert len(REQUESTS) == 329


def test_captured_request_verifies(captured: Captured) -> None:
    now = moment_of(captured[2])
    assert is_accepted(captured, (KEY,), now)
    assert is_accepted(captured, (b"newer", KEY), now)
    assert not is_accepted(captured, (b"other",), now)


def changed(text: bytes, flips: tuple[int, ...] = (1, 0x20)) -> list[bytes]:
    """The text with each byte changed in turn: to a neighbour, and to its other case."""
    return [text[:i] + bytes([text[i] ^ flip]) + text[i + 1 :] for i in range(len(text)) for flip in flips]


def test_one_changed_byte_does_not_verify(captured: Captured) -> None:
    method, target, headers, body = captured
    head, _, signature = headers[b"authorization"].rpartition(b"Signature=")
    forged = [b64encode(other) for other in changed(b64decode(signature), (1,))]
    others: list[Captured] = [
        *((other.decode("latin-1"), target, headers, body) for other in changed(method.encode())),
        *((method, other, headers, body) for other in changed(target)),
        *((method, target, headers, other) for other in changed(body)),
        *(
            (method, target, {**headers, name: other}, body)
            for name in (b"x-ms-date", b"x-ms-content-sha256")
            for other in changed(headers[name])
        ),
        *(
            (method, target, {**headers, b"authorization": head + b"Signature=" + other}, body)
            for other in forged
        ),
    ]
    now = moment_of(headers)
    assert [other for other in others if is_accepted(other, (KEY,), now)] == []


@pytest.mark.parametrize("zone", ["+" + "9" * 400, "-" + "9" * 400, "+9900"])
def test_a_date_of_no_zone_is_none(client: Any, signed: Any, store: Any, zone: str) -> None:
    target = "/routing/jobs/x?api-version=2023-11-01"
    date = f"Tue, 14 Nov 2023 22:13:20 {zone}"
    refused = client.send("GET", target, b"", signed("GET", target) | {"x-ms-date": date})
    assert refused.status == 401
    assert store.commands == []


def test_percent_decoded_path_does_not_verify(client: Any, signed: Any) -> None:
    target = "/routing/jobs/a%2Fb?api-version=2023-11-01"
    headers = signed("GET", target, signed_target="/routing/jobs/a/b?api-version=2023-11-01")
    assert client.send("GET", target, b"", headers).status == 401


@pytest.mark.parametrize(
    ("signed_host", "sent_host"),
    [
        ("localhost:8080", "localhost:8080"),
        ("localhost", "localhost:8080"),
        ("localhost:8080", "localhost:8080:8080"),
        ("localhost", "localhost:8080:8080"),
        ("localhost:8080/", "localhost:8080"),
        ("localhost:8080", "LocalHost:8080"),
    ],
)
def test_spellings_of_the_host(client: Any, signed: Any, signed_host: str, sent_host: str) -> None:
    target = "/routing/jobs/x?api-version=2023-11-01"
    headers = signed("GET", target, host=signed_host) | {"host": sent_host}
    assert client.send("GET", target, b"", headers).status == 404


def test_forwarded_host_counts_only_from_a_trusted_proxy(make_client: Any, signed: Any) -> None:
    target = "/routing/jobs/x?api-version=2023-11-01"
    headers = signed("GET", target, host="public.example") | {
        "host": "inner",
        "x-forwarded-host": "public.example",
    }
    trusting = make_client(trusted_proxies=("10.0.0.1",))
    assert trusting.send("GET", target, b"", headers, client=("10.0.0.1", 5)).status == 404
    assert trusting.send("GET", target, b"", headers, client=("10.0.0.2", 5)).status == 401


def test_public_host_counts(make_client: Any, signed: Any) -> None:
    target = "/routing/jobs/x?api-version=2023-11-01"
    headers = signed("GET", target, host="public.example:8443") | {"host": "inner"}
    assert (
        make_client(public_base_url="https://public.example:8443/").send("GET", target, b"", headers).status
        == 404
    )


def test_query_signed_as_a_form(client: Any, signed: Any) -> None:
    target = "/routing/workers?queueId=a%20b~&api-version=2023-11-01"
    form = "/routing/workers?queueId=a+b%7E&api-version=2023-11-01"
    assert client.send("GET", target, b"", signed("GET", target, signed_target=form)).status == 404


@pytest.mark.parametrize(("count", "status"), [(100, 200), (101, 401)])
def test_a_long_query_is_not_spelled_anew(
    client: Any, signed: Any, store: Any, count: int, status: int
) -> None:
    store.on(QueueOverview, {"next": 0, "rows": []})
    target, form = (
        "/ext/v1/queues?" + "&".join(f"a{number}={blank}" for number in range(count))
        for blank in ("%20", "+")
    )
    assert client.send("GET", target, b"", signed("GET", target, signed_target=form)).status == status


@pytest.mark.parametrize(("off", "status"), [(0, 404), (899, 404), (-899, 404), (901, 401), (-901, 401)])
def test_clock(client: Any, signed: Any, off: int, status: int) -> None:
    target = "/routing/jobs/x?api-version=2023-11-01"
    assert client.send("GET", target, b"", signed("GET", target, now=1_700_000_000 + off)).status == status


def test_second_key(client: Any) -> None:
    assert client("GET", "/routing/jobs/x", key=b"second-key").status == 404


def test_date_header_stands_in(client: Any, signed: Any) -> None:
    target = "/routing/jobs/x?api-version=2023-11-01"
    headers = signed("GET", target)
    headers["date"] = headers.pop("x-ms-date")
    headers["authorization"] = headers["authorization"].replace("x-ms-date", "date")
    assert client.send("GET", target, b"", headers).status == 404


def test_signed_headers_in_another_order(client: Any, signed: Any) -> None:
    target = "/routing/jobs/x?api-version=2023-11-01"
    headers = signed("GET", target)
    text = (
        f"GET\n{target}\nlocalhost;{headers['x-ms-date']};{b64encode(hashlib.sha256(b'').digest()).decode()}"
    )
    signature = b64encode(hmac.digest(KEY, text.encode(), "sha256")).decode()
    headers["authorization"] = (
        f"HMAC-SHA256 SignedHeaders=host;x-ms-date;x-ms-content-sha256&Signature={signature}"
    )
    assert client.send("GET", target, b"", headers).status == 404


@pytest.mark.parametrize(
    "change",
    [
        {"authorization": None},
        {"x-ms-date": None},
        {"x-ms-content-sha256": None},
        {"x-ms-date": "yesterday"},
        {"x-ms-date": "Sun, 99 Nov 99999 05:20:39 GMT"},
        {"authorization": "Bearer abc"},
        {"authorization": "Basic abc"},
        {"authorization": "HMAC-SHA256 SignedHeaders=x-ms-date;host&Signature=YWJj"},
        {"authorization": "HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256;x&Signature=YWJj"},
        {"authorization": "HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature=***"},
        {"authorization": "HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature="},
        {"authorization": ""},
    ],
)
def test_bad_signatures(client: Any, store: Any, signed: Any, change: dict[str, str | None]) -> None:
    target = "/routing/jobs/x?api-version=2023-11-01"
    headers = {name: value for name, value in (signed("GET", target) | change).items() if value is not None}
    response = client.send("GET", target, b"", headers)
    assert response.status == 401
    assert response.error["code"] == "Denied"
    assert response.error["message"].startswith("Denied by the resource provider.")
    assert store.commands == []


def test_another_key_is_told(client: Any, signed: Any) -> None:
    target = "/routing/jobs/x?api-version=2023-11-01"
    headers = signed("GET", target)
    scheme = headers["authorization"].partition("Signature=")[0]
    response = client.send("GET", target, b"", headers | {"authorization": f"{scheme}Signature={'A' * 43}="})
    assert response.status == 401
    assert "fits no access key of the router of this host" in response.error["message"]


def test_bearer_token_is_told_what_is_needed(client: Any, signed: Any) -> None:
    target = "/routing/jobs/x?api-version=2023-11-01"
    response = client.send("GET", target, b"", signed("GET", target) | {"authorization": "Bearer abc"})
    assert "access key" in response.error["message"]
    assert "JOBROUTER_ACCESS_KEYS" in response.error["message"]


@pytest.mark.parametrize("name", ["host", "x-ms-date", "authorization"])
def test_header_given_twice(client: Any, signed: Any, name: str) -> None:
    target = "/routing/jobs/x?api-version=2023-11-01"
    headers = signed("GET", target)
    response = client.send("GET", target, b"", [*headers.items(), (name, headers[name])])
    assert response.status == 400
    assert name in response.error["message"]


def test_other_header_given_twice(client: Any, signed: Any) -> None:
    target = "/routing/jobs/x?api-version=2023-11-01"
    headers = [*signed("GET", target).items(), ("accept", "a"), ("accept", "b")]
    assert client.send("GET", target, b"", headers).status == 404


@pytest.mark.parametrize(
    ("host", "root"),
    [
        ("localhost:8080", "jr:{main}"),
        ("other.example.org:8080", "jr:{other}"),
        ("OTHER", "jr:{other}"),
        ("router.example.com", "jr:{other}"),
        ("Router.Example.com:443", "jr:{other}"),
        ("[::1]:8080", "jr:{main}"),
    ],
)
def test_tenant_by_host(client: Any, store: Any, host: str, root: str) -> None:
    key = b"other-key" if "other" in root else KEY
    assert client("GET", "/routing/jobs/x", host=host, key=key).status == 404
    assert store.roots == [root]


def test_only_the_tenants_own_keys_count(client: Any) -> None:
    assert client("GET", "/routing/jobs/x", host="other", key=KEY).status == 401
    assert client("GET", "/routing/jobs/x", host="localhost", key=b"other-key").status == 401


def test_no_main_tenant(make_client: Any) -> None:
    assert make_client(tenants={})("GET", "/routing/jobs/x").status == 401
