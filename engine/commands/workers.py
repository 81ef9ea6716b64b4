"""Workers, and why they get no job."""

from __future__ import annotations

from engine.commands.base import Command, fields_of


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
        return WorkerUpdate(**fields_of(self)) if self.doc else None


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
