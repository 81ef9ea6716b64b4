"""Whether a request comes from this machine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import IPv6Address, ip_address

_PASSED_ON = (
    b"forwarded",
    b"via",
    b"x-forwarded-for",
    b"x-forwarded-host",
    b"x-forwarded-proto",
    b"x-real-ip",
)
"""What proxies add, some of it each."""
_PORT = re.compile(r":\d+$")


def is_local(headers: Mapping[bytes, bytes], peer: str) -> bool:
    """Whether a request comes from this machine, and was passed on for nobody else.

    A proxy here passes on the requests of others, and a browser here asks for pages of ours under the name of
    any host that its owner lets point here: neither counts.
    """
    host = _PORT.sub("", headers.get(b"host", b"").decode("latin-1")).lower().strip("[]")
    return (
        _is_loopback(peer)
        and not any(name in headers for name in _PASSED_ON)
        and (host == "localhost" or host.endswith(".localhost") or _is_loopback(host))
    )


def _is_loopback(text: str) -> bool:
    try:
        address = ip_address(text)
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped.is_loopback
    return address.is_loopback
