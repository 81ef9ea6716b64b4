"""Options are read from flags, else from the environment, else they have their defaults."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from typing import Any

from api.options.commands import COMMANDS, OPERANDS
from api.options.flags import Flag
from api.options.values import ALLOWED, places, show_keys, truth
from api.serving.access_keys import BadOption
from engine import __version__


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
