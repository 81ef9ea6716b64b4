"""Which URLs and addresses may be called."""

from __future__ import annotations

import socket

import pytest

from engine.outgoing.errors import OutgoingFailed
from engine.outgoing.guard import AddressRefused, Allowed, target
from engine.outgoing.names import Names
from tests.outgoing.endpoint import client, endpoint, ok, resolves, run

# fmt: off
REFUSED = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.255.254",
    "168.63.129.16", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1",
    "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.9",
    "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "::", "::1", "::127.0.0.1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1", "64:ff9b:1::1", "100::1", "2001::1", "2001:0:1:2::3", "2001:db8::1",
    "2002:7f00:1::1", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0",
    "fec0::1", "ff02::1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0", "",
]
# fmt: on
# fmt: off
PUBLIC = [
    "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0",
    "126.255.255.255", "128.0.0.0", "168.63.129.17", "169.253.255.255", "169.255.0.0",
    "172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0", "198.17.255.255",
    "198.20.0.0", "223.255.255.255", "::ffff:8.8.8.8", "2001:4860:4860::8888", "2606:4700::1111",
    "2a00::1", "2003::1", "3ffe::1",
]
# fmt: on


@pytest.mark.parametrize("address", REFUSED)
def test_refused_addresses(address: str) -> None:
    assert not Allowed().permits(address)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with pytest.raises(AddressRefused):
        Allowed().socket((family, socket.SOCK_STREAM, 0, "", (address, 80)))


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses(address: str) -> None:
    assert Allowed().permits(address)


@pytest.mark.parametrize(
    ("entry", "address"),
    [
        ("10.1.0.0/16", "10.1.2.3"),
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1", "::ffff:127.0.0.1"),
        ("fd00::/8", "fd12::1"),
        ("::1", "::1"),
    ],
)
def test_allowed_networks(entry: str, address: str) -> None:
    assert Allowed.parse([entry]).permits(address)
    assert not Allowed.parse([entry]).permits("192.168.0.1")
    assert not Allowed.parse([entry]).permits("fe80::1")


@pytest.mark.parametrize(
    ("entry", "host", "named"),
    [
        ("hooks.internal", "hooks.internal", True),
        ("Hooks.Internal.", "HOOKS.internal", True),
        ("bücher.example", "xn--bcher-kva.example", True),
        ("hooks.internal", "hooks.internal.", True),
        ("hooks.internal", "x.hooks.internal", False),
        ("hooks.internal", "hooks.internal.evil.example", False),
    ],
)
def test_allowed_hosts(entry: str, host: str, named: bool) -> None:
    assert Allowed.parse([entry]).names(target(f"http://{host}:8080/x")) is named


@pytest.mark.parametrize(
    "entry",
    ["", "10.0.0.1/8", "10.0.0.0/33", "a/b", "a b", "a:80", "http://a", "2130706433", "127.1", "0x7f.0x1"],
)
def test_entries_that_allow_nothing_are_errors(entry: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        Allowed.parse(["1.2.3.4", entry])
    assert str(caught.value) == entry


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "neither http nor https"),
        ("ftp://a/", "neither http nor https"),
        ("file:///etc/passwd", "neither http nor https"),
        ("//a/b", "neither http nor https"),
        ("http://", "no host"),
        ("http:///x", "no host"),
        ("http://:80/x", "not valid|no host"),
        ("http://user@a/", "user name"),
        ("http://user:secret@a/", "user name"),
        ("http://:secret@a/", "user name"),
        ("http://a:b/", "not valid"),
        ("http://a:70000/", "not valid"),
        ("http://[::1/", "not valid"),
        ("http://a/\r\nX: y", "control"),
        ("http://a/ b", "blank"),
        ("http://a\0/", "control"),
        ("http://a\\@b/", "user name|not valid"),
    ],
)
def test_refused_urls(url: str, reason: str) -> None:
    with pytest.raises(OutgoingFailed, match=reason) as caught:
        target(url)
    assert "secret" not in str(caught.value)
    assert not caught.value.again


async def _refused(url: str, allowed: Allowed = Allowed()) -> str:  # noqa: B008
    async with client(allowed) as it:
        with pytest.raises(OutgoingFailed) as caught:
            await it.post(url, b"{}", {})
    return caught.value.reason


HOSTS = [
    "127.0.0.1",
    "localhost",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "127.1",
    "0",
    "[::1]",
    "[::ffff:127.0.0.1]",
]


@pytest.mark.parametrize("host", HOSTS)
def test_no_spelling_of_loopback_is_connected_to(host: str) -> None:
    async def work() -> None:
        async with endpoint(ok(1)) as server:
            reason = await _refused(f"http://{host}:{server.port}/")
            assert reason.endswith(("not allowed (see --allow-outgoing)", "not valid"))
            assert server.connections == 0

    run(work())


def test_a_name_is_checked_when_it_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that resolves to a public address when somebody looks, and to loopback a moment later."""
    looked_up = iter(["8.8.8.8", "127.0.0.1"])

    async def work() -> None:
        resolves(monkeypatch, lambda _: next(looked_up))
        first = await Names().resolve("rebinding.example", 80)
        assert Allowed().permits(first[0]["host"])
        async with endpoint(ok(1)) as server:
            assert "not allowed" in await _refused(f"http://rebinding.example:{server.port}/")
            assert server.connections == 0

    run(work())


def test_a_host_allowed_by_name_is_called_whatever_its_address() -> None:
    async def work() -> None:
        async with endpoint(ok(1)) as server, client(Allowed.parse(["localhost"])) as it:
            assert (await it.post(f"http://localhost:{server.port}/", b"{}", {})).status == 200
            with pytest.raises(OutgoingFailed, match="not allowed"):
                await it.post(f"http://127.0.0.1:{server.port}/", b"{}", {})

    run(work())
