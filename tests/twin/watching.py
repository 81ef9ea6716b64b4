"""What those who measure and count ask: who counts the outbox, how loaded a queue is, what may be asked."""

from __future__ import annotations

from collections import Counter

from engine import commands as c
from engine.errors import Refused
from tests.twin.matching import has_room
from tests.twin.model import Reply, Router


def lease(r: Router, a: c.ObserverLease) -> Reply:
    """One holder at a time, who tells how far it has come."""
    if not 0 <= a.lease_ms <= 600_000 or a.seen < 0:
        raise Refused("BAD_CALL", "")
    last = r.last_entry
    holder, until, seen = r.observer or ("", 0, last)
    seen = min(seen, last)
    if r.observer and holder != a.holder and r.now < until:
        return {"held": 0, "fresh": 0, "seen": seen, "last": last}
    if holder == a.holder:
        seen = max(seen, min(a.seen, last))
    r.observer = (a.holder, r.now + a.lease_ms, seen)
    return {"held": 1, "fresh": int(holder != a.holder), "seen": seen, "last": last}


def allowance(r: Router, a: c.AllowanceLease) -> Reply:
    """A bucket, told by when it is full again, in microseconds."""
    if not (1 <= a.limit <= 1_000_000 and 1 <= a.window_ms <= 3_600_000 and 1 <= a.wanted <= a.limit):
        raise Refused("BAD_CALL", "")
    now, window = r.now * 1000, a.window_ms * 1000
    full_at = max(now, min(r.full_at, now + window))
    granted = min(a.wanted, (now + window - full_at) * a.limit // window)
    r.full_at = full_at + -(-granted * window // a.limit)
    wait = r.full_at + -(-window // a.limit) - now - window
    return {"granted": granted, "wait_ms": max(0, -(-wait // 1000))}


def load(r: Router, a: c.QueueLoad) -> Reply:
    """Everything at once: what is sliced is never reached here."""
    if a.id not in r.queues:
        raise Refused("NOT_FOUND", "The item was not found.")
    waiting = r.queued_in(a.id)
    jobs = Counter(j.channel for j in waiting) if a.jobs >= 0 else Counter()
    served = [w for w in r.workers.values() if w.available and a.id in w.queue_ids] if a.classes else []
    channels = {channel.id for w in served for channel in w.channel_list}
    workers = {
        channel: sum(not w.filling and has_room(r, w, channel) for w in served) for channel in channels
    }
    rows: list[Reply] = [
        {"channel": channel, "jobs": jobs[channel], "workers": workers.get(channel, 0)}
        for channel in sorted({*jobs, *channels}, key=str.encode)
    ]
    return {"length": len(waiting), "next_jobs": -1, "next_classes": "", "rows": rows}
