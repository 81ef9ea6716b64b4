"""The client against servers that behave well, badly and not at all."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import time
from pathlib import Path

import pytest

from api.serving import tls
from engine.outgoing.client import Answer, Client
from engine.outgoing.errors import EndpointBusy, OutgoingFailed
from engine.outgoing.names import Names
from tests.outgoing.endpoint import LOOPBACK, client, endpoint, hang_up, ok, resolves, run, silence, status

SHORT = 0.05


async def failure(it: Client, url: str, headers: dict[str, str] | None = None) -> OutgoingFailed:
    with pytest.raises(OutgoingFailed) as caught:
        await it.post(url, b"{}", headers or {})
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None
    return caught.value


def test_what_is_sent_and_what_comes_back() -> None:
    async def work() -> None:
        async with endpoint(ok(b"[1]")) as server, client() as it:
            url = f"{server.url}/a%2Fb/%C3%A9?code=x%2By%3D&z=1#part"
            assert await it.post(url, b'{"a":1}', {"X-Key": "k"}) == Answer(200, b"[1]")
            (request,) = server.requests
            assert (request.method, request.path) == ("POST", "/a%2Fb/%C3%A9?code=x%2By%3D&z=1")
            assert request.body == b'{"a":1}'
            assert request.headers["x-key"] == "k"
            assert request.headers["host"] == f"127.0.0.1:{server.port}"
            assert "cookie" not in request.headers

    run(work())


def test_options_tell_status_and_headers_and_no_body() -> None:
    async def work() -> None:
        said = status(405, "WebHook-Allowed-Origin: *", body=b"x" * 1_000_000)
        async with endpoint(said) as server, client() as it:
            answer = await it.options(f"{server.url}/hook?code=1", {"WebHook-Request-Origin": "here"})
            assert (answer.status, answer.body) == (405, b"")
            assert answer.headers["webhook-allowed-origin"] == "*"
            (request,) = server.requests
            assert (request.method, request.path, request.body) == ("OPTIONS", "/hook?code=1", b"")
            assert request.headers["webhook-request-origin"] == "here"

    run(work())


def test_options_are_guarded_as_well() -> None:
    async def work() -> None:
        async with endpoint(ok(1)) as server, Client() as it:
            with pytest.raises(OutgoingFailed, match="not allowed"):
                await it.options(server.url, {})
            assert server.connections == 0
        async with endpoint(silence) as server, client(timeout_seconds=SHORT) as it:
            with pytest.raises(OutgoingFailed, match="no answer within"):
                await it.options(server.url, {})

    run(work())


def test_it_works_on_the_loop_of_the_standard_library_too() -> None:
    async def work() -> None:
        async with endpoint(ok(1)) as server, client() as it:
            assert (await it.post(server.url, b"{}", {})).status == 200

    asyncio.run(work())


def test_connections_are_kept_and_cookies_are_not() -> None:
    async def work() -> None:
        async with endpoint(status(200, "Set-Cookie: a=b")) as server, client() as it:
            for _ in range(3):
                await it.post(server.url, b"{}", {})
            assert server.connections == 1
            assert all("cookie" not in request.headers for request in server.requests)

    run(work())


@pytest.mark.parametrize("code", [204, 301, 302, 307, 308, 400, 401, 404, 429, 500, 503])
def test_statuses_are_told_and_redirects_not_followed(code: int) -> None:
    async def work() -> None:
        async with endpoint(ok(1)) as other, client() as it:
            async with endpoint(status(code, f"Location: {other.url}/")) as server:
                assert (await it.post(server.url, b"{}", {})).status == code
                assert len(server.requests) == 1
            assert other.connections == 0

    run(work())


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        async with endpoint(ok(1)) as proxy, endpoint(ok(1)) as server:
            for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
                monkeypatch.setenv(name, proxy.url)
            async with client() as it:
                await it.post(server.url, b"{}", {})
            assert (proxy.connections, len(server.requests)) == (0, 1)

    run(work())


# ---- time --------------------------------------------------------------------------------------------------


def test_a_server_that_never_answers() -> None:
    async def work() -> None:
        async with endpoint(silence) as server, client(timeout_seconds=SHORT) as it:
            error = await failure(it, server.url)
            assert (error.reason, error.again) == ("no answer within 0.05 s", True)

    run(work())


def test_a_server_that_answers_byte_by_byte_is_bounded_by_the_total_time() -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.005)

    async def work() -> None:
        async with endpoint(drip) as server, client(timeout_seconds=0.2) as it:
            start = time.monotonic()
            assert (await failure(it, server.url)).reason == "no answer within 0.2 s"
            assert time.monotonic() - start < 2

    run(work())


def test_a_handshake_that_never_ends() -> None:
    async def work() -> None:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server, client(timeout_seconds=SHORT) as it:
            assert (await failure(it, f"https://127.0.0.1:{port}/")).reason == "no answer within 0.05 s"

    run(work())


# ---- answers that are none ---------------------------------------------------------------------------------

ENDLESS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_answers_up_to_the_bound_are_read() -> None:
    async def work() -> None:
        async with endpoint(ok(b"1" * 1000), ok(b"1" * 1001)) as server, client(max_answer=1000) as it:
            assert len((await it.post(server.url, b"{}", {})).body) == 1000
            assert (await failure(it, server.url)).reason == "the answer is longer than 1000 bytes"

    run(work())


def test_an_endless_answer_is_not_read_to_its_end() -> None:
    sent = 0

    async def endless(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(ENDLESS)
        while True:
            writer.write(b"1000\r\n" + b" " * 4096 + b"\r\n")
            await writer.drain()
            sent += 4096

    async def work() -> None:
        async with endpoint(endless) as server, client() as it:
            assert (await failure(it, server.url)).reason == "the answer is longer than 262144 bytes"
            assert sent < 20_000_000

    run(work())


@pytest.mark.parametrize(
    ("answer", "reason", "again"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "the answer is cut off or not HTTP", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "the answer is cut off or not HTTP", True),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", "the answer is cut off or not HTTP", True),
        (ENDLESS + b"zz\r\n", "the answer is cut off or not HTTP", True),
        (
            status(200, "Content-Encoding: gzip", body=b"\x1f\x8b"),
            "the answer is compressed, which was not asked for",
            False,
        ),
    ],
)
def test_answers_that_are_none(answer: bytes, reason: str, again: bool) -> None:
    async def work() -> None:
        async with endpoint(answer) as server, client() as it:
            error = await failure(it, server.url)
            assert (error.reason, error.again) == (reason, again)

    run(work())


def test_an_answer_that_is_cut_off() -> None:
    async def cut(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")
        await hang_up(writer)

    async def work() -> None:
        async with endpoint(cut) as server, client() as it:
            assert (await failure(it, server.url)).reason == "the answer is cut off or not HTTP"

    run(work())


# ---- connections that are none -----------------------------------------------------------------------------


def test_connections_that_are_none() -> None:
    async def work() -> None:
        async with endpoint(hang_up) as server, client() as it:
            error = await failure(it, server.url)
            assert (error.reason, error.again) == ("the connection was lost", True)
        async with client() as it:
            error = await failure(it, server.url)
            assert (error.reason, error.again) == ("no connection (Connection refused)", True)

    run(work())


@pytest.mark.parametrize(
    ("error", "reason", "again"),
    [
        (socket.gaierror(-2, "Name or service not known"), "the host has no address", True),
        (socket.gaierror(-3, "Temporary failure in name resolution"), "the host has no address", True),
        (UnicodeError("label empty or too long"), "the URL is not valid", False),
    ],
)
def test_names_that_are_none(
    monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str, again: bool
) -> None:
    def fail(_: str) -> str:
        raise error

    async def work() -> None:
        resolves(monkeypatch, fail)
        async with client() as it:
            told = await failure(it, "http://nowhere.example/?code=hidden")
            assert (told.reason, told.again) == (reason, again)

    run(work())


def test_dead_name_servers_delay_only_those_who_ask_them(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    asked: list[str] = []

    def address(host: str) -> str:
        asked.append(host)
        if host.startswith("dead"):
            release.wait(30)
        return "127.0.0.1"

    async def work() -> None:
        resolves(monkeypatch, address)
        async with endpoint(ok(1)) as server, client() as it:
            urls = [f"http://dead{i}.example:{server.port}/" for i in range(20)]
            stuck = [asyncio.create_task(it.post(url, b"{}", {})) for url in urls]
            while len(asked) < len(urls):
                await asyncio.sleep(0)
            answer = await it.post(f"http://alive.example:{server.port}/", b"{}", {})
            assert (answer.status, len(server.requests)) == (200, 1)
            release.set()
            assert {answer.status for answer in await asyncio.gather(*stuck)} == {200}

    run(work())


def test_names_are_found_again_when_there_are_threads_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_thread(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def work() -> None:
        names = Names(threads=1)
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", no_thread)
            with pytest.raises(OSError, match="thread"):
                await names.resolve("127.0.0.1", 80)
        async with asyncio.timeout(5):
            [found] = await names.resolve("127.0.0.1", 80)
        assert found["host"] == "127.0.0.1"

    run(work())


def test_a_name_that_is_found_too_late(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, release = threading.Event(), threading.Event()

    def address(_: str) -> str:
        asked.set()
        release.wait(30)
        return "127.0.0.1"

    async def work() -> None:
        resolves(monkeypatch, address)
        names = Names(threads=1)
        looking = asyncio.create_task(names.resolve("dead.example", 80))
        while not asked.is_set():
            await asyncio.sleep(0)
        looking.cancel()
        again = asyncio.create_task(names.resolve("alive.example", 80))
        await asyncio.sleep(0)
        assert looking.cancelled()
        assert not again.done()  # the thread is still at work
        release.set()
        assert [found["host"] for found in await again] == ["127.0.0.1"]

    run(work())


# ---- headers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "a\0b", "a\tb", "ä", "\x7f"])
def test_headers_that_would_be_two_are_not_sent(value: str) -> None:
    async def work() -> None:
        async with endpoint(ok(1)) as server, client() as it:
            error = await failure(it, server.url, {"x-functions-key": value})
            assert error.reason.startswith("the value for the header x-functions-key holds")
            assert value not in str(error)
            assert server.connections == 0

    run(work())


# ---- TLS ---------------------------------------------------------------------------------------------------


def _server_side(files: tls.Files) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files.certificate, files.key)
    return context


def test_tls_checks_authority_and_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = tls.development_files(tmp_path, ("hooks.example",))
    trusting = ssl.create_default_context(cafile=ours.ca)
    names: list[str | None] = []

    async def work() -> None:
        resolves(monkeypatch, lambda _: "127.0.0.1")
        context = _server_side(ours)
        context.sni_callback = lambda _socket, name, _context: names.append(name)
        async with endpoint(ok(1), tls=context) as server:
            url = f"https://hooks.example:{server.port}/"
            other = f"https://other.example:{server.port}/"
            async with client(tls=trusting) as it:
                assert (await it.post(url, b"{}", {})).status == 200
                errors = [await failure(it, other)]
            async with client() as it:
                errors.append(await failure(it, url))
            for error in errors:
                assert error.reason == "the certificate is not trusted or not for this host"
                assert not error.again
            assert names == ["hooks.example", "other.example", "hooks.example"]

    run(work())


def test_a_server_without_tls() -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail\r\n")
        writer.close()
        await writer.wait_closed()

    async def work() -> None:
        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server, client() as it:
            error = await failure(it, f"https://127.0.0.1:{port}/")
            assert (error.reason, error.again) == ("no TLS connection", True)

    run(work())


# ---- many calls --------------------------------------------------------------------------------------------


def test_a_dead_endpoint_delays_only_its_own_calls() -> None:
    async def work() -> None:
        async with (
            endpoint(silence) as dead,
            endpoint(ok(1)) as alive,
            client(per_endpoint=2, waiting=1, wait_seconds=30) as it,
        ):
            stuck = [asyncio.create_task(it.post(dead.url, b"{}", {})) for _ in range(3)]
            while len(dead.requests) < 2:
                await asyncio.sleep(0)
            with pytest.raises(EndpointBusy, match=r"127\.0\.0\.1:\d+: 3 calls are under way or waiting"):
                await it.post(f"{dead.url}/?code=hidden", b"{}", {})
            for _ in range(5):
                assert (await it.post(alive.url, b"{}", {})).status == 200
            assert len(dead.requests) == 2
            for task in stuck:
                task.cancel()
            await asyncio.gather(*stuck, return_exceptions=True)

    run(work())


def test_calls_in_line_do_not_wait_for_ever() -> None:
    async def work() -> None:
        async with (
            endpoint(silence) as server,
            client(per_endpoint=1, waiting=10, wait_seconds=SHORT) as it,
        ):
            first = asyncio.create_task(it.post(server.url, b"0", {}))
            while not server.requests:
                await asyncio.sleep(0)
            with pytest.raises(EndpointBusy, match=r"no place within 0\.05 s"):
                await it.post(server.url, b"late", {})
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)

    run(work())


def test_calls_in_line_are_served_in_order() -> None:
    async def work() -> None:
        release = asyncio.Event()

        async def later(writer: asyncio.StreamWriter) -> None:
            await release.wait()
            writer.write(ok(1))

        async with endpoint(later) as server, client(per_endpoint=1, waiting=10) as it:
            first = asyncio.create_task(it.post(server.url, b"0", {}))
            while not server.requests:
                await asyncio.sleep(0)
            others = [asyncio.create_task(it.post(server.url, b"%d" % i, {})) for i in range(1, 5)]
            await asyncio.sleep(0)
            release.set()
            await asyncio.gather(first, *others)
            assert [request.body for request in server.requests] == [b"0", b"1", b"2", b"3", b"4"]

    run(work())


def test_nothing_of_an_answer_is_shown() -> None:
    assert repr(Answer(200, b"token")) == "Answer(200, 5 bytes)"
    assert LOOPBACK.permits("127.0.0.1")
