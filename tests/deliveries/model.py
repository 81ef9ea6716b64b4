"""Random deliveries to one subscription, judged by a naive book of what has arrived.

    python -m tests.deliveries.model --seeds 1000

The library is the real one, the endpoint is chance. Deliverers send, commit, lose replies, die, and
come back after they were thought dead; events are made, trimmed, given up and replayed meanwhile. The book
knows only the order in which the events of a lane were made.
"""

from __future__ import annotations

import argparse
import random
from collections import defaultdict
from typing import Any

from engine import commands as c
from engine.deliveries.outbox import Event, entry_of, event
from engine.deliveries.progress import Progress, Work
from engine.errors import Refused
from engine.outbox import as_bytes, of_row
from engine.server_program import find_program
from tests import support
from tests.deliveries.story import LEASE, Story
from tests.support import SyncStore

UNSAVED = 6
JOBS = 5
SCHEDULE_MS = 400


class Book:
    """Which events there were, and what has become of each."""

    def __init__(self) -> None:
        self.lanes: dict[str, list[str]] = defaultdict(list)
        self.arrived: dict[str, int] = defaultdict(int)
        self.dead: set[str] = set()
        self.lost: set[str] = set()
        self.replayed: set[str] = set()
        self.repeats_allowed = 0
        self.given_up = 0
        self.brought_back = 0

    def made(self, one: Event) -> None:
        self.lanes[one.lane].append(one.place)

    def sent(self, one: Event) -> None:
        """An event may only go out when all before it in its lane have come to an end."""
        if one.place in self.replayed:
            return
        lane = self.lanes[one.lane]
        before = lane[: lane.index(one.place)]
        open_ones = [place for place in before if not self._is_over(place)]
        assert not open_ones, f"{one.place} of {one.lane} is sent before {open_ones}"

    def _is_over(self, place: str) -> bool:
        return bool(self.arrived[place]) or place in self.dead or place in self.lost

    def missing(self) -> list[str]:
        return [place for lane in self.lanes.values() for place in lane if not self._is_over(place)]

    @property
    def repeats(self) -> int:
        return sum(times - 1 for place, times in self.arrived.items() if times and place not in self.replayed)


class Deliverer:
    """One taking of the subscription."""

    def __init__(self, holder: str, token: int, progress: Progress) -> None:
        self.holder = holder
        self.token = token
        self.progress = progress
        self.flying: list[Work] = []
        self.reply: dict[str, Any] | None = None
        """That of a commit, on its way: events end meanwhile, but nothing is read."""


