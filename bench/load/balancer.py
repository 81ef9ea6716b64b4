"""HAProxy's configuration of deploy/ with other addresses."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

CONFIGURATION = Path(__file__).parents[2] / "deploy" / "haproxy.cfg"
MISSING = (
    "HAProxy is missing: apt-get install haproxy. Or give --direct: clients take turns over the replicas."
)

_BIND = re.compile(r"^( *bind ).*$", re.MULTILINE)
_SERVERS = re.compile(r"(?:^ *server api-\d+ .*\n)+", re.MULTILINE)
_SERVER = re.compile(r"^( *server )api-\d+ \S+(.*)\n")


def program() -> str | None:
    """The path of HAProxy; Debian has it where only root's PATH looks."""
    return shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin")


def configuration(bind: str, ports: Sequence[int]) -> str:
    """The text of the configuration for replicas on these ports of this machine."""

    def servers(found: re.Match[str]) -> str:
        line = _SERVER.match(found[0])
        assert line
        return "".join(
            f"{line[1]}api-{n} 127.0.0.1:{port}{line[2].replace('api-1', f'api-{n}')}\n"
            for n, port in enumerate(ports, 1)
        )

    return _SERVERS.sub(servers, _BIND.sub(rf"\g<1>{bind}", CONFIGURATION.read_text()))
