"""Read-only access: a viewing key of its own, as a bearer token or, for browsers, as a session in a cookie.

Who has it may read everything and change nothing. A session is signed with the key, so that replicas need to
share nothing, and a changed key ends all sessions.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.settings import Tenant

COOKIE = "jobrouter-view"
SESSION_SECONDS = 12 * 3600

READING = frozenset({("POST", "/ext/v1/jobs:preview")})
"""What reads although it is no GET: method and path."""

_BEARER = b"bearer "


def reads(method: str, path: str) -> bool:
    """Does a request only read?"""
    return method == "GET" or (method, path) in READING


class Viewing:
    """Knows who may look at a router."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock

    def is_key(self, tenant: Tenant, given: str) -> bool:
        """Is this one of the tenant's viewing keys?"""
        matches = [hmac.compare_digest(key.encode(), given.encode()) for key in tenant.view_keys]
        return any(matches)

    def session(self, tenant: Tenant) -> str:
        """A new session of a tenant that has a viewing key, as the cookie holds it."""
        ends = str(int(self._clock()) + SESSION_SECONDS)
        return f"{ends}.{_signature(tenant, tenant.view_keys[0], ends)}"

    def admits(self, tenant: Tenant, headers: Mapping[bytes, bytes]) -> bool:
        """Does a request carry a viewing key, or a session that has not ended?"""
        if not tenant.view_keys:
            return False
        given = headers.get(b"authorization", b"")
        if given[: len(_BEARER)].lower() == _BEARER:
            return self.is_key(tenant, given[len(_BEARER) :].decode("latin-1").strip())
        return not given and self._has_session(tenant, headers.get(b"cookie", b"").decode("latin-1"))

    def _has_session(self, tenant: Tenant, cookies: str) -> bool:
        ends, _, signature = _cookie(cookies).partition(".")
        # other scripts have digits, too, which are no numbers to int()
        if not (ends.isascii() and ends.isdigit()) or len(ends) > 12 or int(ends) <= self._clock():
            return False
        matches = [
            hmac.compare_digest(_signature(tenant, key, ends).encode(), signature.encode())
            for key in tenant.view_keys
        ]
        return any(matches)


def _cookie(cookies: str) -> str:
    """The value of our cookie, empty when there is none; of several the last one's.

    The standard library takes seconds for one header full of escapes (Python before 3.11.10 and 3.12.6), and
    nobody needs a key to send that.
    """
    found = ""
    for cookie in cookies.split(";"):
        name, _, value = cookie.partition("=")
        if name.strip() == COOKIE:
            found = value.strip().strip('"')
    return found


def _signature(tenant: Tenant, key: str, ends: str) -> str:
    return hmac.new(key.encode(), f"{tenant.name} {ends}".encode(), hashlib.sha256).hexdigest()
