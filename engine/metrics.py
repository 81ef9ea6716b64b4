"""What a process measures of itself and of its routers, as Prometheus takes it. All times are in seconds.

Calls, requests and lags are those of the process, so every process has its own. What tells of a router as a
whole (waits, events, the load of its queues) is told by one process at a time, the one whose worker observes
the router (``engine.worker.observer``): sums over all processes count nothing twice.

Labels that users choose, queues and channels, are guarded: the first so many have series of their own, all
later ones share ``other``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from engine import __version__
from engine.durations import Durations
from engine.library import library

OTHER = "other"
"""The value of a guarded label when there are too many."""

CALL_BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
HTTP_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
LAG_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600, 3_600)
WAIT_BUCKETS = (0.01, 0.1, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600, 1_800, 3_600, 14_400, 86_400)

_TENANT = ("tenant",)
_PLACE = ("tenant", "queue", "channel")

Place = tuple[str, str, str]
"""Tenant, queue and channel."""


class Load(msgspec.Struct):
    """How loaded the queues of one tenant are."""

    jobs: dict[Place, int] = {}
    workers: dict[Place, int] = {}
    oldest: dict[tuple[str, str], float] = {}
    overdue: float = 0.0


class Guard:
    """Lets so many values of labels through, first come, and makes ``other`` of all later ones."""

    def __init__(self, limit: int, folded: Callable[[], None]) -> None:
        self._limit = limit
        self._folded = folded
        self._known: set[tuple[str, ...]] = set()

    def __call__(self, tenant: str, *values: str) -> tuple[str, ...]:
        """The labels to use. ``folded`` is told of each sample that goes to ``other``."""
        labels = (tenant, *values)
        if labels in self._known:
            return labels
        if len(self._known) < self._limit:
            self._known.add(labels)
            return labels
        self._folded()
        return (tenant, *(OTHER for _ in values))

    def keep(self, wanted: Callable[[tuple[str, ...]], bool]) -> list[tuple[str, ...]]:
        """Forgets the labels that are wanted no more, and gives them."""
        gone = [labels for labels in self._known if not wanted(labels)]
        self._known.difference_update(gone)
        return gone


class _Queues(Collector):
    """The load of the queues as it was last looked at."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        jobs = GaugeMetricFamily("jobrouter_queue_waiting_jobs", "Jobs that wait in a queue.", labels=_PLACE)
        workers = GaugeMetricFamily(
            "jobrouter_queue_ready_workers", "Workers with room for one more job of a channel.", labels=_PLACE
        )
        oldest = GaugeMetricFamily(
            "jobrouter_queue_oldest_wait_seconds", "How long the oldest job waits.", labels=_PLACE[:2]
        )
        overdue = GaugeMetricFamily(
            "jobrouter_agenda_overdue_seconds", "How late the agenda is just now.", labels=_TENANT
        )
        for tenant, load in list(self._metrics.loads.items()):
            overdue.add_metric((tenant,), load.overdue)
            for family, values in ((jobs, load.jobs), (workers, load.workers), (oldest, load.oldest)):
                for labels, value in values.items():
                    family.add_metric(labels, value)
        yield from (jobs, workers, oldest, overdue)


