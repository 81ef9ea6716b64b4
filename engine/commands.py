"""One struct per operation of the Lua library: its name, its control fields, its documents.

A command becomes one FCALL (FCALL_RO for a read): KEYS[1] is the tenant's root, ARGV[1] the time in epoch
milliseconds (0 = the server's clock), ARGV[2] the control fields as one JSON object (fields at their default
are left out), and the rest the user's documents, verbatim, in the order of ``documents``. The formats of
documents are those of ``engine.model``; what each operation does, replies and refuses stands at the top of
its file in ``lua/ops``.
"""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

_encode = msgspec.json.Encoder().encode


def _fields(command: Command) -> dict[str, Any]:
    return {name: getattr(command, name) for name in command.__struct_fields__}


class Command(msgspec.Struct, omit_defaults=True, frozen=True):
    """Base of all commands. ``function`` is the registered name; ``write``: FCALL rather than FCALL_RO."""

    function: ClassVar[str]
    write: ClassVar[bool] = True
    documents: ClassVar[tuple[str, ...]] = ()
    creates: ClassVar[bool] = False
    """True when it may add an entity: such a call is refused when the server is out of memory."""

    def when_full(self) -> Command | None:
        """The command to run instead when the server is out of memory: one that surely adds nothing."""
        return None

    def completed(self, reply: dict[str, Any]) -> dict[str, Any]:
        """The reply with what the library need not send back, because it stands in the command."""
        return reply

    def arguments(self) -> list[bytes | str]:
        """The control object and the documents, ready to follow ARGV[1]."""
        if not self.documents:
            return [_encode(self)]
        control = msgspec.to_builtins(self)
        texts: list[Any] = [control.pop(name, "") for name in self.documents]
        return [_encode(control), *texts]


# ---- policies and queues -----------------------------------------------------------------------------------


class PolicyUpsert(Command, frozen=True):
    """Create (doc = 0) or replace a policy. kind: classification, distribution or exception.

    distribution: expires_ms, mode, min_offers, max_offers, bypass, descending; rules = the scoring rule as
    engine.scoring cuts it.
    exception: rules as engine.exception_rules cuts them; uses = ids of the classification policies
    that its actions name.
    classification: fallback = fallbackQueueId; pipeline as engine.pipelines cuts it.
    """

    function = "jr_policy_upsert"
    creates = True
    documents = ("document", "secret", "rules", "pipeline")

    kind: str
    id: str
    doc: int = 0
    rev: int = -1
    expires_ms: int = 0
    mode: str = ""
    min_offers: int = 1
    max_offers: int = 1
    bypass: bool = False
    descending: bool = True
    uses: list[str] = []
    fallback: str = ""
    document: str = ""
    secret: str = ""
    rules: str = ""
    pipeline: str = ""

    def when_full(self) -> Command | None:
        return PolicyUpdate(**_fields(self)) if self.doc else None


class PolicyUpdate(PolicyUpsert, frozen=True):
    """Replace a policy: what an upsert becomes when the server is full."""

    function = "jr_policy_update"
    creates = False


class PolicyRead(Command, frozen=True):
    function = "jr_policy_read"
    write = False

    kind: str
    id: str
    secrets: bool = False


class PolicyDelete(Command, frozen=True):
    function = "jr_policy_delete"

    kind: str
    id: str


class PolicyList(Command, frozen=True):
    function = "jr_policy_list"
    write = False

    kind: str
    limit: int = 100
    cursor: int = 0


class QueueUpsert(Command, frozen=True):
    """Create (doc = 0) or replace a queue."""

    function = "jr_queue_upsert"
    creates = True
    documents = ("labels",)

    id: str
    doc: int = 0
    rev: int = -1
    name: str = ""
    distribution: str = ""
    exception: str = ""
    labels: str = ""

    def when_full(self) -> Command | None:
        return QueueUpdate(**_fields(self)) if self.doc else None


class QueueUpdate(QueueUpsert, frozen=True):
    """Replace a queue: what an upsert becomes when the server is full."""

    function = "jr_queue_update"
    creates = False


