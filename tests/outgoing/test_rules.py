"""Function and webhook rules, against servers that answer, fail, and fail at first."""

from __future__ import annotations

import asyncio
import contextlib
import traceback
from collections.abc import AsyncIterator
from typing import Any

import pytest

from engine.outgoing.errors import EndpointBusy, RuleFailed
from engine.outgoing.oauth import Grant
from engine.outgoing.rules import FunctionRule, Rule, RuleCaller, WebhookRule, rule_caller
from engine.outgoing.secret import Secret
from tests.outgoing.endpoint import Endpoint, Reply, client, endpoint, hang_up, ok, run, silence, status

SHORT = 0.05


@contextlib.asynccontextmanager
async def caller(retries: int = 1, total_seconds: float = 60.0, **limits: Any) -> AsyncIterator[RuleCaller]:
    async with (
        client(**limits) as it,
        rule_caller(it, retries=retries, pause_seconds=0, total_seconds=total_seconds) as made,
    ):
        yield made


async def failure(it: RuleCaller, rule: Rule) -> str:
    with pytest.raises(RuleFailed) as caught:
        await it.call(rule, b"{}")
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None
    return caught.value.reason


def function(server: Endpoint) -> FunctionRule:
    return FunctionRule(Secret(f"{server.url}/api/f?code=hidden"))


def webhook(server: Endpoint, authority: Endpoint) -> WebhookRule:
    grant = Grant(Secret(f"{authority.url}/token"), "me", Secret("hidden"))
    return WebhookRule(Secret(f"{server.url}/hook"), grant)


# ---- functions ---------------------------------------------------------------------------------------------


def test_a_function_is_told_the_payload_and_its_answer_is_the_value() -> None:
    async def work() -> None:
        async with endpoint(ok({"a": [1, None]})) as server, caller() as it:
            assert await it.call(function(server), b'{"job":{"a":1}}') == {"a": [1, None]}
            (request,) = server.requests
            assert (request.method, request.path, request.body) == (
                "POST",
                "/api/f?code=hidden",
                b'{"job":{"a":1}}',
            )
            assert request.headers["content-type"] == "application/json"
            assert not [name for name in request.headers if name.startswith("x-functions")]

    run(work())


@pytest.mark.parametrize(
    ("credential", "headers"),
    [
        ({"function_key": Secret("f")}, {"x-functions-key": "f"}),
        ({"app_key": Secret("a")}, {"x-functions-key": "a"}),
        (
            {"app_key": Secret("a"), "client_id": "me"},
            {"x-functions-key": "a", "x-functions-clientid": "me"},
        ),
        ({"function_key": Secret("f"), "app_key": Secret("a"), "client_id": "me"}, {"x-functions-key": "f"}),
        ({"client_id": "me"}, {}),
    ],
)
def test_keys_of_functions(credential: dict[str, Any], headers: dict[str, str]) -> None:
    async def work() -> None:
        async with endpoint(ok(1)) as server, caller() as it:
            await it.call(FunctionRule(Secret(server.url), **credential), b"{}")
            sent = server.requests[0].headers
            assert {name: text for name, text in sent.items() if name.startswith("x-functions")} == headers

    run(work())


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"5", 5),
        (b" true ", True),
        (b"null", None),
        (b'"sales"', "sales"),
        (b"12345678901234567890123", 12345678901234567890123),
        (b"9007199254740993", 9007199254740993),
        (b'{"a":1,"a":2}', {"a": 2}),
    ],
)
def test_answers_of_any_kind(body: bytes, value: Any) -> None:
    async def work() -> None:
        async with endpoint(ok(body)) as server, caller() as it:
            assert await it.call(function(server), b"{}") == value

    run(work())


