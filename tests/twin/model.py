"""The state of the naive router: plain records in dicts, and nothing that makes a search fast."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.twin.selectors import Selector, parse
from tests.twin.texts import Scalar, guid, lines, scalars, sized

DAY = 86_400_000
IDLE = 7 * DAY
LIFETIME = 90 * DAY
REMEMBERED_OFFERS = 16

SETTINGS = {
    "keep_finished_ms": 90 * DAY,
    "keep_finished_count": 1_000_000,
    "keep_events_ms": 7 * DAY,
    "keep_events_count": 1_000_000,
    "outage_ms": 5_000,
    "unassign_limit": 3,
    "worker_offers": 1_000,
    "batch": 100,
    "questions": 100,
}

Reply = dict[str, object]


@dataclass
class Offer:
    """One open offer."""

    id: str
    job: str
    worker: str
    queue: str
    channel: str
    cost: int
    offered_at: int
    expires_at: int
    place: int = 0
    """Its place in the order in which all offers were made."""
    counts: bool = True
    """Does its job count it? Not when it has left its queue since."""
    void: bool = False
    """Over, but to be taken back by the agenda."""
    lost: bool = False
    """Void because another worker has accepted."""


@dataclass
class Assignment:
    id: str
    job: str
    channel: str
    cost: int
    assigned_at: int


@dataclass
class Channel:
    id: str
    cost: int
    most: int | None


@dataclass
class Policy:
    kind: str
    id: str
    fields: dict[str, object]
    doc: int = 1
    rev: int = 1
    modified_at: int = 0
    created: int = 0
    changed: int = 0
    """Op number of its last change."""


@dataclass
class Queue:
    id: str
    name: str = ""
    distribution: str = ""
    exception: str = ""
    labels: str = ""
    doc: int = 1
    rev: int = 1
    modified_at: int = 0
    created: int = 0
    last_offered: str | None = None
    reviewed: tuple[int, int] | None = None
    """How far a review of its waiting jobs has come; None when there is none."""
    accepted_at: int | None = None
    gap_ms: float | None = None


@dataclass
class Worker:
    id: str
    available: bool = False
    capacity: int = 0
    queues: str = ""
    channels: str = ""
    labels: str = ""
    tags: str = ""
    max_offers: int = 0
    doc: int = 1
    rev: int = 1
    modified_at: int = 0
    created: int = 0
    registration: int = 0
    since: int = 0
    idle_from: int = 0
    offers: dict[str, Offer] = field(default_factory=dict)
    assignments: dict[str, Assignment] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)
    """The last offers that another worker's acceptance took away."""
    refused: list[tuple[str, str]] = field(default_factory=list)
    filling: int = 0
    """Set aside by this op, to get more offers in later calls."""
    event: str = ""
    """The last offers declined with a request id, and that id."""

    @property
    def state(self) -> str:
        if self.available:
            return "active"
        return "draining" if self.assignments else "inactive"

    @property
    def used(self) -> int:
        return sum(o.cost for o in self.offers.values()) + sum(a.cost for a in self.assignments.values())

    @property
    def queue_ids(self) -> list[str]:
        return [json.loads(line) for line in lines(self.queues)]

    @property
    def channel_list(self) -> list[Channel]:
        found = []
        for line in lines(self.channels):
            channel, cost, most = line.split("\t")
            found.append(Channel(json.loads(channel), int(cost), int(most) if most else None))
        return found

    def channel(self, channel_id: str) -> Channel | None:
        return next((c for c in self.channel_list if c.id == channel_id), None)

    def held(self, channel_id: str) -> int:
        """Open offers and assignments on a channel."""
        channels = [o.channel for o in self.offers.values()] + [a.channel for a in self.assignments.values()]
        return channels.count(channel_id)

    @property
    def label_values(self) -> dict[str, Scalar | None]:
        """Comparable labels, the automatic Id included."""
        return {**scalars(self.labels), '"Id"': ("string", self.id)}

    def record(self) -> Reply:
        shown: Reply = {
            "id": self.id,
            "doc": self.doc,
            "rev": self.rev,
            "modified_at": self.modified_at,
            "created": self.created,
            "state": self.state,
            "available": int(self.available),
            "capacity": self.capacity,
            "queues": self.queues,
            "channels": self.channels,
            "labels": self.labels,
            "tags": self.tags,
            "max_offers": self.max_offers,
            "used": self.used,
        }
        for o in self.offers.values():
            if o.void:
                continue
            place = f"{sized(o.queue)}{sized(o.channel)}{o.job}"
            shown[f"o:{o.id}"] = f"{o.cost} {o.offered_at} {o.expires_at} {place}"
        for a in self.assignments.values():
            shown[f"a:{a.id}"] = f"{a.cost} {a.assigned_at} {sized(a.channel)}{a.job}"
        return shown