class QueueRead(Command, frozen=True):
    function = "jr_queue_read"
    write = False

    id: str


class QueueDelete(Command, frozen=True):
    function = "jr_queue_delete"

    id: str


class QueueList(Command, frozen=True):
    function = "jr_queue_list"
    write = False

    limit: int = 100
    cursor: int = 0


class QueueStatistics(Command, frozen=True):
    function = "jr_queue_statistics"
    write = False

    id: str


class QueueOverview(Command, frozen=True):
    """limit: at most 100."""

    function = "jr_queue_overview"
    write = False

    limit: int = 100
    cursor: int = 0


class QueueLoad(Command, frozen=True):
    """A slice of a queue's waiting jobs and ready workers. jobs -1, classes "": none of them are wanted."""

    function = "jr_queue_load"
    write = False

    id: str
    jobs: int = 0
    classes: str = "0"


# ---- subscriptions to events -------------------------------------------------------------------------------


class SubscriptionUpsert(Command, frozen=True):
    """Create (doc = 0) or replace a subscription; document and secret as engine.subscriptions has them.

    after: entry after which a new one begins; 0 = the oldest kept, -1 = now. target: what its endpoint has to
    agree to; another one than it has agreed to is asked for, and ``code`` is sent along. origin: URL under
    which endpoints reach this router.
    """

    function = "jr_subscription_upsert"
    creates = True
    documents = ("document", "secret", "code")

    id: str
    doc: int = 0
    rev: int = -1
    enabled: bool = True
    after: int = -1
    target: str = ""
    origin: str = ""
    document: str = ""
    secret: str = ""
    code: str = ""

    def when_full(self) -> Command | None:
        return SubscriptionUpdate(**_fields(self)) if self.doc else None


class SubscriptionUpdate(SubscriptionUpsert, frozen=True):
    """Replace a subscription: what an upsert becomes when the server is full."""

    function = "jr_subscription_update"
    creates = False


class SubscriptionRead(Command, frozen=True):
    function = "jr_subscription_read"
    write = False

    id: str
    secrets: bool = False


class SubscriptionDelete(Command, frozen=True):
    function = "jr_subscription_delete"

    id: str


class SubscriptionList(Command, frozen=True):
    """limit: at most 100."""

    function = "jr_subscription_list"
    write = False

    limit: int = 100
    cursor: int = 0


class SubscriptionConfirm(Command, frozen=True):
    """Agree to a subscription by the code that its endpoint was sent; or ``look`` whether it is valid."""

    function = "jr_subscription_confirm"
    documents = ("code",)

    id: str
    code: str = ""
    look: bool = False


# ---- deliveries --------------------------------------------------------------------------------------------


class SubscriptionClaim(Command, frozen=True):
    """Renew the lease of a deliverer, and take free subscriptions for it, up to its share of all."""

    function = "jr_subscription_claim"

    holder: str
    count: int
    lease_ms: int


class SubscriptionRelease(Command, frozen=True):
    """Give back subscriptions; ``leaves``: one portion of all that the deliverer has."""

    function = "jr_subscription_release"

    holder: str
    ids: list[str] = []
    leaves: bool = False


class SubscriptionHeld(Command, frozen=True):
    """The subscriptions that a deliverer has."""

    function = "jr_subscription_held"
    write = False

    holder: str


class SubscriptionCommit(Command, frozen=True):
    """Write down what was done for a subscription since the last commit.

    token: of its taking. number: one more than that of the last commit; the same again does nothing again.
    cursor: number of the last entry that is done with; ahead: places (``<op>.<k>``) behind it that are, too.
    lost: the entries after the cursor are not kept any more.
    changes: JSON, see lua/subscriptions/commits.lua.
    """

    function = "jr_subscription_commit"
    documents = ("ahead", "changes", "error")

    id: str
    token: int
    number: int
    cursor: int
    lost: bool = False
    delivered: int = 0
    ahead: str = ""
    changes: str = "{}"
    error: str = ""