def test_answers_of_the_greatest_depth() -> None:
    async def work() -> None:
        async with endpoint(ok(b"[" * 32 + b"]" * 32)) as server, caller() as it:
            assert isinstance(await it.call(function(server), b"{}"), list)

    run(work())


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "is not valid JSON"),
        (b"NaN", "is not valid JSON"),
        (b"[Infinity]", "is not valid JSON"),
        (b"1e999", "is not valid JSON"),
        (b"{'a':1}", "is not valid JSON"),
        (b"1 2", "is not valid JSON"),
        (b"<html>", "is not valid JSON"),
        (b'"\xff"', "is not valid"),
        (b'"\\ud800"', "is not valid JSON"),
        (b'"\\u0000"', "must not contain the character NUL"),
        (b"[" * 33 + b"]" * 33, "is nested deeper than 32 levels"),
        (b"[" * 100_000, "is nested deeper than 32 levels"),
    ],
)
def test_answers_that_are_no_value(body: bytes, reason: str) -> None:
    async def work() -> None:
        async with endpoint(ok(body)) as server, caller() as it:
            assert (await failure(it, function(server))).startswith(f"the answer of the function {reason}")
            assert len(server.requests) == 1

    run(work())


# ---- failures and retries ----------------------------------------------------------------------------------


@pytest.mark.parametrize("reply", [status(500), status(503), status(429), hang_up])
@pytest.mark.parametrize("retries", [0, 1, 3])
def test_what_may_pass_is_tried_again(reply: Reply, retries: int) -> None:
    async def work() -> None:
        async with caller(retries) as it:
            async with endpoint(*[reply] * retries, ok(7)) as server:
                assert await it.call(function(server), b"{}") == 7
                assert len(server.requests) == retries + 1
            async with endpoint(reply) as server:
                await failure(it, function(server))
                assert len(server.requests) == retries + 1

    run(work())


def test_a_timeout_is_tried_again() -> None:
    async def work() -> None:
        async with endpoint(silence, ok(7)) as server, caller(timeout_seconds=1) as it:
            assert await it.call(function(server), b"{}") == 7
            assert len(server.requests) == 2

    run(work())


@pytest.mark.parametrize("code", [201, 204, 301, 307, 400, 401, 403, 404])
def test_other_statuses_than_200_fail_at_once(code: int) -> None:
    async def work() -> None:
        async with endpoint(status(code, "Location: /")) as server, caller() as it:
            assert await failure(it, function(server)) == f"the function answers with status {code}"
            assert len(server.requests) == 1

    run(work())


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://h/?code=hidden", "the URL is neither http nor https"),
        ("http://hidden@h/", "the URL holds a user name or password"),
        (
            "http://10.0.0.1/?code=hidden",
            "the host has an address that is not allowed (see --allow-outgoing)",
        ),
    ],
)
def test_what_may_not_be_called(url: str, reason: str) -> None:
    async def work() -> None:
        async with caller() as it:
            assert await failure(it, FunctionRule(Secret(url))) == f"the function cannot be called: {reason}"

    run(work())


def test_a_key_that_would_be_two_headers_is_not_sent() -> None:
    async def work() -> None:
        async with endpoint(ok(1)) as server, caller() as it:
            rule = FunctionRule(Secret(server.url), Secret("hidden\r\nX-Evil: 1"))
            assert "x-functions-key" in (reason := await failure(it, rule))
            assert "hidden" not in reason
            assert server.connections == 0

    run(work())


def test_a_call_ends_in_its_total_time() -> None:
    async def work() -> None:
        async with endpoint(silence) as server, caller(100, SHORT, timeout_seconds=0.02) as it:
            assert (
                await failure(it, function(server)) == "the function has given no value within 0.05 s in all"
            )

    run(work())


def test_a_call_whose_turn_does_not_come_is_not_a_failed_rule() -> None:
    async def work() -> None:
        async with endpoint(silence) as server, caller(per_endpoint=1, waiting=0) as it:
            stuck = asyncio.create_task(it.call(function(server), b"{}"))
            while not server.requests:
                await asyncio.sleep(0)
            with pytest.raises(EndpointBusy):
                await it.call(function(server), b"{}")
            stuck.cancel()
            await asyncio.gather(stuck, return_exceptions=True)

    run(work())


# ---- webhooks ----------------------------------------------------------------------------------------------


def test_a_webhook_is_called_with_a_token() -> None:
    async def work() -> None:
        async with (
            endpoint(ok({"access_token": "t1"})) as authority,
            endpoint(ok(5)) as server,
            caller() as it,
        ):
            for _ in range(3):
                assert await it.call(webhook(server, authority), b'{"job":{}}') == 5
            assert len(authority.requests) == 1
            (request, *_) = server.requests
            assert request.headers["authorization"] == "Bearer t1"
            assert request.body == b'{"job":{}}'

    run(work())


