"""Queues, and what waits in them."""

from __future__ import annotations

from engine.commands.base import Command, fields_of


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
        return QueueUpdate(**fields_of(self)) if self.doc else None


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
