"""The reasons of an explanation in plain English, for supervisors of a contact centre."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence

import msgspec

from engine.explanations import Change, JobExplanation, Rank, Reason

SENTENCES: dict[str, str] = {
    "not_queued": "The job {standing}.",
    "being_classified": "The job is being classified: it waits for the answer of a rule.",
    "scheduled": "The job is scheduled: it waits until {at}, and is then to be activated.",
    "suspended": "The job is suspended: it waits to be activated.",
    "job_set_aside": "The job is being offered to many workers, some at a time: it goes on at once.",
    "being_scored": "The workers that fit are being scored: the job waits for the answer of a rule.",
    "waits_for_scores": "So many jobs of its queue are being scored that the job waits for their answers.",
    "maximum_of_offers": "The job is already offered to {offered}, as many as its queue asks at a time: "
    "{the_answer} is awaited until {until}.",
    "not_registered": "Worker {worker} {presence}.",
    "worker_set_aside": "Worker {worker} is being given many offers, some at a time: this goes on at once.",
    "not_on_queue": "Worker {worker} does not serve queue {queue}.",
    "channel_missing": "Worker {worker} does not take channel {channel}.",
    "selector_failed": "The job asks for {wanted}{while_it_asks}, but worker {worker} has {has}.",
    "already_offered": "The job is already offered to worker {worker}{until_then}.",
    "declined": "Worker {worker} has declined the job, and is {asked_again}.",
    "capacity_full": "Worker {worker} has no room on channel {channel}: a job needs {needed} of its capacity "
    "of {capacity}, and {free} is free{held}.",
    "channel_maximum": "Worker {worker} has as many jobs on channel {channel} as it may have "
    "({maximum}){held}.",
    "offer_limit": "Worker {worker} has as many open offers as it may have ({limit}){held}.",
    "outranked": "Worker {worker} fits and is free, but the job is offered to {asked}{ranked}.",
    "behind_jobs": "{first} before it{jobs}.",
    "busy": "Worker {worker} has no room now.",
}
"""The sentence of each code; what stands in braces is made of its details."""

COUNTED: dict[str, tuple[str, str, str]] = {
    "not_on_queue": ("does not serve", "do not serve", "queue {queue}"),
    "not_registered": ("of the queue is", "of the queue are", "not signed on"),
    "channel_missing": ("does not take", "do not take", "channel {channel}"),
    "selector_failed": ("does not have", "do not have", "{wanted}{while_it_asks}"),
    "busy": ("fits but has", "fit but have", "no room now"),
}
"""What is said of one worker and of several, and what follows: the codes that are counted."""

_NOBODY = {"channel_missing": "takes", "selector_failed": "has"}
"""What is said where all lack it."""

_STANDINGS = {
    "assigned": "is assigned to worker {worker}",
    "completed": "is completed by worker {worker}, and only to be closed",
    "closed": "is closed: nothing more happens to it",
    "cancelled": "is cancelled: nothing more happens to it",
    "classificationFailed": "has no queue: its classification has failed (its event tells why)",
}
_PRESENCES = {
    "inactive": "is signed off",
    "draining": "is signing off: it finishes what it has, and gets no more",
}
_COMPARISONS = {
    "=": "{key} {value}",
    "!=": "{key} other than {value}",
    "<": "{key} below {value}",
    "<=": "{key} of at most {value}",
    ">": "{key} above {value}",
    ">=": "{key} of at least {value}",
}
_RULES = {
    "longestIdle": "by longest idle",
    "roundRobin": "by round robin",
    "bestWorker": "by the best score",
}


def sentence(reason: Reason, worker: str = "") -> str:
    """A reason of a job, or of a worker, as a sentence."""
    names = ("queue", "channel", "needed", "capacity", "free", "maximum", "limit")
    words = {name: getattr(reason, name) for name in names}
    made = _WORDS[reason.code](reason) if reason.code in _WORDS else {}
    text = SENTENCES[reason.code].format_map({**words, "worker": worker, **made})
    return text[:1].upper() + text[1:]


def counted(reason: Reason, found: JobExplanation) -> str:
    """A reason that several workers have as a sentence."""
    one, many, rest = COUNTED[reason.code]
    made = _wanted(reason) if reason.code == "selector_failed" else {}
    rest = rest.format_map({"queue": reason.queue, "channel": reason.channel, **made})
    if reason.code in _NOBODY and found.staff and reason.workers == found.staff.registered:
        text = f"Nobody who is signed on {_NOBODY[reason.code]} {rest}"
        number = str(reason.alone)
    else:
        text = f"{_workers(reason.workers)} {one if reason.workers == 1 else many} {rest}"
        number = "it" if reason.workers == 1 else str(reason.alone)
    if reason.alone:
        text += f"; {number} {'lacks' if reason.alone == 1 else 'lack'} nothing else"
    return f"{text}."


def staff(found: JobExplanation) -> str:
    """How many workers there are for a job, as a sentence."""
    it = found.staff
    assert it is not None
    if not it.on_queue:
        return f"No worker serves queue {found.queue}."
    if not it.registered:
        nobody = "The only worker" if it.on_queue == 1 else f"None of the {it.on_queue} workers"
        return f"{nobody} of queue {found.queue} is {'not ' if it.on_queue == 1 else ''}signed on."
    signed_on = (
        f"{_workers(it.registered)} {'is' if it.registered == 1 else 'are'} signed on to queue {found.queue}"
    )
    if not it.fitting:
        return f"{signed_on}, and none fits the job."
    fitting = f"{it.fitting} of them fit{'s' if it.fitting == 1 else ''} the job"
    return (
        f"{signed_on}, {fitting}, and {it.ready or 'none'} of these {'have' if it.ready > 1 else 'has'} room."
    )


def change(one: Change) -> str:
    """What changes by itself, as a sentence."""
    return f"At {moment(one.at)} {_CHANGES[one.kind](one)}."


def _workers(count: int | None) -> str:
    return f"{count or 0} worker{'' if count == 1 else 's'}"


def moment(ms: int | None, exactly: bool = False) -> str:
    """Epoch milliseconds as people write them, to the second, or exactly."""
    if not ms:
        return "an unknown time"
    text = datetime.datetime.fromtimestamp(ms // 1000, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S")
    return f"{text}.{ms % 1000:03} UTC" if exactly else f"{text} UTC"


def several(words: Sequence[str], total: int | None = None) -> str:
    """``a``, ``a and b``, ``a, b and c``, ``a, b and 7 more``."""
    shown = list(words)
    if total and total > len(shown):
        shown.append(f"{total - len(shown)} more")
    return f"{', '.join(shown[:-1])} and {shown[-1]}" if len(shown) > 1 else "".join(shown)


# ---- what is made of details -------------------------------------------------------------------------------


def _label(text: str) -> str:
    """A label's value as it is read: texts without quotes, unless they are empty."""
    value = msgspec.json.decode(text) if text else None
    return value if isinstance(value, str) and value else text


