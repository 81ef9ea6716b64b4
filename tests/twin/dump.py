"""The whole state of both sides in one comparable form, and replies and events likewise."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

from engine import commands as c
from tests.twin.model import Offer, Reply, Router
from tests.twin.store import Store
from tests.twin.texts import guid, iso

RANK = 2**44
DEFAULTS = {"", "0"}
SPOKEN_DEFAULTS = {"priority": "1", "mode": "queueAndMatch"}
HELD = ("o:", "a:")


def texts(reply: Reply, names: Iterable[str] = ()) -> dict[str, str]:
    """A flat reply as texts, without what stands at its default or (of a record) is not in the contract."""
    known = set(names)
    shown = {}
    for name, value in reply.items():
        text = str(value)
        if known and name not in known and not name.startswith(HELD):
            continue
        if text in DEFAULTS or SPOKEN_DEFAULTS.get(name) == text:
            continue
        shown[name] = text
    return shown


def same_reply(lua: Reply, twin: Reply) -> bool:
    """Do two replies say the same? Fields of a record that the contract does not name are ignored."""
    if "rows" in twin:
        lua_rows: Any = lua["rows"]
        twin_rows: Any = twin["rows"]
        return (
            str(lua.get("next")) == str(twin.get("next"))
            and len(lua_rows) == len(twin_rows)
            and all(same_reply(a, b) for a, b in zip(lua_rows, twin_rows, strict=True))
        )
    return texts(lua, twin) == texts(twin)


def twin_events(r: Router, after: int) -> list[Any]:
    """Entries of the outbox after one, as plain data."""
    return [
        [
            [e.op, e.at, e.call, e.request, e.prev, " ".join(x.links for x in e.events)],
            [
                [x.kind, guid(f"{r.root}\0event", e.op, k), iso(e.at), x.subject, x.data]
                for k, x in enumerate(e.events, 1)
            ],
        ]
        for e in r.entries
        if e.op > after
    ]


def lua_events(reply: Reply, expected: list[Any]) -> list[Any]:
    """The rows of EventList in the same form; of a decision only what the rule says of it (see decided)."""
    shown = []
    rows: Any = reply["rows"]
    for i, row in enumerate(rows):
        wanted = expected[i][1] if i < len(expected) else []
        made: list[Any] = []
        for kind, text in zip(row["events"][::2], row["events"][1::2], strict=True):
            payload = json.loads(text)
            assert payload["eventType"] == f"Microsoft.Communication.{kind}", payload
            data = payload["data"]
            if "decision" in data and len(made) < len(wanted):
                data["decision"] = decided(data["decision"], wanted[len(made)][-1].get("decision", {}))
            made.append([kind, *(payload[name] for name in ("id", "eventTime", "subject")), data])
        frame = [
            int(row["op"]),
            int(row["at"]),
            row["call"],
            row.get("request", ""),
            int(row["prev"]),
            row["links"],
        ]
        shown.append([frame, made])
    return shown


RANK_OF = {"bestWorker": "score", "roundRobin": "after"}


def decided(decision: Any, wanted: Any) -> Any:
    """A decision without how it was searched for, which must be sound.

    By what the worker ranked is told where any were ranked: not where it looked for a job itself.
    """
    searched, considered, passed, way = (
        decision.pop(name, {}) for name in ("searched", "considered", "passed", "way")
    )
    sound = way in ("job", "worker") and considered >= 1 + sum(passed.values())
    sound = sound and set(passed) <= {"declined", "offered", "selector", "full"} and 0 not in passed.values()
    # who asks for one worker by its Id has searched for nobody
    sound = sound and (searched >= 1 or (way, considered) == ("job", 1))
    if not sound:
        return {"unsound": [searched, considered, passed, way]}
    rank = RANK_OF.get(decision.get("mode"), "")
    told, meant = decision.get(rank), wanted.get(rank)
    numbers = isinstance(told, int | float) and isinstance(meant, int | float)
    close = numbers and math.isclose(told, meant, rel_tol=1e-12)
    if (way == "worker" and told is None and meant is not None) or close:
        decision[rank] = meant
    return decision


def twin_state(r: Router) -> dict[str, Any]:
    """Everything the twin knows that Redis must know too."""
    return {
        "op": r.op,
        "agenda": r.agenda,
        "tasks": r.tasks,
        "closed": {queue: rank * RANK + seq for queue, (rank, seq) in r.closed.items()},
        "finished": r.finished,
        "filling": {j.id: "job" for j in r.jobs.values() if j.filling}
        | {w.id: w.filling for w in r.workers.values() if w.filling},
        "void": {o.id: "lost" if o.lost else "revoked" for o in void_offers(r)},
        "classification": {
            policy.id: sum(j.classification == policy.id and not j.finished for j in r.jobs.values())
            for (kind, _), policy in r.policies.items()
            if kind == "classification"
        },
        "queues": {
            q.id: {
                "order": [[j.id, j.place[0] * RANK + j.place[1]] for j in r.queued_in(q.id)],
                "cursor": q.last_offered,
                "accepted_at": q.accepted_at,
                "gap_ms": q.gap_ms,
                "active": sum(j.queue == q.id and not j.finished for j in r.jobs.values()),
            }
            for q in r.queues.values()
        },
        "workers": {
            w.id: texts(w.record())
            | {"since": w.since, "registration": w.registration, "seen": w.idle_from, "lost": w.lost}
            | {"bars": sorted(j.id for j in r.jobs.values() if w.id in j.bars)}
            for w in r.workers.values()
        },
        "jobs": {
            j.id: texts(j.record())
            | {
                "entered_at": j.entered_at,
                "unclassified": j.unclassified,
                "question": [j.asked, j.stays, len(j.way), j.scoring],
                "life": j.unassigned_life,
                "offers": [o.id for o in r.open_offers(j)],
            }
            for j in r.jobs.values()
        },
        "labels of no class": [],
    }


def void_offers(r: Router) -> list[Offer]:
    """The offers that are over but not taken back."""
    held = [o for w in r.workers.values() for o in w.offers.values()]
    return [o for o in (*held, *r.orphans.values()) if o.void]


def lua_state(store: Store, r: Router) -> dict[str, Any]:
    """The same read from Redis; the twin only lends the names of the contract's fields."""
    redis: Any = store.redis
    root = store.root
    queues, workers, jobs = {}, {}, {}
    for job_id in redis.zrange(f"{root}:jobs", 0, -1):
        row = redis.hgetall(f"{root}:job:{job_id}")
        names = r.jobs[job_id].record() if job_id in r.jobs else row
        jobs[job_id] = texts(store.run(c.JobRead(job_id), r.now), names) | {
            "entered_at": int(row.get("entered_at", row.get("enqueued_at", 0))),
            "unclassified": "unclassified" in row,
            "question": [
                int(row.get("asked", 0)),
                "stays" in row,
                len(row["way"].split("\n")) if "way" in row else 0,
                int(row.get("scoring", 0)),
            ],
            "life": int(row.get("unassigned_life", 0)),
            "offers": offer_ids(row.get("offers", "")),
        }
    for worker_id in redis.zrange(f"{root}:workers", 0, -1):
        row = redis.hgetall(f"{root}:worker:{worker_id}")
        names = r.workers[worker_id].record() if worker_id in r.workers else row
        workers[worker_id] = texts(store.run(c.WorkerRead(worker_id), r.now), names) | {
            "since": int(row.get("avail", 0)),
            "registration": int(row.get("epoch", 0)),
            "seen": int(row.get("seen_at", 0)),
            "lost": row.get("lost", "").split(),
            "bars": bars(redis, root, worker_id),
        }
    for queue_id in redis.zrange(f"{root}:queues", 0, -1):
        row = redis.hgetall(f"{root}:queue:{queue_id}")
        order = redis.zrange(f"{root}:queue.order:{queue_id}", 0, -1, withscores=True)
        queues[queue_id] = {
            "order": [[job_id, int(score)] for job_id, score in order],
            "cursor": row.get("cursor"),
            "accepted_at": number(row.get("accepted_at")),
            "gap_ms": number(row.get("gap_ms")),
            "active": int(row.get("active", 0)),
        }
    active = {
        policy_id: int(redis.hget(f"{root}:policy.classification:{policy_id}", "active") or 0)
        for policy_id in redis.zrange(f"{root}:policies.classification", 0, -1)
    }
    return {
        "op": store.run(c.RouterStatus(), r.now)["op"],
        "agenda": {row: int(due) for row, due in redis.zrange(f"{root}:agenda", 0, -1, withscores=True)},
        "tasks": {task: int(due) for task, due in redis.zrange(f"{root}:tasks", 0, -1, withscores=True)},
        "closed": {q: int(place) for q, place in redis.zrange(f"{root}:closed", 0, -1, withscores=True)},
        "finished": {i: int(at) for i, at in redis.zrange(f"{root}:finished", 0, -1, withscores=True)},
        "filling": dict.fromkeys(redis.zrange(f"{root}:filling.jobs", 0, -1), "job")
        | {w: int(at) for w, at in redis.zrange(f"{root}:filling.workers", 0, -1, withscores=True)},
        "void": {i: mark.split()[0] for i, mark in redis.hgetall(f"{root}:void").items()},
        "classification": active,
        "queues": queues,
        "workers": workers,
        "jobs": jobs,
        "labels of no class": strays(redis, root),
    }


