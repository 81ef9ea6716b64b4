"""The commands, and what each takes: flags and operands."""

from __future__ import annotations

from typing import NamedTuple

from api.options import flags as f

COMMANDS: dict[str, tuple[str, tuple[f.Flag, ...]]] = {
    "serve": (
        "everything in one process, with an embedded server unless --redis-url is given",
        (
            *(*f.LISTENING, *f.ADMITTING, *f.CERTIFIED, *f.DATA, *f.STORE, *f.DURABLE, *f.KEYS, *f.VIEWING),
            *(*f.SHOWING, *f.WORKING, *f.RULES),
            *(*f.DELIVERIES, *f.MEASURING, *f.LOGGING, *f.REQUESTS_LOG, *f.TRACING),
        ),
    ),
    "api": (
        "the HTTP interface alone, beside a store and workers",
        (
            *(*f.LISTENING, *f.ADMITTING, *f.CERTIFIED_OR_HTTP, *f.STORE, *f.DURABLE, *f.KEYS, *f.VIEWING),
            *(*f.SHOWING, *f.PROCESSES, *f.LOGGING, *f.REQUESTS_LOG, *f.TRACING),
        ),
    ),
    "worker": (
        "a worker alone: does what is due",
        (
            *(*f.STORE, *f.KEYS, *f.TENANTS, *f.WORKING, *f.RULES, *f.DELIVERIES),
            *(*f.METRICS_SERVER, *f.MEASURING, *f.VIEWING, *f.LOGGING),
        ),
    ),
    "check": ("verify all invariants over a live store", (*f.DATA, *f.STORE, *f.KEYS, *f.TENANTS)),
    "doctor": (
        "look for what is not right with a store and its routers; 0 = well, 1 = warnings, 2 = critical",
        (*f.LOOKING, *f.DATA, *f.STORE, *f.KEYS, *f.TENANTS),
    ),
    "top": (
        "a router live in the terminal: queues, workers, offers, rates of events",
        (*f.GLANCING, *f.DATA, *f.STORE, *f.KEYS, *f.TENANTS),
    ),
    "why": (
        "tell why a job is not offered, to anybody or to a worker",
        (*f.DATA, *f.STORE, *f.KEYS, *f.TENANTS),
    ),
    "history": (
        "the life of a job or worker as a timeline, from the log of a live store",
        (*f.BEFORE, *f.DATA, *f.STORE, *f.KEYS, *f.TENANTS),
    ),
    "subscriptions": (
        "look after the subscriptions of a live store",
        (*f.PROPERTIES, *f.PUBLIC, *f.DATA, *f.STORE, *f.KEYS, *f.TENANTS),
    ),
    "acl": ("print the store's users and what each may do, as lines of a Redis ACL file", f.GRANTING),
    "demo": ("a small contact centre through the official SDK, on a server of its own", f.FOREVER),
    "expression": ("try a rule expression on labels, on a server of its own", f.LABELS),
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
