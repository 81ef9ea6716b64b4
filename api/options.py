"""The command line: every flag has an environment variable of the same name, JOBROUTER_…"""

from __future__ import annotations

import argparse
import ipaddress
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from api.serving.access_keys import BadOption
from api.wire.queries import PLACE
from engine import __version__
from engine.model import Scalar, members_text

_UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_LONGEST_MS = 36_500 * _UNITS_MS["d"]
_MOST = 1_000_000_000
_MOST_PROCESSES = 256
_MOST_RETRIES = 100
_LARGEST_FACTOR = 1_000


class Flag(NamedTuple):
    """One option: its flag without dashes, its default, how its text is read, and its help."""

    name: str
    default: str
    read: Callable[[str], Any]
    help: str


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


PUBLIC = (
    Flag(
        "public-base-url", "", base_url, "address under which clients see the router, if a proxy changes it"
    ),
)
SHOWING = (
    Flag(
        "show-keys", "auto", show_keys, "print access and viewing keys at start (auto: on a terminal alone)"
    ),
)
LISTENING = (
    Flag("host", "127.0.0.1", str, "address to listen on"),
    Flag("port", "8080", port_number, "port for http; 0: any that is free"),
    Flag("tls-port", "8443", port_number, "port for https; 0: any that is free"),
    Flag("tls-key", "", str, "key file of the certificate (PEM)"),
    *PUBLIC,
    Flag(
        "trusted-proxies",
        "",
        addresses,
        "IP addresses, separated by commas, whose X-Forwarded-Host is believed",
    ),
    Flag("hosts", "", str, "hosts of routers: 'main=<host>[,<host>];other=<host>'"),
)
_CERTIFICATE = "certificate file (PEM, with its chain)"
CERTIFIED = (Flag("tls-cert", "", str, f"{_CERTIFICATE}; none: a development certificate is made"),)
CERTIFIED_OR_HTTP = (Flag("tls-cert", "", str, f"{_CERTIFICATE}; none: http alone, no --tls-port"),)
DATA = (Flag("data-dir", ".jobrouter", str, "directory of data, key and certificate"),)
STORE = (
    Flag(
        "redis-url",
        "",
        str,
        "the store: redis://, rediss:// or unix://, redis+cluster://host:port,host:port, or "
        "redis+sentinel://host:port,host:port/service (rediss+… for TLS)",
    ),
)
DURABLE = (
    Flag("wait-replicas", "0", count, "replicas of the store that must have a write before it is answered"),
    Flag("wait-timeout", "1s", wait_ms, "how long that may take (at most 4s) before the answer is 503"),
)
ADMITTING = (
    Flag(
        "rate-limit",
        "",
        str,
        "requests in a time of each router, in all processes together, as 1000/10s; more get 429; "
        "of some: '1000/10s;main=5000/10s;other=none'",
    ),
    Flag("max-requests", "1000", positive, "requests that a process works on at once; more get 503"),
    Flag("max-connections", "12000", positive, "connections that clients may have to a process"),
    Flag(
        "max-waiting", "10000", positive, "clients of a process that wait for offers or events; more get 503"
    ),
)
KEYS = (Flag("access-keys", "", str, "access keys: 'main=<base64>[,<base64>];other=<base64>'"),)
VIEWING = (
    Flag(
        "view-keys",
        "",
        str,
        "keys that may only read, for dashboard, metrics and streams: 'main=<key>[,<key>];other=<key>'",
    ),
)
TENANTS = (Flag("tenants", "", str, "routers, separated by commas; none: those of the access keys, or main"),)
WORKING = (
    Flag(
        "keep-finished",
        "90d",
        some_time_ms,
        "how long closed and cancelled jobs are kept (90d, 12h, 30m, 45s, 500ms)",
    ),
    Flag("keep-finished-count", "1000000", positive, "how many closed and cancelled jobs are kept"),
    Flag("keep-events", "7d", some_time_ms, "how long events are kept"),
    Flag("keep-events-count", "1000000", positive, "how many entries of events are kept"),
    Flag("keep-dead-letters", "7d", some_time_ms, "how long events are kept that could not be delivered"),
    Flag("keep-dead-letters-count", "10000", positive, "how many of them are kept for each subscription"),
    Flag(
        "outage",
        "5s",
        outage_ms,
        "offers that ran out while nobody swept for so long (2s at least) are revoked; 0 = never",
    ),
    Flag("notifications", "yes", truth, "wake at alarms by keyspace notifications (yes or no)"),
)
LOGGING = (
    Flag("log-format", "auto", log_format, "log as text or json (auto: text on a terminal, else json)"),
)
REQUESTS_LOG = (
    Flag("access-log", "no", truth, "log every request, not only those that fail or are slow"),
    Flag("slow-request", "1s", duration_ms, "log requests that take so long; 0: none"),
)
PROCESSES = (Flag("workers", "1", processes, "processes that share the port, each for one processor"),)
TRACING = (
    Flag("otlp", "", base_url, "send traces by OpenTelemetry to this address, as http://localhost:4318"),
)
LOOKING = (
    Flag("json", "no", truth, "print the findings as one JSON object"),
    Flag("whole", "no", truth, "verify the invariants of all entities, not only of some"),
)
GLANCING = (
    Flag("once", "no", truth, "print one frame and end"),
    Flag("interval", "1s", some_time_ms, "time between two frames (1s, 500ms)"),
)
MEASURING = (
    Flag("metric-labels", "100", positive, "queues with metrics of their own; all later ones share 'other'"),
)
METRICS_SERVER = (
    Flag("metrics-host", "127.0.0.1", str, "address of the worker's own /metrics"),
    Flag("metrics-port", "", port_if_any, "port of the worker's own /metrics; none: it measures nothing"),
)
RULES = (
    Flag(
        "allow-outgoing",
        "",
        places,
        "addresses, networks and hosts, separated by commas, that rules and subscriptions may call beside "
        "public addresses",
    ),
    Flag("rule-timeout", "5s", some_time_ms, "how long a function or webhook has to answer (5s, 500ms)"),
    Flag("rule-retries", "1", retries, "how often a function or webhook is asked again when it fails"),
)
DELIVERIES = (
    Flag("delivery-timeout", "30s", some_time_ms, "how long the endpoint of a subscription has to answer"),
    Flag("retry-scale", "1", factor, "multiplies all times of the retry schedule of deliveries, for tests"),
)
GRANTING = (
    Flag("server-version", "redis-7.0", server, "what the store is (redis-7.0, redis-8.2, valkey-9.1)"),
    Flag("database", "0", count, "number of the store's database"),
    Flag("passwords", "", str, "of the users: 'api=<password>;worker=<password>'; shown are hashes alone"),
)
FOREVER = (Flag("forever", "no", truth, "keep going until it is interrupted"),)
PROPERTIES = (
    Flag(
        "properties",
        "{}",
        json_object,
        """more of a new subscription, as in a PATCH: '{"schema":"cloudEventsBinary"}'""",
    ),
)
BEFORE = (Flag("before", "", place, "only events before this one (its place, as 17.2)"),)
LABELS = (
    Flag("job", "{}", labels, """labels of the job, as JSON object: '{"Region":"NA"}'"""),
    Flag("worker", "{}", labels, "labels of the worker, Id among them"),
    Flag("queue", "{}", labels, "labels of the queue, Id among them"),
)