class SubscriptionDue(Command, frozen=True):
    """The first events of the lanes whose next try is due."""

    function = "jr_subscription_due"
    write = False

    id: str
    limit: int = 100


class SubscriptionLanes(Command, frozen=True):
    """The lanes in which events wait, some at a time; ``cursor`` is that of the last reply."""

    function = "jr_subscription_lanes"
    write = False

    id: str
    cursor: str = "0"
    limit: int = 500


class DeadLetterList(Command, frozen=True):
    """Events that were given up, oldest first, after the id ``after`` (exclusive)."""

    function = "jr_dead_letter_list"
    write = False

    id: str
    after: str = ""
    limit: int = 100


class DeadLetterReplay(Command, frozen=True):
    """Deliver events once more that were given up: those of the ids, or a portion of those up to ``last``."""

    function = "jr_dead_letter_replay"

    id: str
    ids: list[str] = []
    after: str = ""
    last: str = ""


# ---- workers -----------------------------------------------------------------------------------------------


class WorkerUpsert(Command, frozen=True):
    """Create (doc = 0) or replace a worker. max_offers 0 = no limit of its own."""

    function = "jr_worker_upsert"
    creates = True
    documents = ("queues", "channels", "labels", "tags")

    id: str
    doc: int = 0
    rev: int = -1
    capacity: int = 0
    available: bool = False
    max_offers: int = 0
    queues: str = ""
    channels: str = ""
    labels: str = ""
    tags: str = ""

    def when_full(self) -> Command | None:
        return WorkerUpdate(**_fields(self)) if self.doc else None


class WorkerUpdate(WorkerUpsert, frozen=True):
    """Replace a worker: what an upsert becomes when the server is full."""

    function = "jr_worker_update"
    creates = False


class WorkerRead(Command, frozen=True):
    function = "jr_worker_read"
    write = False

    id: str


class WorkerDelete(Command, frozen=True):
    function = "jr_worker_delete"

    id: str


class WorkerList(Command, frozen=True):
    """state "" = all. has_capacity: room for ``channel``, or for any channel when none is given."""

    function = "jr_worker_list"
    write = False

    limit: int = 100
    cursor: int = 0
    state: str = ""
    channel: str = ""
    queue: str = ""
    has_capacity: bool = False


class WorkerOverview(Command, frozen=True):
    """limit: at most 100. queue "" = all."""

    function = "jr_worker_overview"
    write = False

    limit: int = 100
    cursor: int = 0
    queue: str = ""


# ---- offers and assignments --------------------------------------------------------------------------------


class OfferAccept(Command, frozen=True):
    function = "jr_offer_accept"

    worker: str
    offer: str
    request_id: str = ""


class OfferDecline(Command, frozen=True):
    """retry_at: epoch ms when the worker may be asked again; 0 = not before it registers anew."""

    function = "jr_offer_decline"

    worker: str
    offer: str
    retry_at: int = 0
    request_id: str = ""


class AssignmentComplete(Command, frozen=True):
    """note: the message as JSON string text, or empty."""

    function = "jr_assignment_complete"
    documents = ("note",)

    job: str
    assignment: str
    request_id: str = ""
    note: str = ""


class AssignmentClose(Command, frozen=True):
    """close_at: epoch ms; 0 or a past time = now."""

    function = "jr_assignment_close"
    documents = ("note",)

    job: str
    assignment: str
    disposition: str = ""
    close_at: int = 0
    request_id: str = ""
    note: str = ""


class AssignmentUnassign(Command, frozen=True):
    function = "jr_assignment_unassign"

    job: str
    assignment: str
    suspend: bool = False
    request_id: str = ""


# ---- jobs --------------------------------------------------------------------------------------------------


