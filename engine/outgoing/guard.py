"""Where calls to the outside may go: to public addresses, and to what the operator allows.

The check stands where a socket is made for the very address that is connected to next. So the
spelling of a host (``127.1``, ``0x7f000001``) does not matter, nor what a name resolves to a moment later.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable
from typing import Any

import msgspec
from yarl import URL

from engine.outgoing.errors import OutgoingFailed

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Written out, because is_global of the standard library differs between its patch releases.
_REFUSED_4 = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this network; 0.0.0.0 is this host
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared by carriers (CGNAT)
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's host agent, under a public address
        "169.254.0.0/16",  # link-local; metadata services of clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
# Outside this everything is refused: loopback, private, link-local, multicast, NAT64 (64:ff9b::/96)
_GLOBAL_6 = ipaddress.IPv6Network("2000::/3")
_REFUSED_6 = tuple(
    ipaddress.IPv6Network(text)
    for text in (
        "2001::/23",  # protocol assignments; Teredo, which embeds IPv4 addresses
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which embeds IPv4 addresses
        "3fff::/20",  # documentation
    )
)
WITH_CREDENTIALS = "the URL holds a user name or password"
"""Why a URL that shows credentials to everybody who reads it is none to call."""

_NUMERIC_LABEL = re.compile(r"(\d+|0[xX][0-9a-fA-F]*)\.?$")


class AddressRefused(OSError):
    """The address that a socket was asked for is not allowed.

    The text is always the same: a failure at several addresses of a host is then reported as this one.
    """

    def __init__(self) -> None:
        super().__init__("the address is not allowed")


class Allowed(msgspec.Struct, frozen=True):
    """What is allowed beside public addresses: networks, and hosts by name, whatever they resolve to."""

    hosts: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()

    @classmethod
    def parse(cls, entries: Iterable[str]) -> Allowed:
        """Entries like ``10.1.0.0/16``, ``fd00::1``, ``hooks.internal``. Raises ValueError with the entry."""
        hosts: set[str] = set()
        networks: list[Network] = []
        for entry in entries:
            try:
                networks.append(ipaddress.ip_network(entry))
            except ValueError:
                hosts.add(_host_name(entry))
        return cls(frozenset(hosts), tuple(networks))

    def names(self, url: URL) -> bool:
        """Is the URL's host allowed by its name?"""
        return _plain(url) in self.hosts

    def permits(self, text: str) -> bool:
        """May an address be connected to? IPv4 addresses inside IPv6 count as themselves."""
        try:
            address: Address = ipaddress.ip_address(text)
        except ValueError:
            return False  # a spelling that only a system's parser takes for an address
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        return _is_public(address) or any(address in network for network in self.networks)

    def socket(self, info: tuple[Any, ...]) -> socket.socket:
        """A socket for what getaddrinfo has told. Raises AddressRefused."""
        family, kind, protocol, _, address = info
        if not self.permits(address[0]):
            raise AddressRefused
        return socket.socket(family, kind, protocol)


def target(text: str) -> URL:
    """The URL to call: http or https, a host, no user information. Raises OutgoingFailed."""
    if not text.isprintable() or " " in text:
        raise OutgoingFailed("the URL holds a blank or a control character")
    try:
        url = URL(text).with_fragment(None)
        host, port = url.host, url.port
    except ValueError:
        raise OutgoingFailed("the URL is not valid") from None
    if url.scheme not in ("http", "https"):
        raise OutgoingFailed("the URL is neither http nor https")
    if url.raw_user is not None or url.raw_password is not None:
        raise OutgoingFailed(WITH_CREDENTIALS)
    if not host or port is None:
        raise OutgoingFailed("the URL has no host")
    return url


def _is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _REFUSED_4)
    return address in _GLOBAL_6 and not any(address in network for network in _REFUSED_6)


def _host_name(entry: str) -> str:
    # a last label of digits makes a host an IPv4 address in one of its odd spellings
    if not entry or _NUMERIC_LABEL.search(entry):
        raise ValueError(entry)
    try:
        return _plain(URL.build(scheme="http", host=entry.lower()))
    except ValueError:
        raise ValueError(entry) from None


def _plain(url: URL) -> str:
    return (url.raw_host or "").lower().removesuffix(".")