def strays(redis: Any, root: str) -> list[str]:
    """Members of the label index whose class has no member any more."""
    found = redis.zrange(f"{root}:class.labels", 0, -1)
    return [member for member in found if not redis.exists(f"{root}:class:{member[-40:]}")]


def bars(redis: Any, root: str, worker_id: str) -> list[str]:
    """The jobs that a worker is barred from: those it has declined in their present life, until they end."""
    found = []
    for job_id, number in redis.zrange(f"{root}:worker.declined:{worker_id}", 0, -1, withscores=True):
        row = redis.hgetall(f"{root}:job:{job_id}")
        if row and row["status"] not in ("closed", "cancelled"):
            found += [job_id] if number > int(row.get("seq", row["created"])) else []
    return sorted(found)


def offer_ids(text: str) -> list[str]:
    """The ids in a job's list of offers: 36 characters each, then the sized worker."""
    found = []
    raw = text.encode()
    while raw:
        found.append(raw[:36].decode())
        size, rest = raw[36:].split(b":", 1)
        raw = rest[int(size) :]
    return found


def number(text: str | None) -> float | None:
    return None if text is None else float(text)


def difference(lua: Any, twin: Any, path: str = "") -> list[str]:
    """Where two plain structures differ, as lines."""
    if isinstance(lua, dict) and isinstance(twin, dict):
        return [
            line
            for key in sorted(lua.keys() | twin.keys(), key=str)
            for line in difference(lua.get(key), twin.get(key), f"{path}/{key}")
        ]
    if isinstance(lua, list) and isinstance(twin, list) and len(lua) == len(twin):
        return [
            line
            for i, (a, b) in enumerate(zip(lua, twin, strict=True))
            for line in difference(a, b, f"{path}/{i}")
        ]
    return [] if lua == twin else [f"{path}: lua {lua!r}, twin {twin!r}"]