def _standing(reason: Reason) -> dict[str, str]:
    return {"standing": _STANDINGS.get(reason.status, f"is {reason.status}").format(worker=reason.worker)}


def _offered(reason: Reason) -> dict[str, str]:
    workers = [offer.worker for offer in reason.offers]
    last = max((offer.expires_at for offer in reason.offers), default=0)
    return {
        "offered": several(workers, reason.open),
        "the_answer": "the answer" if reason.open == 1 else "an answer",
        "until": moment(last),
    }


def _wanted(reason: Reason) -> dict[str, str]:
    key = _label(reason.key)
    if reason.value in ("", "null"):
        wanted = {"=": f"no {key} at all", "!=": f"some {key}"}.get(
            reason.operator, f"{key} {reason.operator} nothing"
        )
    else:
        wanted = _COMPARISONS[reason.operator].format(key=key, value=_label(reason.value))
    return {
        "wanted": wanted,
        "while_it_asks": f" until {moment(reason.expires_at)}" if reason.expires_at else "",
        "has": _label(reason.has) if reason.has else "none",
    }


def _held(reason: Reason) -> dict[str, str]:
    if not reason.held:
        return {"held": ""}
    jobs = [f"{one.job} ({one.kind})" for one in reason.held]
    return {"held": f"; it holds {several(jobs, reason.holds)}"}


def _ranked(reason: Reason) -> dict[str, str]:
    return {
        "asked": several(reason.asked),
        "ranked": _came_about(reason),
    }