class Play:
    """One random run."""

    def __init__(self, store: SyncStore, root: str, seed: int) -> None:
        self.chance = random.Random(seed)
        self.story = Story(store, root)
        self.book = Book()
        self.now: Deliverer | None = None
        self.former: list[Deliverer] = []
        self.holders = 0
        self.jobs: dict[int, int] = {}
        self.booked = 0
        self.gone = 0
        self.story.agreed("s", after=0)
        self.story.run(c.SettingsWrite(parked_events=self.chance.choice([3, 10, 1_000]), outage_ms=0))
        self.story.job("first")
        self._book()

    def run(self, steps: int) -> None:
        """Random steps; then everything is delivered."""
        doings: list[tuple[Any, int]] = [
            (self.make, 6),
            (self.take, 6),
            (self.send, 12),
            (self.end, 14),
            (self.aside, 3),
            (self.commit, 8),
            (self.hear, 8),
            (self.lose_reply, 1),
            (self.resume, 5),
            (self.wait, 4),
            (self.die, 1),
            (self.come_back, 1),
            (self.change, 1),
            (self.replay, 1),
            (self.trim, 1),
        ]
        names, weights = zip(*doings, strict=True)
        for _ in range(steps):
            self.chance.choices(names, weights)[0]()
        self.finish()

    # ---- the router ------------------------------------------------------------------------------

    def make(self) -> None:
        number = self.chance.randrange(JOBS)
        life = self.jobs.get(number, 0)
        if life % 2:
            self.story.run(c.JobCancel(f"job-{number}"))
            self.story.run(c.JobDelete(f"job-{number}"))
        else:
            self.story.run(c.JobCreate(f"job-{number}", channel="voice", queue="q"))
        self.jobs[number] = life + 1
        self._book()

    def _book(self) -> None:
        rows = self.story.run(c.EventList(self.booked, 1000))["rows"]
        for row in rows:
            entry = entry_of(of_row(row))
            self.booked = entry.number
            for one in entry.events:
                self.book.made(one)

    def trim(self) -> None:
        """The outbox keeps but the last few."""
        if self.chance.random() < 0.8:
            return
        keep = self.chance.randrange(1, 12)
        self.story.redis.xtrim(f"{self.story.root}:events", maxlen=keep, approximate=False)

    def wait(self) -> None:
        self.story.now += self.chance.choice([1, 50, SCHEDULE_MS])
        if self.now:
            self.story.run(c.SubscriptionClaim(self.now.holder, 10, LEASE))

    def change(self) -> None:
        """The owner changes the subscription: whoever has it loses it."""
        doc = self.story.read().doc
        self.story.subscribe("s", doc=doc, after=0, name=f"name {doc}")
        self._retire()

    def replay(self) -> None:
        letters = self.story.letters(limit=1000)
        if not letters:
            return
        some = self.chance.sample(letters, min(len(letters), 2))
        try:
            self.story.run(c.DeadLetterReplay("s", [letter["id"] for letter in some]))
        except Refused as refused:
            if refused.code != "LIMIT":
                raise
            return
        self.book.replayed |= {letter["place"] for letter in some if "place" in letter}
        self.book.brought_back += sum(bool(letter.get("event")) for letter in some)

    # ---- deliverers ------------------------------------------------------------------------------

    def _deliverer(self) -> Deliverer | None:
        if self.now is None:
            self.holders += 1
            holder = f"h{self.holders}"
            row = self.story.claim(holder).get("s")
            if row is None:
                self.story.now += LEASE
                return None
            progress = Progress(int(row["cursor"]), row.get("ahead", "").split())
            progress.room = int(row["room"])
            cursor = "0"
            while True:
                page = self.story.run(c.SubscriptionLanes("s", cursor, 3))
                progress.parked.update(page["lanes"])
                if (cursor := page["next"]) == "0":
                    break
            self.now = Deliverer(holder, int(row["token"]), progress)
        return self.now

    def _retire(self) -> None:
        if self.now is not None:
            self.book.repeats_allowed += len(self.now.flying) + self.now.progress.unsaved
            self.former.append(self.now)
            self.now = None

    def take(self) -> None:
        it = self._deliverer()
        if it is None or it.reply or not it.progress.has_room:
            return
        reply = self.story.run(c.EventList(it.progress.read, self.chance.choice([1, 5])))
        rows, oldest = reply["rows"], int(reply["oldest"])
        cut = rows and int(rows[0]["op"]) == oldest and int(rows[0].get("prev") or 0) > it.progress.read
        if cut or (not oldest and int(reply["last"]) > it.progress.read):
            if it.progress.is_idle:
                it.progress.skip()
            return
        for row in rows:
            it.progress.take(entry_of(of_row(row)), lambda one: True)

    def send(self) -> None:
        it = self._deliverer()
        if it is None or len(it.flying) + it.progress.unsaved >= UNSAVED:
            return
        work = it.progress.next()
        if work is not None:
            assert work.event.lane not in {one.event.lane for one in it.flying}
            self.book.sent(work.event)
            it.flying.append(work)

    def end(self) -> None:
        """A try comes to its end, well or not."""
        it = self._deliverer()
        if it is None or not it.flying:
            return
        work = it.flying.pop(self.chance.randrange(len(it.flying)))
        chance = self.chance.random()
        if chance < 0.6:
            self.book.arrived[work.event.place] += 1
            it.progress.delivered(work)
        elif chance < 0.9:
            it.progress.failed(work, self.chance.choice([0, SCHEDULE_MS]), "tries")
        else:
            self.book.dead.add(work.event.place)
            self.book.given_up += 1
            it.progress.given_up(work, "facts")

    def aside(self) -> None:
        it = self._deliverer()
        if it is not None and it.flying:
            it.progress.set_aside(self.chance.choice(it.flying), SCHEDULE_MS)

    def _commit(self, it: Deliverer) -> dict[str, Any]:
        one = it.progress.commit()
        return self.story.run(
            c.SubscriptionCommit(
                "s", it.token, one.number, one.cursor, one.lost, one.delivered, one.ahead, one.changes
            )
        )

    def commit(self) -> None:
        it = self._deliverer()
        if it is None or it.reply or not (it.progress.has_changes or it.progress.has_moved):
            return
        it.reply = self._commit(it)
        self._note_lost()

    def hear(self) -> None:
        """The reply to a commit comes."""
        if self.now and self.now.reply:
            reply, self.now.reply = self.now.reply, None
            assert reply["outcome"] == "done"
            self.now.progress.committed(int(reply["cursor"]), reply["empty"], int(reply["room"]))

    def lose_reply(self) -> None:
        """A commit is done, but whoever made it does not learn of it."""
        if self.now and not self.now.reply and self.now.progress.has_changes:
            self._commit(self.now)
            self._note_lost()

    def _note_lost(self) -> None:
        """What dead letters say is lost."""
        for letter in self.story.letters(limit=1000):
            if "first" not in letter:
                continue
            first, last = (
                tuple(map(int, letter[end].replace("-", ".").split("."))) for end in ("first", "last")
            )
            for places in self.book.lanes.values():
                for place in places:
                    number, k = map(int, place.split("."))
                    whole = "-" in letter["first"] and first[0] <= number <= last[0]
                    if whole or ("-" not in letter["first"] and first <= (number, k) <= last):
                        self.book.lost.add(place)

    def resume(self) -> None:
        it = self._deliverer()
        if it is None or it.reply:
            return
        for row in self.story.run(c.SubscriptionDue("s", 4))["rows"]:
            if row["payload"]:
                told = event(row["place"], "", as_bytes(row["payload"]), int(row["at"]))
                it.progress.resume(row["lane"], told, row["tries"])
            else:
                it.progress.lose(row["lane"])

    def die(self) -> None:
        """It is killed: what it has sent goes on or not, nobody knows."""
        if self.now is None:
            return
        for work in self.now.flying:
            if self.chance.random() < 0.5:
                self.book.arrived[work.event.place] += 1
        self._retire()
        if self.chance.random() < 0.5:
            self.story.now += LEASE
        else:
            self.story.run(c.SubscriptionRelease(self.former[-1].holder, leaves=True))

    def come_back(self) -> None:
        """One that was thought dead commits: that changes nothing."""
        if not self.former or self.now is None:
            return
        it = self.chance.choice(self.former)
        if it.progress.has_changes:
            before = self.story.read()
            assert self._commit(it)["outcome"] == "outdated"
            assert self.story.read() == before

    # ---- the end ---------------------------------------------------------------------------------

    def finish(self) -> None:
        """From now on everything arrives."""
        for _ in range(10_000):
            it = self._deliverer()
            if it is None:
                continue
            self.hear()
            self.take()
            self.resume()
            self.send()
            while it.flying:
                work = it.flying.pop(0)
                self.book.arrived[work.event.place] += 1
                it.progress.delivered(work)
            self.commit()
            self.hear()
            self.story.now += 10 * SCHEDULE_MS
            self.story.run(c.SubscriptionClaim(it.holder, 10, LEASE))
            if it.progress.read == self.booked and not self._has_work(it):
                break
        assert self.book.missing() == [], self.book.missing()
        assert self.book.repeats <= self.book.repeats_allowed
        letters = sum("place" in letter for letter in self.story.letters(limit=1000))
        assert letters <= self.book.given_up - self.book.brought_back
        record = self.story.read()
        assert (record.cursor, record.parked) == (self.booked, 0)

    def _has_work(self, it: Deliverer) -> bool:
        waits = self.story.redis.exists(f"{self.story.root}:parked:s")
        progress = it.progress
        return bool(waits or not progress.is_idle or progress.has_changes or progress.has_moved)


def main() -> None:
    """Plays any number of runs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=1_000)
    parser.add_argument("--steps", type=int, default=300)
    given = parser.parse_args()
    with support.server(find_program()) as server, server.client() as client:
        store = SyncStore(client)
        store.load()
        for seed in range(given.seed, given.seed + given.seeds):
            try:
                Play(store, f"jr:{{{seed}}}", seed).run(given.steps)
            except BaseException:
                print(f"seed {seed}")
                raise
            client.flushall()
        print(f"{given.seeds} runs are sound")


if __name__ == "__main__":
    main()
