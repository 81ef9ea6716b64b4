"""All flags, in groups of those that the same commands take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from api.options.values import (
    addresses,
    base_url,
    count,
    duration_ms,
    factor,
    json_object,
    labels,
    log_format,
    named,
    outage_ms,
    place,
    places,
    port_if_any,
    port_number,
    positive,
    processes,
    retries,
    server,
    show_keys,
    some_time_ms,
    truth,
    wait_ms,
)


class Flag(NamedTuple):
    """One option: its flag without dashes, its default, how its text is read, and its help."""

    name: str
    default: str
    read: Callable[[str], Any]
    help: str


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
    Flag("host", "127.0.0.1", named, "address to listen on"),
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
DATA = (Flag("data-dir", ".jobrouter", named, "directory of data, key and certificate"),)
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
    Flag("metrics-host", "127.0.0.1", named, "address of the worker's own /metrics"),
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