COMMANDS: dict[str, tuple[str, tuple[Flag, ...]]] = {
    "serve": (
        "everything in one process, with an embedded server unless --redis-url is given",
        (
            *(
                *LISTENING,
                *ADMITTING,
                *CERTIFIED,
                *DATA,
                *STORE,
                *DURABLE,
                *KEYS,
                *VIEWING,
                *SHOWING,
                *WORKING,
                *RULES,
            ),
            *(*DELIVERIES, *MEASURING, *LOGGING, *REQUESTS_LOG, *TRACING),
        ),
    ),
    "api": (
        "the HTTP interface alone, beside a store and workers",
        (
            *(*LISTENING, *ADMITTING, *CERTIFIED_OR_HTTP, *STORE, *DURABLE, *KEYS, *VIEWING, *SHOWING),
            *(*PROCESSES, *LOGGING, *REQUESTS_LOG, *TRACING),
        ),
    ),
    "worker": (
        "a worker alone: does what is due",
        (
            *(*STORE, *KEYS, *TENANTS, *WORKING, *RULES, *DELIVERIES),
            *(*METRICS_SERVER, *MEASURING, *VIEWING, *LOGGING),
        ),
    ),
    "check": ("verify all invariants over a live store", (*DATA, *STORE, *KEYS, *TENANTS)),
    "doctor": (
        "look for what is not right with a store and its routers; 0 = well, 1 = warnings, 2 = critical",
        (*LOOKING, *DATA, *STORE, *KEYS, *TENANTS),
    ),
    "top": (
        "a router live in the terminal: queues, workers, offers, rates of events",
        (*GLANCING, *DATA, *STORE, *KEYS, *TENANTS),
    ),
    "why": ("tell why a job is not offered, to anybody or to a worker", (*DATA, *STORE, *KEYS, *TENANTS)),
    "history": (
        "the life of a job or worker as a timeline, from the log of a live store",
        (*BEFORE, *DATA, *STORE, *KEYS, *TENANTS),
    ),
    "subscriptions": (
        "look after the subscriptions of a live store",
        (*PROPERTIES, *PUBLIC, *DATA, *STORE, *KEYS, *TENANTS),
    ),
    "acl": ("print the store's users and what each may do, as lines of a Redis ACL file", GRANTING),
    "demo": ("a small contact centre through the official SDK, on a server of its own", FOREVER),
    "expression": ("try a rule expression on labels, on a server of its own", LABELS),
}


