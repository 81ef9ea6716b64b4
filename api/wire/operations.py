"""What every route takes and answers, for the description of the interface.

A route that the interface has and this table has not is described without its bodies, and a test fails.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from api.wire import (
    dead_letters,
    explanations,
    history,
    jobs,
    lists,
    next_offer,
    options,
    overview,
    policies,
    preview,
    queues,
    subscriptions,
    workers,
)

Kind = type[msgspec.Struct]


class Done(msgspec.Struct):
    """The action was done; there is nothing to tell."""


class Operation(NamedTuple):
    """One route.

    ``shows`` is what its answer holds: one, with ``pages`` a page of them, nothing where it is None.
    ``takes`` is its body, or with ``patch`` what a merge patch in its body is merged into. ``query`` names
    parameters.
    """

    name: str
    about: str
    tag: str
    shows: Kind | None = None
    takes: Kind | None = None
    query: tuple[str, ...] = ()
    patch: bool = False
    pages: bool = False
    beside: Kind | None = None
    """A struct whose members are shown beside those of ``shows``."""
    streams: bool = False
    """Whether it answers with server-sent events."""


class _Identity(msgspec.Struct):
    """What a policy as it is shown has beside its own members."""

    id: str
    etag: str


_PAGE = ("maxpagesize", "continuationToken")
_FILTERS = ("eventType", "queueId", "channelId", "workerId", "jobId", "subjectBeginsWith", "subjectEndsWith")
_JOBS, _WORKERS, _QUEUES, _POLICIES = "Jobs", "Workers", "Queues", "Policies"
_EVENTS, _WATCHING = "Events", "Watching"


def _entity(
    path: str,
    noun: str,
    tag: str,
    takes: Kind,
    shows: Kind,
    filters: tuple[str, ...] = (),
    beside: Kind | None = None,
) -> dict[str, Operation]:
    """The four operations that all entities have."""
    name = "".join(word.title() for word in noun.split())
    several = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    names = f"{name[:-1]}ies" if name.endswith("y") else f"{name}s"
    a_noun = f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
    query = (*filters, *_PAGE)
    shown = Operation("", "", tag, shows, beside=beside)
    return {
        f"GET {path}": shown._replace(
            name=f"list{names}", about=f"List {several}, newest first.", query=query, pages=True
        ),
        f"PATCH {path}/{{}}": shown._replace(
            name=f"upsert{name}", about=f"Create {a_noun}, or merge a patch into it.", takes=takes, patch=True
        ),
        f"GET {path}/{{}}": shown._replace(name=f"get{name}", about=f"Read {a_noun}."),
        f"DELETE {path}/{{}}": Operation(f"delete{name}", f"Delete {a_noun}.", tag),
    }


def _policy(path: str, noun: str, kind: type[policies.PolicyBody]) -> dict[str, Operation]:
    return _entity(path, noun, _POLICIES, kind, kind, beside=_Identity)


_JOB, _WORKER, _QUEUE = "/routing/jobs", "/routing/workers", "/routing/queues"
_ASSIGNMENT = f"{_JOB}/{{}}/assignments/{{}}"

OPERATIONS: dict[str, Operation] = {
    **_entity(
        _JOB,
        "job",
        _JOBS,
        jobs.JobBody,
        jobs._JobView,
        ("status", "queueId", "channelId", "classificationPolicyId", "scheduledBefore", "scheduledAfter"),
    ),
    f"GET {_JOB}/{{}}/position": Operation(
        "getJobPosition", "Tell the place of a job in its queue.", _JOBS, options._Position
    ),
    f"POST {_JOB}/{{}}:cancel": Operation("cancelJob", "Cancel a job.", _JOBS, Done, options.CancelOptions),
    f"POST {_JOB}/{{}}:reclassify": Operation(
        "reclassifyJob", "Classify a job again.", _JOBS, Done, options.NoOptions
    ),
    f"POST {_ASSIGNMENT}:complete": Operation(
        "completeJob", "Complete an assignment: wrap-up begins.", _JOBS, Done, options.CompleteOptions
    ),
    f"POST {_ASSIGNMENT}:close": Operation(
        "closeJob", "Close a completed assignment, now or at a time.", _JOBS, Done, options.CloseOptions
    ),
    f"POST {_ASSIGNMENT}:unassign": Operation(
        "unassignJob", "Take a job away from its worker.", _JOBS, options._Unassigned, options.UnassignOptions
    ),
    **_entity(
        _WORKER,
        "worker",
        _WORKERS,
        workers.WorkerBody,
        workers._WorkerView,
        ("state", "channelId", "queueId", "hasCapacity"),
    ),
    f"POST {_WORKER}/{{}}/offers/{{}}:accept": Operation(
        "acceptOffer",
        "Accept an offer: the job is the worker's.",
        _WORKERS,
        options._Accepted,
        options.NoOptions,
    ),
    f"POST {_WORKER}/{{}}/offers/{{}}:decline": Operation(
        "declineOffer", "Decline an offer.", _WORKERS, Done, options.DeclineOptions
    ),
    **_entity(_QUEUE, "queue", _QUEUES, queues.QueueBody, queues._QueueView),
    f"GET {_QUEUE}/{{}}/statistics": Operation(
        "getQueueStatistics", "Tell length and waits of a queue.", _QUEUES, queues._StatisticsView
    ),
    **_policy("/routing/classificationPolicies", "classification policy", policies.ClassificationPolicy),
    **_policy("/routing/distributionPolicies", "distribution policy", policies.DistributionPolicy),
    **_policy("/routing/exceptionPolicies", "exception policy", policies.ExceptionPolicy),
    "GET /ext/v1/events": Operation(
        "listEvents",
        "List entries of the log of events, oldest first.",
        _EVENTS,
        lists._EventPage,
        None,
        ("after", "limit", *_FILTERS),
    ),
    "GET /ext/v1/events/stream": Operation(
        "streamEvents",
        "Send events as they happen, with those that a client has missed in front.",
        _EVENTS,
        query=("after", "heartbeat", *_FILTERS),
        streams=True,
    ),
    "GET /ext/v1/workers/{}/offers/next": Operation(
        "waitForOffer",
        "Wait for offers to a worker that a cursor has not seen.",
        _EVENTS,
        next_offer._Offers,
        None,
        ("after", "wait"),
    ),
    **_entity(
        "/ext/v1/subscriptions",
        "subscription",
        _EVENTS,
        subscriptions.SubscriptionBody,
        subscriptions._SubscriptionView,
    ),
    "POST /ext/v1/subscriptions/{}:validate": Operation(
        "validateSubscription",
        "Ask the endpoint of a subscription again, if it has not agreed yet.",
        _EVENTS,
        subscriptions._SubscriptionView,
    ),
    "POST /ext/v1/subscriptions/{}:rotateSecret": Operation(
        "rotateSubscriptionSecret",
        "Make a fresh signing secret, which the answer shows; the newest before it stays live beside it.",
        _EVENTS,
        subscriptions._SubscriptionView,
    ),
    "POST /ext/v1/subscriptions/{}:replay": Operation(
        "replayDeadLetters",
        "Deliver events once more that were given up: those that are named, or all.",
        _EVENTS,
        dead_letters._Replayed,
        dead_letters.ReplayBody,
    ),
    "GET /ext/v1/subscriptions/{}/deadLetters": Operation(
        "listDeadLetters",
        "List the events of a subscription that were given up, oldest first.",
        _EVENTS,
        dead_letters._DeadLetters,
        None,
        ("after", "limit"),
    ),
    "GET /ext/v1/queues": Operation(
        "watchQueues",
        "Show queues as they stand, newest first.",
        _WATCHING,
        overview._Queue,
        None,
        _PAGE,
        pages=True,
    ),
    "GET /ext/v1/workers": Operation(
        "watchWorkers",
        "Show workers as they stand, newest first.",
        _WATCHING,
        overview._Worker,
        None,
        ("queueId", *_PAGE),
        pages=True,
    ),
    "GET /ext/v1/jobs/{}:explain": Operation(
        "explainJob", "Tell why a job is not offered.", _WATCHING, explanations.Job, None, ("workerId",)
    ),
    "GET /ext/v1/workers/{}:explain": Operation(
        "explainWorker",
        "Tell why a worker gets no job.",
        _WATCHING,
        explanations.WorkerView,
        None,
        ("after",),
    ),
    "POST /ext/v1/jobs:preview": Operation(
        "previewJob",
        "Tell what would become of a job if it were created now, without a write.",
        _WATCHING,
        preview.Preview,
        jobs.JobBody,
    ),
    "GET /ext/v1/jobs/{}/history": Operation(
        "getJobHistory",
        "Tell the life of a job, newest event first.",
        _WATCHING,
        history.Page,
        None,
        ("before", "limit"),
    ),
    "GET /ext/v1/workers/{}/history": Operation(
        "getWorkerHistory",
        "Tell the life of a worker, newest event first.",
        _WATCHING,
        history.Page,
        None,
        ("before", "limit"),
    ),
}