class JobCreate(Command, frozen=True):
    """Create a job (doc = 0), or give a closed or cancelled one a new life (doc = its present counter)."""

    function = "jr_job_create"
    creates = True
    documents = ("labels", "tags", "notes", "selectors")

    id: str
    doc: int = 0
    rev: int = -1
    channel: str = ""
    queue: str = ""
    classification: str = ""
    priority: int = 1
    reference: str = ""
    disposition: str = ""
    mode: str = "queueAndMatch"
    schedule_at: int = 0
    request_id: str = ""
    labels: str = ""
    tags: str = ""
    notes: str = ""
    selectors: str = ""

    def completed(self, reply: dict[str, Any]) -> dict[str, Any]:
        if reply["outcome"] != "created":
            return reply
        given = {name: value for name in _SHOWN if (value := getattr(self, name)) != _DEFAULTS[name]}
        made = {"doc": 1, "rev": 1, "created": reply["op"], "modified_at": reply["created_at"]}
        return {"id": self.id, **given, **made, **reply}


_DEFAULTS = {field.name: field.default for field in msgspec.structs.fields(JobCreate)}
_SHOWN = sorted(_DEFAULTS.keys() - {"id", "doc", "rev", "notes", "request_id"})


class JobUpdate(Command, frozen=True):
    """Replace all client-written fields of a job whose ``doc`` counter is still the given one."""

    function = "jr_job_update"
    documents = ("labels", "tags", "notes", "selectors")

    id: str
    doc: int = 0
    rev: int = -1
    channel: str = ""
    queue: str = ""
    classification: str = ""
    priority: int = 1
    reference: str = ""
    disposition: str = ""
    mode: str = "queueAndMatch"
    schedule_at: int = 0
    request_id: str = ""
    labels: str = ""
    tags: str = ""
    notes: str = ""
    selectors: str = ""


class JobPreview(Command, frozen=True):
    """What would become of a new job; slices of its queue as JobExplain."""

    function = "jr_job_preview"
    write = False
    documents = ("labels", "tags", "notes", "selectors")

    id: str
    channel: str = ""
    queue: str = ""
    classification: str = ""
    priority: int = 1
    reference: str = ""
    disposition: str = ""
    mode: str = "queueAndMatch"
    schedule_at: int = 0
    cursor: str = ""
    sampled: int = 0
    labels: str = ""
    tags: str = ""
    notes: str = ""
    selectors: str = ""

    @classmethod
    def of(cls, create: JobCreate) -> JobPreview:
        """The preview of what a command would create."""
        own = (name for name in cls.__struct_fields__ if name not in ("cursor", "sampled"))
        return cls(**{name: getattr(create, name) for name in own})


class JobRead(Command, frozen=True):
    function = "jr_job_read"
    write = False

    id: str


class JobDelete(Command, frozen=True):
    function = "jr_job_delete"

    id: str


class JobList(Command, frozen=True):
    """status "" = all, "active" = the active states. Scheduled times in epoch ms, inclusive; 0 = none."""

    function = "jr_job_list"
    write = False

    limit: int = 100
    cursor: int = 0
    status: str = ""
    queue: str = ""
    channel: str = ""
    classification: str = ""
    scheduled_before: int = 0
    scheduled_after: int = 0


class JobCancel(Command, frozen=True):
    function = "jr_job_cancel"
    documents = ("note",)

    id: str
    disposition: str = ""
    request_id: str = ""
    note: str = ""


class JobReclassify(Command, frozen=True):
    function = "jr_job_reclassify"

    id: str
    request_id: str = ""


class JobCandidates(Command, frozen=True):
    """Some of the workers that others are asked to score for a job. ``after``: next of the last call."""

    function = "jr_job_candidates"
    write = False

    id: str
    asked: int
    after: str = ""


class JobPosition(Command, frozen=True):
    function = "jr_job_position"
    write = False

    id: str


class JobExplain(Command, frozen=True):
    """Why a job is not offered: to one worker, or (worker_id "") a slice of its whole queue.

    cursor: the ``next`` of the slice before; sampled: workers that those before have told of.
    ``engine.explanations`` puts slices together.
    """

    function = "jr_job_explain"
    write = False

    job_id: str
    worker_id: str = ""
    cursor: str = ""
    sampled: int = 0


