"""Authentication by HMAC-SHA256, as Azure Communication Services has it, and the router a request is for.

The official clients sign slightly different spellings of one request: of the query (as sent, or as an HTML
form would encode it) and of the host (with and without port). A request is accepted when one of these
spellings was signed; the first is nearly always the one.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import re
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote_plus, urlsplit

from api.errors import Denied
from api.viewing import Viewing, reads
from api.wire.queries import MOST
from api.wire.values import http_epoch

if TYPE_CHECKING:
    from engine.settings import Settings, Tenant

MAX_SKEW = 15 * 60
MAIN = "main"

_DENIED = "Denied by the resource provider."
_USUAL = b"HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature="
_SCHEME = re.compile(rb"HMAC-SHA256 SignedHeaders=([^&]*)&Signature=(.*)", re.IGNORECASE | re.DOTALL)
_PORT = re.compile(rb":[0-9]+$")
_LOWER_ESCAPE = re.compile(rb"%(?:.?[a-f])")
_EMPTY_HASH = b64encode(hashlib.sha256(b"").digest())
_BLOCK = 64
_INNER, _OUTER = (bytes(byte ^ pad for byte in range(256)) for pad in (0x36, 0x5C))
_MAX_HOSTS = 1000
"""Hosts whose router is remembered: what clients send as their host must not fill the memory."""


class _Signer:
    """HMAC-SHA256 with one key; what depends on the key alone is done once, which is half of the work."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        block = (hashlib.sha256(key).digest() if len(key) > _BLOCK else key).ljust(_BLOCK, b"\0")
        self._inner = hashlib.sha256(block.translate(_INNER))
        self._outer = hashlib.sha256(block.translate(_OUTER))

    def signed(self, text: bytes, signature: bytes) -> bool:
        """Whether a text has this signature."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(text)
        outer.update(inner.digest())
        return hmac.compare_digest(outer.digest(), signature)


class Authenticator:
    """Knows the routers, their keys and their hosts."""

    def __init__(self, settings: Settings, clock: Callable[[], float]):
        self._tenants = settings.tenants
        self._signers = {
            name: tuple(_Signer(key) for key in tenant.keys) for name, tenant in settings.tenants.items()
        }
        self._found: dict[bytes, Tenant] = {}
        self._by_host = {
            host.lower(): tenant for tenant in settings.tenants.values() for host in tenant.hosts
        }
        self._public_host = urlsplit(settings.public_base_url).netloc.encode()
        self._proxies = frozenset(settings.trusted_proxies)
        self._clock = clock
        self.viewing = Viewing(clock)

    def tenant(self, host: bytes) -> Tenant:
        """The router of a host: a configured one, one named as the host's first label, or the main one."""
        found = self._found.get(host)
        if found is None:
            found = self._tenant(host)
            if len(self._found) < _MAX_HOSTS:
                self._found[host] = found
        return found

    def _tenant(self, host: bytes) -> Tenant:
        name = _PORT.sub(b"", host).decode("latin-1").lower()
        found = (
            self._by_host.get(name) or self._tenants.get(name.partition(".")[0]) or self._tenants.get(MAIN)
        )
        if found is None:
            raise Denied(_DENIED)
        return found

    def check(
        self, method: str, target: bytes, headers: dict[bytes, bytes], body: bytes, tenant: Tenant, peer: str
    ) -> bool:
        """Refuses a request that is not signed with a key of this router, nor reads with a viewing key.

        True when a viewing key lets it pass.
        """
        authorization = headers.get(b"authorization")
        if authorization is not None and authorization.startswith(_USUAL):
            names, signature = _USUAL_NAMES, _decoded(authorization[len(_USUAL) :])
        elif self._views(method, target, headers, tenant):
            return True
        else:
            names, signature = _parse(authorization)
        date = headers.get(names[0])
        if date is None:
            raise Denied(f"{_DENIED} The header 'x-ms-date' is missing.")
        content_hash = headers.get(b"x-ms-content-sha256", b"")
        hashed = binascii.b2a_base64(hashlib.sha256(body).digest(), newline=False) if body else _EMPTY_HASH
        if not hmac.compare_digest(content_hash, hashed):
            raise Denied(f"{_DENIED} The header 'x-ms-content-sha256' does not fit the body.")
        moment = http_epoch(date)
        if moment is None or abs(self._clock() - moment) > MAX_SKEW:
            raise Denied(
                f"{_DENIED} The date of the request differs from the server's clock by more than 15 minutes."
            )
        verb, signers = method.encode(), self._signers[tenant.name]
        if names is _USUAL_NAMES:
            said = (verb, target, date, headers.get(b"host", b""), content_hash)
            if _is_signed(b"%b\n%b\n%b;%b;%b" % said, signature, signers):
                return False
        values = {names[0]: date, b"x-ms-content-sha256": content_hash}
        for spelled in _targets(target):
            for values[b"host"] in self._hosts(headers, tenant, peer):
                text = b"%b\n%b\n%b" % (verb, spelled, b";".join([values[name] for name in names[1]]))
                if _is_signed(text, signature, signers):
                    return False
        raise Denied(
            f"{_DENIED} The signature fits no access key of the router of this host, or not this request."
        )

    def _views(self, method: str, target: bytes, headers: dict[bytes, bytes], tenant: Tenant) -> bool:
        path = target.partition(b"?")[0].decode("latin-1")
        return reads(method, path) and self.viewing.admits(tenant, headers)

    def _hosts(self, headers: dict[bytes, bytes], tenant: Tenant, peer: str) -> Iterator[bytes]:
        """The spellings of the host that a client may have signed."""
        host = headers.get(b"host", b"")
        yield host
        given = [host, *(name.encode() for name in tenant.hosts), self._public_host]
        if peer in self._proxies and b"x-forwarded-host" in headers:
            given.append(headers[b"x-forwarded-host"])
        seen = {host: None}
        for name in filter(None, given):
            lower = name.lower()
            once = _PORT.sub(b"", lower)
            for spelling in (name, lower, once, _PORT.sub(b"", once)):
                seen[spelling] = seen[spelling + b"/"] = None
        del seen[host]
        yield from seen