def test_a_webhook_without_authorization() -> None:
    async def work() -> None:
        async with endpoint(ok(5)) as server, caller() as it:
            assert await it.call(WebhookRule(Secret(server.url)), b"{}") == 5
            assert "authorization" not in server.requests[0].headers

    run(work())


def test_a_token_that_is_refused_is_replaced_once() -> None:
    async def work() -> None:
        tokens = [ok({"access_token": f"t{i}"}) for i in range(9)]
        async with endpoint(*tokens) as authority, caller() as it:
            async with endpoint(status(401), ok(5)) as server:
                assert await it.call(webhook(server, authority), b"{}") == 5
                sent = [request.headers["authorization"] for request in server.requests]
                assert sent == ["Bearer t0", "Bearer t1"]
                assert await it.call(webhook(server, authority), b"{}") == 5
                assert len(authority.requests) == 2
            async with endpoint(status(401)) as server:
                reason = await failure(it, webhook(server, authority))
                assert reason == "the webhook answers with status 401"
                assert len(server.requests) == 2
                assert len(authority.requests) == 3

    run(work())


def test_a_webhook_at_its_own_authority_does_not_wait_for_itself() -> None:
    async def work() -> None:
        async with endpoint(ok({"access_token": "t"})) as both, caller(per_endpoint=1) as it:
            calls = [it.call(webhook(both, both), b"{}") for _ in range(5)]
            await asyncio.gather(*calls)
            assert [request.path for request in both.requests] == ["/token", *["/hook"] * 5]

    run(work())


@pytest.mark.parametrize(
    ("reply", "reason", "times"),
    [
        (status(400), "status 400", 1),
        (status(503), "status 503", 2),
        (hang_up, "the connection was lost", 2),
        (ok(b"hidden"), "the answer is not valid JSON", 1),
        (ok([]), "the answer has no access_token", 1),
        (ok({}), "the answer has no access_token", 1),
        (ok({"access_token": 1}), "the answer has no access_token", 1),
        (ok({"access_token": "hidden\r\nX: y"}), "the answer has no access_token", 1),
        (ok({"access_token": "hidden", "token_type": "mac"}), "the token is not a bearer token", 1),
    ],
)
def test_no_token(reply: Reply, reason: str, times: int) -> None:
    async def work() -> None:
        async with endpoint(reply) as authority, endpoint(ok(1)) as server, caller() as it:
            told = await failure(it, webhook(server, authority))
            start = "the webhook cannot be called: no token from the authorization server: "
            assert told.startswith(start + reason)
            assert "hidden" not in told
            assert (len(authority.requests), server.connections) == (times, 0)

    run(work())


# ---- secrets -----------------------------------------------------------------------------------------------


def test_secrets_are_never_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    shown: list[str] = []

    async def work() -> None:
        token = ok({"access_token": "hidden-token"})
        for reply in (status(500), status(302), status(401), ok(b"x"), hang_up, silence, b"no HTTP\r\n\r\n"):
            async with (
                endpoint(token) as authority,
                endpoint(reply) as server,
                caller(timeout_seconds=SHORT) as it,
            ):
                grant = Grant(Secret(f"{authority.url}/?k=hidden"), "me", Secret("hidden-secret"))
                rules: list[Rule] = [
                    FunctionRule(Secret(f"{server.url}/hidden?code=hidden"), Secret("hidden-key")),
                    FunctionRule(Secret(f"{server.url}/hidden"), app_key=Secret("hidden-key")),
                    WebhookRule(Secret(f"{server.url}/hidden"), grant),
                ]
                for rule in rules:
                    shown.append(repr(rule))
                    try:
                        await it.call(rule, b"{}")
                    except RuleFailed as error:
                        shown.extend([repr(error), str(error), *traceback.format_exception(error)])
                    else:
                        pytest.fail("the rule has a value")

    run(work())
    assert len(shown) > 20
    assert "hidden" not in "".join(shown) + caplog.text