class JobHistory(Command, frozen=True):
    """Events of a job before the place ``before`` ("" = to the present), newest first."""

    function = "jr_job_history"
    write = False

    id: str
    before: str = ""
    limit: int = 100


class WorkerHistory(Command, frozen=True):
    """Events of a worker before the place ``before`` ("" = to the present), newest first."""

    function = "jr_worker_history"
    write = False

    id: str
    before: str = ""
    limit: int = 100


class WorkerExplain(Command, frozen=True):
    """Why a worker gets no job; start: the ``next`` of the call before. See ``engine.explanations``."""

    function = "jr_worker_explain"
    write = False

    worker_id: str
    start: int = 0


# ---- agenda, events, the router itself ---------------------------------------------------------------------


class AgendaDue(Command, frozen=True):
    """Do what is due, at most one batch; the sweep of the workers."""

    function = "jr_agenda_due"


class TaskLease(Command, frozen=True):
    """Take at most ``count`` tasks that are done outside of the store, each for ``lease_ms``."""

    function = "jr_task_lease"

    count: int
    lease_ms: int


class TaskAnswer(Command, frozen=True):
    """Answer a task. ``asked`` and ``revision`` are given back as they were leased.

    answers: a JSON object of engine.pipelines.Given by the places of their rules; of a handshake ``agreed``,
    ``later`` or ``failed``, then a newline and why; of a scoring a ranking, a JSON list of at most 100 pairs,
    the best first: a worker, and its score or null.
    """

    function = "jr_task_answer"
    documents = ("answers",)

    task: str
    asked: int
    revision: int
    answers: str = "{}"


class EventList(Command, frozen=True):
    """Entries of the outbox after the entry ``after`` (exclusive), oldest first."""

    function = "jr_event_list"
    write = False

    after: int = 0
    limit: int = 100


class ObserverLease(Command, frozen=True):
    """Count what the outbox tells, for ``lease_ms`` (0 = no longer). ``seen``: the last entry counted."""

    function = "jr_observer_lease"

    holder: str
    lease_ms: int
    seen: int = 0


class AllowanceLease(Command, frozen=True):
    """Take up to ``wanted`` requests from a router's bucket of ``limit``, which fills in ``window_ms``."""

    function = "jr_allowance_lease"

    wanted: int
    limit: int
    window_ms: int


class SettingsWrite(Command, frozen=True):
    """Settings of one tenant; what is left out returns to its default. Times in ms, 0 outage_ms = off.

    recording: so many of the newest calls that may write are kept in a log (0 = none, and it is removed).
    """

    function = "jr_settings_write"

    keep_finished_ms: int = 90 * 86_400_000
    keep_finished_count: int = 1_000_000
    keep_events_ms: int = 7 * 86_400_000
    keep_events_count: int = 1_000_000
    outage_ms: int = 5_000
    unassign_limit: int = 3
    worker_offers: int = 1_000
    batch: int = 100
    parked_events: int = 10_000
    keep_dead_letters_ms: int = 7 * 86_400_000
    keep_dead_letters_count: int = 10_000
    questions: int = 100
    recording: int = 0


class RouterStatus(Command, frozen=True):
    function = "jr_router_status"
    write = False


class RouterRights(Command, frozen=True):
    """Which of these commands of the server, as a library calls them, the caller may not use."""

    function = "jr_router_rights"
    write = False

    commands: list[str] = []


class Check(Command, frozen=True):
    """Verify entities (``job:…``, ``worker:…``, ``queue:…``, ``subscription:…``) and all they link to."""

    function = "jr_check"
    write = False

    ids: list[str] = []


class ExpressionEvaluate(Command, frozen=True):
    """Try a compiled expression (``engine.expressions``) on labels, as the documents that are stored."""

    function = "jr_expression_evaluate"
    write = False
    documents = ("tree", "job", "worker", "queue")

    tree: str = ""
    job: str = ""
    worker: str = ""
    queue: str = ""