def _came_about(reason: Reason) -> str:
    """Why the first one was asked and not the worker."""
    first = "".join(reason.asked[:1])
    if reason.came_about == "freed":
        return f": nobody else could be asked when {first} became free"
    if reason.came_about == "alone":
        return f": nobody else could be asked when {first} was"
    if reason.came_about == "otherwise":
        return ": its queue had another rule then"
    if reason.came_about == "unscored":
        return f" by longest idle, for nobody who was free had a score{_in_brackets(_waits(reason))}"
    rule = f" {_RULES.get(reason.rule, reason.rule)}"
    if not reason.remote:
        return rule + _in_brackets(_ranks(reason))
    score = reason.other.score if reason.other else None
    if reason.came_about != "scored" or score is None:
        return ": what a function or webhook has scored is not kept"
    among = f" among {reason.ranked} ranked" if reason.ranked else ""
    return f"{rule}, given by a function or webhook ({first} got {score:g}{among}; other scores are not kept)"


def _in_brackets(text: str) -> str:
    return f" ({text})" if text else ""


def _waits(reason: Reason) -> str:
    """Since when both wait, where the one asked has waited longer."""
    mine = reason.rank.available_at if reason.rank else None
    other = reason.other.available_at if reason.other else None
    return _ranks(reason) if mine and other and other <= mine else ""


def _ranks(reason: Reason) -> str:
    """The ranks of the worker and of the first one asked."""
    if reason.rule == "roundRobin":
        return f"the last turn was that of {reason.cursor}" if reason.cursor else ""
    times = [rank.available_at for rank in (reason.rank, reason.other) if rank and rank.available_at]
    is_close = len(times) == 2 and times[0] // 1000 == times[1] // 1000
    mine, other = _rank(reason.rank, is_close), _rank(reason.other, is_close)
    return f"it {mine}; {reason.asked[0]} {other}" if mine and other else ""


def _rank(rank: Rank | None, exactly: bool) -> str:
    if rank is None:
        return ""
    parts = [f"scores {rank.score:g}"] if rank.score is not None else []
    parts += [f"waits since {moment(rank.available_at, exactly)}"] if rank.available_at else []
    return ", ".join(parts)


def _behind(reason: Reason) -> dict[str, str]:
    shown = f": {several(reason.jobs, reason.ahead)}" if reason.jobs else ""
    if reason.about == "worker":
        return {"first": "When it has room, it gets another job", "jobs": shown}
    ahead = reason.ahead or 0
    return {
        "first": f"{ahead} job{'s' if ahead != 1 else ''} of the same needs wait{'s' if ahead == 1 else ''}",
        "jobs": shown,
    }


def _admits(one: Change) -> str:
    if one.workers is None:
        return "the next selector runs out"
    if one.worker:
        fit = "then fits" if one.workers else "does not fit then either"
        return f"the next selector runs out: worker {one.worker} {fit}"
    fit = (
        f"{one.workers} more worker{' fits' if one.workers == 1 else 's fit'}"
        if one.workers
        else "nobody more fits"
    )
    return (
        f"the next selector runs out: {fit}{f', {one.ready} of these with room now' if one.workers else ''}"
    )


def _next(one: Change) -> str:
    """Who is asked when an offer has ended."""
    if one.next == "worker":
        return f"worker {one.worker} would be asked next"
    if one.next == "scores":
        others = f"the {one.scored} other free workers" if one.scored else "the other free workers"
        return f"{others} that fit would then be scored, and the best of them asked"
    return "nobody else could be asked now" if one.next == "nobody" else "who is asked next is found then"


_CHANGES: dict[str, Callable[[Change], str]] = {
    "selectors": _admits,
    "exception": lambda one: f"rule {one.rule} of exception policy {one.policy} fires",
    "schedule": lambda one: "it may be activated",
    "retry": lambda one: f"worker {one.worker} may be asked again",
    "offer": lambda one: f"its first offer ends unless it is answered: {_next(one)}",
}

_WORDS: dict[str, Callable[[Reason], dict[str, str]]] = {
    "not_queued": _standing,
    "scheduled": lambda reason: {"at": moment(reason.at)},
    "maximum_of_offers": _offered,
    "not_registered": lambda reason: {"presence": _PRESENCES.get(reason.state, f"is {reason.state}")},
    "selector_failed": _wanted,
    "already_offered": lambda reason: {
        "until_then": f" until {moment(reason.expires_at)}" if reason.expires_at else ""
    },
    "declined": lambda reason: {
        "asked_again": f"asked again at {moment(reason.until)}"
        if reason.until
        else "not asked again until it signs off and on"
    },
    "capacity_full": _held,
    "channel_maximum": _held,
    "offer_limit": _held,
    "outranked": _ranked,
    "behind_jobs": _behind,
}