class Metrics:
    """All metrics of one process, in a registry of its own."""

    def __init__(self, labels: int = 100) -> None:
        self.registry = CollectorRegistry()
        self.loads: dict[str, Load] = {}
        """The load of the tenants that this process observes, replaced as a whole."""
        build = Gauge(
            "jobrouter_build_info", "The release that runs.", ("version", "library"), registry=self.registry
        )
        build.labels(__version__, library().digest).set(1)
        ProcessCollector(registry=self.registry)
        self._folded = Counter(
            "jobrouter_folded_samples",
            "Samples that went to 'other' because a label has too many values.",
            ("label",),
            registry=self.registry,
        )
        self._places = Guard(labels, self._folded.labels("channel").inc)
        self._queues = Guard(labels, self._folded.labels("queue").inc)

        self._requests = Durations(
            "jobrouter_http_request_duration_seconds",
            "From a request to the beginning of its answer.",
            ("route", "method", "status"),
            HTTP_BUCKETS,
        )
        self._refused = Counter(
            "jobrouter_requests_refused",
            "Requests that were refused at the door.",
            ("tenant", "reason"),
            registry=self.registry,
        )
        self._under_way = Gauge(
            "jobrouter_requests_under_way",
            "Requests that are being worked on, and clients that wait for offers or events.",
            ("tenant", "kind"),
            registry=self.registry,
        )
        self._connections = Gauge(
            "jobrouter_connections", "Open connections of clients.", registry=self.registry
        )
        self._cut = Counter(
            "jobrouter_connections_cut",
            "Connections that were closed to make room, or to which there was none.",
            ("reason",),
            registry=self.registry,
        )
        self._calls = Durations(
            "jobrouter_store_call_duration_seconds",
            "Calls of the library in the store, with the way there and back.",
            ("operation", "outcome"),
            CALL_BUCKETS,
        )
        self._agenda_lag = Histogram(
            "jobrouter_agenda_lag_seconds",
            "How late a sweep did what was due.",
            _TENANT,
            buckets=LAG_BUCKETS,
            registry=self.registry,
        )
        self._delivery_lag = Histogram(
            "jobrouter_delivery_lag_seconds",
            "From an event to its acceptance by a subscriber.",
            _TENANT,
            buckets=LAG_BUCKETS,
            registry=self.registry,
        )

        def life(name: str, help_text: str) -> Histogram:
            return Histogram(
                f"jobrouter_{name}_seconds", help_text, _PLACE, buckets=WAIT_BUCKETS, registry=self.registry
            )

        self._lives = {
            "time_to_offer": life("job_time_to_offer", "From the queue to a job's first offer."),
            "wait": life("job_wait", "From the queue to a job's assignment."),
            "offer_to_accept": life("offer_to_accept", "From an offer to its acceptance."),
            "handling": life("job_handling", "From a job's assignment to its closing."),
        }
        self._events = Counter(
            "jobrouter_events", "Events by their type.", ("tenant", "type"), registry=self.registry
        )
        self._unmeasured = Counter(
            "jobrouter_unmeasured",
            "Spans whose beginning was not seen, by figure.",
            ("tenant", "figure"),
            registry=self.registry,
        )
        self._gaps = Counter(
            "jobrouter_outbox_gaps",
            "Times that events were gone before they were counted.",
            _TENANT,
            registry=self.registry,
        )
        self._observing = Gauge(
            "jobrouter_observing",
            "Does this process tell of the router as a whole?",
            _TENANT,
            registry=self.registry,
        )
        for collector in (self._requests, self._calls, _Queues(self)):
            self.registry.register(collector)
        self._request_of: dict[tuple[str, str, int], Callable[[float], None]] = {}
        self._call_of: dict[tuple[str, str], Callable[[float], None]] = {}

    # ---- of the process ----------------------------------------------------------------------------------

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """A request was answered. The caller bounds the routes and methods."""
        key = (route, method, status)
        observe = self._request_of.get(key)
        if observe is None:
            observe = self._request_of[key] = self._requests.labels(route, method, str(status)).observe
        observe(seconds)

    def call(self, operation: str, outcome: str, seconds: float) -> None:
        """The library was called. outcome: ok, refused, unavailable, abandoned or failed."""
        key = (operation, outcome)
        observe = self._call_of.get(key)
        if observe is None:
            observe = self._call_of[key] = self._calls.labels(operation, outcome).observe
        observe(seconds)

    def refused(self, tenant: str, reason: str) -> None:
        """A request was refused at the door. reason: requests, waiting or rate."""
        self._refused.labels(tenant, reason).inc()

    def under_way(self, tenant: str, kind: str, number: Callable[[], float]) -> None:
        """Where to read how many are under way. kind: requests or waiting."""
        self._under_way.labels(tenant, kind).set_function(number)

    def connections(self, number: Callable[[], float]) -> None:
        """Where to read how many connections are open."""
        self._connections.set_function(number)

    def cut(self, reason: str) -> None:
        """A connection was closed. reason: idle, unread, or refused because none was idle."""
        self._cut.labels(reason).inc()

    def agenda_lag(self, tenant: str, seconds: float) -> None:
        """A sweep did what had been due for so long."""
        self._agenda_lag.labels(tenant).observe(max(0.0, seconds))

    def delivery_lag(self, tenant: str, seconds: float) -> None:
        """A subscriber has accepted an event that is so old."""
        self._delivery_lag.labels(tenant).observe(max(0.0, seconds))

    # ---- of a router, by the one that observes it --------------------------------------------------------

    def event(self, tenant: str, kind: str) -> None:
        """An event of this type, without prefix, has happened."""
        self._events.labels(tenant, kind).inc()

    def span(self, figure: str, tenant: str, queue: str, channel: str, seconds: float) -> None:
        """A span of a job's life: time_to_offer, wait, offer_to_accept or handling."""
        self._lives[figure].labels(*self._places(tenant, queue, channel)).observe(max(0.0, seconds))

    def unmeasured(self, figure: str, tenant: str) -> None:
        """A span has ended whose beginning was not seen."""
        self._unmeasured.labels(tenant, figure).inc()

    def gap(self, tenant: str) -> None:
        """Events were gone before they were counted."""
        self._gaps.labels(tenant).inc()

    def observing(self, tenant: str, yes: bool) -> None:
        """Whether this process observes a router."""
        self._observing.labels(tenant).set(yes)
        if not yes:
            self.loads.pop(tenant, None)

    def load(
        self,
        tenant: str,
        queues: Mapping[str, Mapping[str, Sequence[int]]],
        oldest: Mapping[str, float],
        overdue: float,
        *,
        whole: bool = True,
    ) -> None:
        """The load of a router: jobs and ready workers by queue and channel, and the oldest wait by queue.

        ``whole``: there are no other queues, so the series of all others end.
        """
        if whole:
            self._forget(tenant, queues)
        load = Load(overdue=overdue)
        for queue, channels in queues.items():
            for channel, (jobs, workers) in channels.items():
                place: Place = self._places(tenant, queue, channel)  # type: ignore[assignment]
                load.jobs[place] = load.jobs.get(place, 0) + jobs
                load.workers[place] = load.workers.get(place, 0) + workers
        for queue, seconds in oldest.items():
            name: tuple[str, str] = self._queues(tenant, queue)  # type: ignore[assignment]
            load.oldest[name] = max(load.oldest.get(name, 0.0), seconds)
        self.loads[tenant] = load

    def _forget(self, tenant: str, queues: Mapping[str, object]) -> None:
        def wanted(labels: tuple[str, ...]) -> bool:
            return labels[0] != tenant or labels[1] in queues or not labels[1]

        self._queues.keep(wanted)
        for labels in self._places.keep(wanted):
            for histogram in self._lives.values():
                histogram.remove(*labels)
