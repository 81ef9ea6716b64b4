"""How the texts of options are read. Each reader raises ValueError or KeyError for what it does not take."""

from __future__ import annotations

import ipaddress
import re
import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import msgspec

from api.wire.queries import PLACE
from engine.model import Scalar, members_text

_UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_LONGEST_MS = 36_500 * _UNITS_MS["d"]
_MOST = 1_000_000_000
_MOST_PROCESSES = 256
_MOST_RETRIES = 100
_LARGEST_FACTOR = 1_000


def duration_ms(text: str) -> int:
    """``90d``, ``12h``, ``30m``, ``45s``, ``500ms``, ``0``; any other number needs its unit. In ms."""
    if text == "0":
        return 0
    found = _DURATION.fullmatch(text)
    if not found:
        raise ValueError
    duration = float(found[1]) * _UNITS_MS[found[2]]
    if duration > _LONGEST_MS:
        raise ValueError
    return round(duration)


def outage_ms(text: str) -> int:
    """A duration of 0 (off) or at least 2 s: workers that are alive sweep once a second. In ms."""
    duration = duration_ms(text)
    if 0 < duration < 2_000:
        raise ValueError
    return duration


def positive(text: str) -> int:
    """A whole number above zero."""
    number = int(text)
    if not 1 <= number <= _MOST:
        raise ValueError
    return number


def processes(text: str) -> int:
    """How many processes there are: each takes memory, and what is meant as another option may be large."""
    number = int(text)
    if not 1 <= number <= _MOST_PROCESSES:
        raise ValueError
    return number


def retries(text: str) -> int:
    """How often something is tried again."""
    number = int(text)
    if not 0 <= number <= _MOST_RETRIES:
        raise ValueError
    return number


def some_time_ms(text: str) -> int:
    """A duration above 0. In ms."""
    duration = duration_ms(text)
    if not duration:
        raise ValueError
    return duration


def wait_ms(text: str) -> int:
    """A duration above 0 that is shorter than the time the store has for an answer. In ms."""
    wait = some_time_ms(text)
    if wait > 4_000:
        raise ValueError
    return wait


def count(text: str) -> int:
    """A whole number, 0 included."""
    number = int(text)
    if not 0 <= number <= _MOST:
        raise ValueError
    return number


def factor(text: str) -> float:
    """A number above 0."""
    number = float(text)
    if not 0 < number <= _LARGEST_FACTOR:
        raise ValueError
    return number


def named(text: str) -> str:
    """A text that is not blank: a variable that was left empty means nothing by it."""
    if not text.strip():
        raise ValueError
    return text


def base_url(text: str) -> str:
    """The http or https URL under which something begins, or none."""
    if text:
        parts = urlsplit(text)
        plain = text.isascii() and text.isprintable() and not set(text) & set(" ?#@")
        if not plain or parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
            raise ValueError
    return text


def addresses(text: str) -> tuple[str, ...]:
    """IP addresses, separated by commas."""
    return tuple(str(ipaddress.ip_address(part.strip())) for part in text.split(",") if part.strip())


def places(text: str) -> tuple[str, ...]:
    """Addresses, networks and hosts, separated by commas."""
    entries = tuple(entry.strip() for entry in text.split(",") if entry.strip())
    if entries:
        # only what the command needs is imported
        from engine.outgoing.guard import Allowed

        Allowed.parse(entries)
    return entries


def port_number(text: str) -> int:
    """A TCP port; 0 lets the system choose."""
    number = int(text)
    if not 0 <= number <= 65_535:
        raise ValueError
    return number


def port_if_any(text: str) -> int | None:
    """A TCP port, 0 included, or none."""
    return port_number(text) if text else None


def log_format(text: str) -> str:
    """How the log is written."""
    if text not in ("auto", "text", "json"):
        raise ValueError
    return text


def show_keys(text: str) -> bool:
    """Whether keys are printed: yes, no, or on a terminal alone."""
    return sys.stdout.isatty() if text == "auto" else truth(text)


def truth(text: str) -> bool:
    """yes or no."""
    return {
        "yes": True,
        "true": True,
        "1": True,
        "on": True,
        "no": False,
        "false": False,
        "0": False,
        "off": False,
    }[text.lower()]


def place(text: str) -> str:
    """The place of an event: number of its entry, and its own in it."""
    if text and not PLACE.fullmatch(text):
        raise ValueError
    return text


def labels(text: str) -> str:
    """A JSON object of strings, numbers and booleans, as a document that is stored."""
    return members_text(msgspec.json.decode(text, type=dict[str, Scalar]))


def json_object(text: str) -> dict[str, Any]:
    """A JSON object."""
    return msgspec.json.decode(text, type=dict[str, Any])


def server(text: str) -> Any:
    """A kind of server and its version."""
    # only what the command needs is imported
    from engine.grants import Server

    return Server.parse(text)


ALLOWED: dict[Callable[[str], Any], str] = {
    duration_ms: "a number with its unit, as 90d, 12h, 30m, 45s or 500ms, or 0, and at most 36500d",
    outage_ms: "at least 2s and at most 36500d, as a number with its unit, or 0",
    some_time_ms: "a number above 0 with its unit, as 90d, 5s or 500ms, and at most 36500d",
    wait_ms: "above 0 and at most 4s, with its unit, as 500ms",
    positive: f"a whole number from 1 to {_MOST}",
    named: "a text that is not empty",
    count: f"a whole number from 0 to {_MOST}",
    processes: f"a whole number from 1 to {_MOST_PROCESSES}",
    retries: f"a whole number from 0 to {_MOST_RETRIES}",
    factor: f"a number above 0 and at most {_LARGEST_FACTOR}",
    base_url: "an address such as https://router.example.com, without user, query and fragment",
    addresses: "IP addresses, separated by commas",
    places: "addresses, networks and hosts, separated by commas, as 10.1.0.0/16,hooks.internal",
    port_number: "a number from 0 to 65535",
    port_if_any: "a number from 0 to 65535, or empty",
    truth: "yes or no",
    log_format: "auto, text or json",
    show_keys: "auto, yes or no",
    place: "the place of an event, as 17.2",
    json_object: "a JSON object",
    server: "redis- or valkey- and a version, as redis-7.0 (the oldest), redis-8.2, valkey-8.0 or valkey-9.1",
    labels: """a JSON object of strings, numbers and booleans, as '{"Region":"NA"}'""",
}
"""What a reader takes, for the text of an error."""
