"""Access keys and hosts of the routers, as operators write them; and the key made on first start."""

from __future__ import annotations

import binascii
import re
import secrets
from base64 import b64decode, b64encode
from pathlib import Path

from engine.data_directory import write_private
from engine.settings import Tenant

LEAST_BYTES = 16
MADE_BYTES = 64

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class BadOption(Exception):
    """An option has a value that cannot be used; the text says which and why."""


def parse_tenants(keys: str, hosts: str = "") -> dict[str, Tenant]:
    """Tenants of ``main=<base64>[,<base64>];other=…`` and of ``main=<host>[,<host>];…``. Raises BadOption."""
    of_hosts = _parts(hosts, "hosts")
    tenants = {
        name: Tenant(name, tuple(_key(name, text) for text in texts), tuple(of_hosts.pop(name, ())))
        for name, texts in _parts(keys, "access keys").items()
    }
    for name in of_hosts:
        raise BadOption(f"The router '{name}' has hosts but no access key.")
    return tenants


def kept_key(path: Path) -> str:
    """The access key in a file, as base64; made and written there (for its owner only) when there is none."""
    if not path.exists():
        write_private(path, b64encode(secrets.token_bytes(MADE_BYTES)) + b"\n")
    return path.read_text().strip()


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
