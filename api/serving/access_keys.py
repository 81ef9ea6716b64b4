"""Keys and hosts of the routers, as operators write them; and the keys made on first start."""

from __future__ import annotations

import binascii
import re
import secrets
from base64 import b64decode, b64encode
from pathlib import Path

import msgspec

from engine.data_directory import Unusable, usable, write_private
from engine.settings import Tenant

LEAST_BYTES = 16
MADE_BYTES = 64
VIEW_BYTES = 24
"""A viewing key is typed or pasted by people."""

_HOST = re.compile(r"[^\s:/@\[\]]+|\[[0-9A-Fa-f:.]+\]")
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class BadOption(Exception):
    """An option has a value that cannot be used; the text says which and why."""


def parse_tenants(keys: str, hosts: str = "", view_keys: str = "") -> dict[str, Tenant]:
    """Tenants of ``main=<base64>[,<base64>];other=…``, of ``main=<host>[,<host>];…`` and of viewing keys.

    Raises BadOption.
    """
    of_hosts, of_viewers = _parts(hosts, "hosts"), _parts(view_keys, "viewing keys")
    tenants = {
        name: Tenant(
            name,
            tuple(_key(name, text) for text in texts),
            tuple(_host(name, text) for text in of_hosts.pop(name, ())),
            tuple(_view_key(name, text) for text in of_viewers.pop(name, ())),
        )
        for name, texts in _parts(keys, "access keys").items()
    }
    for name, tenant in tenants.items():
        if not tenant.keys:
            raise BadOption(f"The access keys name the router '{name}', but give it no key.")
    for name in of_hosts:
        raise BadOption(f"The router '{name}' has hosts but no access key.")
    for name in of_viewers:
        raise BadOption(f"The router '{name}' has a viewing key but no access key.")
    return tenants


def checked_name(name: str) -> str:
    """The name of a router. Raises BadOption."""
    if not _NAME.fullmatch(name):
        raise BadOption(
            f"'{name}' is no name of a router (--tenants): it has at most 63 lower-case letters, digits "
            "and hyphens."
        )
    return name


def with_view_keys(tenants: dict[str, Tenant], view_keys: str) -> dict[str, Tenant]:
    """The same tenants with their viewing keys. Raises BadOption."""
    of_viewers = _parts(view_keys, "viewing keys")
    for name in of_viewers.keys() - tenants.keys():
        raise BadOption(f"The viewing keys name the router '{name}', which is not served.")
    return {
        name: msgspec.structs.replace(
            tenant, view_keys=tuple(_view_key(name, text) for text in of_viewers.get(name, ()))
        )
        for name, tenant in tenants.items()
    }


def kept_key(path: Path, size: int = MADE_BYTES) -> str:
    """The key in a file, as base64; made of so many bytes, for its owner only, when there is none.

    Raises Unusable when it holds no key.
    """
    with usable(path.parent):
        if not path.exists():
            write_private(path, b64encode(secrets.token_bytes(size)) + b"\n")
        held = path.read_bytes().strip()
    # what it holds is not shown: it may be most of a key
    if not held or not held.isascii():
        raise Unusable(f"The file {path} holds no key: restore it, or remove it to have a new one made.")
    return held.decode()


def _parts(text: str, what: str) -> dict[str, list[str]]:
    parts: dict[str, list[str]] = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        name, equals, values = part.partition("=")
        name = name.strip()
        if not equals or not _NAME.fullmatch(name):
            # the part is not shown: it may be a key
            raise BadOption(
                f"The {what} are not of the form 'main=<value>[,<value>];other=<value>' "
                "with names of lower-case letters, digits and hyphens."
            )
        if name in parts:
            raise BadOption(f"The {what} name the router '{name}' twice.")
        parts[name] = [value.strip() for value in values.split(",") if value.strip()]
    return parts


def _key(name: str, text: str) -> bytes:
    try:
        key = b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise BadOption(f"An access key of the router '{name}' is not base64.") from None
    if len(key) < LEAST_BYTES:
        raise BadOption(f"An access key of the router '{name}' has less than {LEAST_BYTES} bytes.")
    return key


def _host(name: str, text: str) -> str:
    if not _HOST.fullmatch(text):
        raise BadOption(
            f"The host '{text}' of the router '{name}' cannot be used: hosts are names or addresses alone, "
            "without scheme, port and path, as 'router.example.com'."
        )
    return text


def _view_key(name: str, text: str) -> str:
    if len(text) < LEAST_BYTES or not text.isascii() or not text.isprintable():
        raise BadOption(
            f"A viewing key of the router '{name}' has less than {LEAST_BYTES} characters, "
            "or others than ASCII."
        )
    return text