@dataclass
class Job:
    id: str
    status: str = ""
    channel: str = ""
    queue: str = ""
    classification: str = ""
    priority: int = 1
    reference: str = ""
    disposition: str = ""
    mode: str = "queueAndMatch"
    schedule_at: int = 0
    scheduled_at: int = 0
    """When its schedule came due."""
    labels: str = ""
    tags: str = ""
    notes: str = ""
    selectors: str = ""
    attached: str = ""
    """Selectors that its classification policy has given it."""
    unclassified: bool = False
    """To be classified when it is activated."""
    asked: int = 0
    """Op number of the question that others are to answer; 0 when none is open."""
    stays: bool = False
    """It was in a queue when the question was put: in the same queue its stay goes on."""
    scoring: int = 0
    """Op number of the question which of its workers is the best; 0 when none is open."""
    ranking: list[tuple[str, float | None]] = field(default_factory=list)
    """The answer to it, while it is at work."""
    way: set[tuple[str, str]] = field(default_factory=set)
    """Rules of the length that had fired on the way in which the question interrupts."""
    doc: int = 0
    rev: int = 0
    modified_at: int = 0
    created: int = 0
    created_at: int = 0
    enqueued_at: int | None = None
    seq: int = 0
    expired_to: int = 0
    """Selectors that ran out at or before this instant are marked expired."""
    assignment: str = ""
    worker: str = ""
    assigned_at: int = 0
    completed_at: int = 0
    closed_at: int = 0
    close_at: int = 0
    unassigned: int = 0
    unassigned_life: int = 0
    max_offers: int = 1
    bypass: bool = False
    accepted: tuple[str, str] = ("", "")
    """The accepted offer and the request id of its acceptance."""
    bars: set[str] = field(default_factory=set)
    """Workers that declined it and are not to be asked again yet."""
    requests: dict[str, str] = field(default_factory=dict)
    filling: bool = False
    """Set aside, to be offered on in later calls."""
    entered_at: int = 0
    """When its present stay in the queue began."""
    fired: set[tuple[str, str]] = field(default_factory=set)
    """Policy and id of the rules of the wait that have fired in this stay."""
    event: str = ""
    """The place of its last event."""

    @property
    def finished(self) -> bool:
        return self.status in ("closed", "cancelled")

    @property
    def selector_list(self) -> list[Selector]:
        """Requested before attached."""
        return [*parse(self.selectors), *parse(self.attached)]

    def active_selectors(self) -> list[Selector]:
        def expired(selector: Selector) -> bool:
            at = selector.expires_at(self.enqueued_at)
            return at is not None and at <= self.expired_to

        return [s for s in self.selector_list if not expired(s)]

    @property
    def place(self) -> tuple[int, int]:
        """Its place in the order of all queues: expedited first, then priority, then enqueue number."""
        expedited = any(s.expedite for s in self.active_selectors())
        return (1 - self.priority - (201 if expedited else 0), self.seq)

    def record(self) -> Reply:
        """All fields of the contract; empty ones are shown as absent by the comparison."""
        return {
            "id": self.id,
            "doc": self.doc,
            "rev": self.rev,
            "modified_at": self.modified_at,
            "created": self.created,
            "status": self.status,
            "channel": self.channel,
            "queue": self.queue,
            "classification": self.classification,
            "priority": self.priority,
            "reference": self.reference,
            "disposition": self.disposition,
            "mode": self.mode,
            "schedule_at": self.schedule_at,
            "scheduled_at": self.scheduled_at,
            "labels": self.labels,
            "tags": self.tags,
            "notes": self.notes,
            "selectors": self.selectors,
            "attached": self.attached,
            "created_at": self.created_at,
            "enqueued_at": self.enqueued_at or 0,
            # stored only where it is not the number of the creation
            "seq": self.seq if self.seq != self.created else 0,
            "assignment": self.assignment,
            "worker": self.worker,
            "assigned_at": self.assigned_at,
            "completed_at": self.completed_at,
            "closed_at": self.closed_at,
            "close_at": self.close_at,
            "unassigned": self.unassigned,
        }


@dataclass
class Event:
    kind: str
    subject: str
    data: Reply
    job: Job | None
    worker: Worker | None
    links: str = ""
    """The places of the previous events of its job and worker."""


@dataclass
class Entry:
    """The events of one call or due item."""

    op: int
    call: str
    request: str
    prev: int
    events: list[Event]
    at: int