def _parse(authorization: bytes | None) -> tuple[_Names, bytes]:
    """The name of the date's header, the names of all signed headers in their order, and the signature."""
    if authorization is None:
        raise Denied(f"{_DENIED} The header 'Authorization' is missing.")
    if authorization[:7].lower() == b"bearer ":
        raise Denied(
            f"{_DENIED} This router takes access keys; the only token it takes is a viewing key, "
            "to read and to preview jobs: give the client its connection string, "
            "or AzureKeyCredential with the access key (the server's setting JOBROUTER_ACCESS_KEYS)."
        )
    found = _SCHEME.fullmatch(authorization)
    if not found:
        raise Denied(
            f"{_DENIED} 'Authorization' is not of the form 'HMAC-SHA256 SignedHeaders=…&Signature=…'."
        )
    names = found[1].lower().split(b";")
    for date in (b"x-ms-date", b"date"):
        if sorted(names) == sorted((date, b"host", b"x-ms-content-sha256")):
            return (date, names), _decoded(found[2])
    raise Denied(f"{_DENIED} SignedHeaders must name x-ms-date, host and x-ms-content-sha256.")


_Names = tuple[bytes, Sequence[bytes]]

_USUAL_NAMES: _Names = (b"x-ms-date", (b"x-ms-date", b"host", b"x-ms-content-sha256"))


def _is_signed(text: bytes, signature: bytes, signers: Sequence[_Signer]) -> bool:
    return any([signer.signed(text, signature) for signer in signers])


def _decoded(signature: bytes) -> bytes:
    try:
        return binascii.a2b_base64(signature, strict_mode=True)
    except binascii.Error:
        raise Denied(f"{_DENIED} The signature is not base64.") from None


def _targets(target: bytes) -> Iterator[bytes]:
    """The target as sent, then with its query as browsers' URLSearchParams write it."""
    yield target
    path, _, query = target.partition(b"?")
    # only what such a client may itself have sent: else two targets of one meaning would share a signature
    if not query or _LOWER_ESCAPE.search(query) or not all(b"=" in part for part in query.split(b"&")):
        return
    try:
        # a query of more is refused anyway; nobody needs a key to send it, and to spell it anew takes 50 ms
        pairs = parse_qsl(
            query.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=MOST,
        )
    except (ValueError, UnicodeDecodeError):
        return
    yield path + b"?" + "&".join(f"{_form(name)}={_form(value)}" for name, value in pairs).encode()


def _form(text: str) -> str:
    return quote_plus(text, safe="*").replace("~", "%7E")
