"""The log on stderr: a line of text for people, or a JSON object a line for machines.

Both tell the router and the request that a line is about, where there are any. Routes are told, never paths
or queries: these may hold ids of people, and keys.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from typing import Any

import msgspec

from api.serving.request import CURRENT
from engine.log_context import TENANT

FIELDS = ("method", "route", "status", "ms")
"""What a line about a request tells besides: attributes that its record is given as ``extra``."""

SERVER = "uvicorn"
"""The first part of the names of the http server's loggers."""

RARELY_SECONDS = 60.0

_CONTROL = {number: f"\\x{number:02x}" for number in (*range(32), 127) if number not in (9, 10)} | {10: "\\n"}
_encode = msgspec.json.Encoder().encode


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, message; tenant, request_id, exception if any."""

    def format(self, record: logging.LogRecord) -> str:
        """A record as its line."""
        seconds = int(record.created)
        line: dict[str, Any] = {
            "time": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_about(),
            **{name: record.__dict__[name] for name in FIELDS if name in record.__dict__},
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return _encode(_sound(line)).decode()


class TextFormatter(logging.Formatter):
    """One line: level, logger, message, and the id of the request if any; an exception follows on its own."""

    def format(self, record: logging.LogRecord) -> str:
        """A record as its line."""
        message = record.getMessage().translate(_CONTROL)
        request = _about().get("request_id")
        end = f" (request {request})" if request else ""
        line = f"{record.levelname} {record.name}: {message}{end}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class Rarely(logging.Filter):
    """Lets a warning of the http server pass once in a minute.

    Each is about what anybody may send, as often as they like, and must not fill the disk.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._told: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is told."""
        if record.levelno >= logging.ERROR or record.name.partition(".")[0] != SERVER:
            return True
        now = self._clock()
        # what is told are a few fixed texts
        if now < self._told.get(str(record.msg), now):
            return False
        self._told[str(record.msg)] = now + RARELY_SECONDS
        return True


def begin(form: str = "text") -> None:
    """Logs to stderr as text, json or auto: text on a terminal, else JSON. It may be begun anew."""
    if form == "auto":
        form = "text" if sys.stderr.isatty() else "json"
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    handler.addFilter(Rarely())
    logging.basicConfig(handlers=[handler], force=True)
    logging.getLogger("jobrouter").setLevel(logging.INFO)


def _about() -> dict[str, str]:
    request = CURRENT.get()
    tenant = (request.tenant if request else "") or TENANT.get()
    about = {"tenant": tenant} if tenant else {}
    return {**about, "request_id": request.trace} if request else about


def _sound(value: Any) -> Any:
    """Texts that may hold bytes of no encoding, made fit to be written."""
    if isinstance(value, dict):
        return {key: _sound(one) for key, one in value.items()}
    return value.encode(errors="backslashreplace").decode() if isinstance(value, str) else value