@dataclass
class Router:
    """Everything the router knows, and the frame of the call at work."""

    root: str
    now: int = 0
    op: int = 0
    settings: dict[str, int] = field(default_factory=lambda: dict(SETTINGS))
    policies: dict[tuple[str, str], Policy] = field(default_factory=dict)
    queues: dict[str, Queue] = field(default_factory=dict)
    workers: dict[str, Worker] = field(default_factory=dict)
    jobs: dict[str, Job] = field(default_factory=dict)
    agenda: dict[str, int] = field(default_factory=dict)
    tasks: dict[str, int] = field(default_factory=dict)
    """What is done outside, and when a worker is to take it."""
    observer: tuple[str, int, int] | None = None
    """Who counts the outbox, until when, and the last entry counted."""
    full_at: int = 0
    """When the bucket of requests is full again, in microseconds."""
    closed: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Queues of which too many jobs wait for others: the place from which on nothing is done."""
    entries: list[Entry] = field(default_factory=list)
    finished: dict[str, int] = field(default_factory=dict)
    """Closed and cancelled jobs, and when they ended."""
    void: dict[int, list[Offer]] = field(default_factory=dict)
    """Void offers by the op number of what made them so, in the order in which they are taken back."""
    void_of_workers: set[int] = field(default_factory=set)
    """Those of these lists that a worker's change made: they outlive their worker."""
    orphans: dict[str, Offer] = field(default_factory=dict)
    """Those whose worker was deleted."""
    changed_jobs: set[str] = field(default_factory=set)
    """Jobs that this call (or due item) may have made want another offer."""
    changed_workers: set[str] = field(default_factory=set)
    """Workers to whom it may have given room."""
    issued: int = 0
    """Offers that this call has made; a portion at most."""
    revoked: int = 0
    """Offers that this call has taken back; a portion at most."""
    told: int = 0
    """Bytes of labels and tags of jobs in the events of this call's due rows."""
    ruled: int = 0
    """What exception rules have done in this call."""
    swept_at: int = 0
    gap: tuple[int, int] = (0, 0)
    """The last outage: offers that ran out in it are revoked."""
    current: int | None = None
    made: int = 0
    offers_made: int = 0
    last_entry: int = 0
    done: int = 0
    """Rows of the agenda done at the start of this call."""
    pending: list[Event] = field(default_factory=list)

    def number(self) -> int:
        """The op number of this call or due item, taken when it begins to write."""
        if self.current is None:
            self.op += 1
            self.current = self.op
            self.made = 0
        return self.current

    def new_id(self, kind: str) -> str:
        """The id of a new offer or assignment."""
        number = self.number()
        self.made += 1
        return guid(f"{self.root}\0{kind}", number, self.made)

    def tell(self, kind: str, subject: str, data: Reply, job: Job | None, worker: Worker | None) -> None:
        """Adds an event to the entry of this call."""
        self.pending.append(Event(kind, subject, data, job, worker))

    def finish(self, call: str, request: str) -> None:
        """Ends a call or due item: its events become one entry."""
        if self.pending:
            number = self.number()
            for k, event in enumerate(self.pending, 1):
                self.told += len(f"{event.job.labels}{event.job.tags}".encode()) if event.job else 0
                event.links = ",".join(x.event if x and x.event else "-" for x in (event.job, event.worker))
                for told in (event.job, event.worker):
                    if told:
                        told.event = f"{number}.{k}"
            self.entries.append(Entry(number, call, request, self.last_entry, self.pending, self.now))
            self.last_entry = number
            self.pending = []
        self.current = None

    @property
    def portion(self) -> int:
        """Offers that one call makes at most, or takes back: each costs as much as five rows of a batch."""
        return -(-self.settings["batch"] // 5)

    def distribution(self, queue_id: str) -> dict[str, object]:
        """The fields of a queue's distribution policy."""
        return self.policies["distribution", self.queues[queue_id].distribution].fields

    def open_offers(self, job: Job) -> list[Offer]:
        """The open offers of a job, in the order in which they were made."""
        held = [o for w in self.workers.values() for o in w.offers.values()]
        found = [o for o in (*held, *self.orphans.values()) if o.job == job.id and o.counts]
        return sorted(found, key=lambda o: o.place)

    def queued_in(self, queue_id: str) -> list[Job]:
        """The jobs of a queue in its order."""
        return sorted(
            self.queued(j for j in self.jobs.values() if j.queue == queue_id), key=lambda j: j.place
        )

    @staticmethod
    def queued(jobs: Iterable[Job]) -> Iterable[Job]:
        return (j for j in jobs if j.status == "queued")