class Operand(NamedTuple):
    """What a command takes besides flags: an option of this name, empty when it is left out."""

    name: str
    help: str
    optional: bool = False
    choices: tuple[str, ...] | None = None


OPERANDS = {
    "expression": (
        Operand("expression", "the expression, as in a policy: 'If(job.Escalated = true, 10, 5)'"),
    ),
    "acl": (
        Operand("users", "api,worker,reader (the default), and admin, replica, sentinel", optional=True),
    ),
    "why": (Operand("job", "id of the job"), Operand("worker", "id of the worker", optional=True)),
    "subscriptions": (
        Operand(
            "action",
            "what is to be done",
            choices=(
                "list",
                "show",
                "add",
                "delete",
                "validate",
                "rotate-secret",
                "dead-letters",
                "replay",
            ),
        ),
        Operand("id", "id of the subscription", optional=True),
        Operand("url", "URL of the endpoint of a new one", optional=True),
    ),
    "history": (Operand("kind", "what it is", choices=("job", "worker")), Operand("id", "its id")),
}


class Options(argparse.Namespace):
    """The options of one command, by name with underscores; ``given`` names those that are no default."""

    command: str
    given: frozenset[str]
    host: str
    port: int
    tls_port: int
    tls_cert: str
    tls_key: str
    public_base_url: str
    trusted_proxies: tuple[str, ...]
    hosts: str
    rate_limit: str
    max_requests: int
    max_waiting: int
    wait_replicas: int
    wait_timeout: int
    max_connections: int
    data_dir: str
    redis_url: str
    access_keys: str
    view_keys: str
    show_keys: bool
    tenants: str
    keep_finished: int
    keep_finished_count: int
    keep_events: int
    keep_events_count: int
    outage: int
    notifications: bool
    allow_outgoing: tuple[str, ...]
    workers: int
    rule_timeout: int
    rule_retries: int
    metric_labels: int
    log_format: str
    access_log: bool
    slow_request: int
    otlp: str
    json: bool
    whole: bool
    once: bool
    interval: int
    metrics_host: str
    metrics_port: int | None
    keep_dead_letters: int
    keep_dead_letters_count: int
    delivery_timeout: int
    retry_scale: float
    forever: bool
    expression: str
    kind: str
    action: str
    id: str
    url: str
    properties: dict[str, Any]
    before: str
    server_version: Any
    database: int
    passwords: str
    users: str
    job: str
    worker: str
    queue: str


def parse(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> Options:
    """Options of flags, else of the environment, else defaults. Raises BadOption; SystemExit for --help."""
    parser = argparse.ArgumentParser(prog="jobrouter", description="A job router on Redis.")
    parser.add_argument("--version", action="version", version=f"jobrouter {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name, (about, flags) in COMMANDS.items():
        command = commands.add_parser(name, help=about, description=about)
        for operand in OPERANDS.get(name, ()):
            count = {"nargs": "?", "default": ""} if operand.optional else {}
            count |= {"metavar": "|".join(operand.choices or [operand.name.upper()])}
            command.add_argument(operand.name, help=operand.help, choices=operand.choices, **count)  # type: ignore[arg-type]
        for flag in flags:
            # --forever alone says yes; lists may be given in parts
            bare = {"nargs": "?", "const": "yes"} if flag.read in (truth, show_keys) else {}
            bare |= {"action": "append"} if flag.read is places else {}
            text = f"{flag.help} [{variable(flag)}; {flag.default or 'none'}]"
            command.add_argument(f"--{flag.name}", metavar="…", help=text, **bare)  # type: ignore[arg-type]
    for text in arguments:
        if not _is_utf8(text):
            raise BadOption(f"The argument {text!a} is not valid UTF-8.")
    options = parser.parse_args(arguments, Options())
    given = set()
    for flag in COMMANDS[options.command][1]:
        attribute = flag.name.replace("-", "_")
        parts: str | list[str] | None = getattr(options, attribute)
        value = ",".join(parts) if isinstance(parts, list) else parts
        if value is None:
            value = environment.get(variable(flag))
        if value is not None:
            given.add(attribute)
        setattr(options, attribute, _read(flag, flag.default if value is None else value))
    options.given = frozenset(given)
    return options


def variable(flag: Flag) -> str:
    """The environment variable of a flag."""
    return "JOBROUTER_" + flag.name.upper().replace("-", "_")


def _read(flag: Flag, text: str) -> Any:
    if not _is_utf8(text):
        raise BadOption(f"{variable(flag)} is not valid UTF-8.")
    try:
        return flag.read(text)
    except (ValueError, KeyError):
        raise BadOption(
            f"--{flag.name} (or {variable(flag)}) cannot be '{text}': it must be {ALLOWED[flag.read]}."
        ) from None


def _is_utf8(text: str) -> bool:
    # other bytes of the command line or environment stand in texts as lone surrogates
    return not any("\ud800" <= letter <= "\udfff" for letter in text)
