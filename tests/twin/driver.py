"""Runs the same random steps on the library and the twin, compares after each, and shortens what fails."""

from __future__ import annotations

import random
from typing import Any

import redis

from engine import commands as c
from engine.errors import Failed, Refused
from engine.explanations import Gathering, WorkerExplanation
from tests.twin import preview
from tests.twin.dump import difference, lua_events, lua_state, same_reply, texts, twin_events, twin_state
from tests.twin.episodes import Episode
from tests.twin.model import Reply, Router
from tests.twin.placeholders import Memory, Step, resolve
from tests.twin.router import Twin
from tests.twin.store import Store, private_client
from tests.twin.texts import lines
from tests.twin.why import (
    counts_exactly,
    fits_later,
    of_job,
    of_pair,
    of_worker,
    of_worker_told,
    reasons_told,
    survey,
    survey_told,
)

START = 1_700_000_000_000
WHOLE_EVERY = 200
SHORT = 200
EXPLAINED = 2
"""Pairs of a job and a worker that are explained after each step."""
EXPLAIN_MANY_EVERY = 2
EXPLAINED_AT_MOST = 24
"""Pairs that are explained after every so manieth step: all, where there are no more."""
SURVEY_EVERY = 3
TEXT_MATTERS = ("NOT_FOUND", "IN_USE", "TAKEN")


class Difference(AssertionError):
    """The two sides do not agree, or the store is not sound."""


class Pair:
    """A fresh tenant and a fresh twin."""

    def __init__(self, client: redis.Redis, root: str, thorough: bool) -> None:
        self.store = Store(client, root)
        self.twin = Twin(root)
        self.thorough = thorough
        self.memory = Memory()
        self.steps = 0
        self.entry = 0
        self.log: list[tuple[int, c.Command]] = []
        self.twin.state.now = START

    @property
    def state(self) -> Router:
        return self.twin.state

    def take(self, step: Step) -> None:
        """Runs one step on both sides and compares."""
        meant = resolve(step, self.state, self.memory)
        if meant:
            self.run(meant[1], meant[0])

    def run(self, command: c.Command, now: int) -> Reply | Refused:
        """Runs one command on both sides, compares, and gives what the library answered."""
        self.log.append((now, command))
        self.steps += 1
        told_before = None
        if isinstance(command, c.JobCreate) and not preview.is_due(self.state, now):
            told_before = self.on_redis(c.JobPreview.of(command), now)
        wanted: Reply | Refused
        try:
            wanted = self.twin.run(command, now)
        except Refused as refusal:
            wanted = refusal
        expected_events = twin_events(self.state, self.entry)
        touched = self.touched(command, expected_events)
        got = self.on_redis(command, now)
        compare(got, wanted)
        if told_before is not None and isinstance(command, c.JobCreate):
            job = self.state.jobs.get(command.id)
            told(preview.problems(told_before, wanted, job, self.state))
        pairs = self.some_pairs()
        asked = [c.JobExplain(job, worker) for job, worker in pairs]
        listed, checked, *explained = self.store.run_all(
            [c.EventList(self.entry, 1000), c.Check(touched), *asked], now
        )
        told(difference(lua_events(listed, expected_events), expected_events, "events"))
        told([str(problem) for problem in checked["problems"]])
        for pair, reply in zip(pairs, explained, strict=True):
            self.compare_reasons(*pair, reply)
        if self.steps % SURVEY_EVERY == 0:
            self.compare_survey()
            self.compare_worker()
        if isinstance(command, c.TaskLease) and not isinstance(got, Refused):
            for row in got["rows"]:  # type: ignore[attr-defined]
                told(self.candidates(row, now))
        if self.state.entries:
            self.entry = max(self.entry, self.state.entries[-1].op)
        self.memory.note(self.state)
        if self.thorough or self.steps % WHOLE_EVERY == 0:
            self.compare_all()
        return got

    def candidates(self, row: Reply, now: int) -> list[str]:
        """Where those who may be scored for a leased question differ from those of the twin."""
        kind, job_id = str(row["task"]).split(":", 1)
        if kind != "score":
            return []
        found, after = {}, None
        while after != "":
            page: Any = self.store.run(c.JobCandidates(job_id, int(str(row["asked"])), after or ""), now)
            found |= {x["worker"]: [int(x["avail"]), sorted(lines(x["labels"]))] for x in page["rows"]}
            after = page["next"]
        wanted = {w.id: [w.since, sorted(lines(w.labels))] for w in self.twin.candidates(job_id)}
        return difference(found, wanted, f"candidates of {job_id}")

    def on_redis(self, command: c.Command, now: int) -> Reply | Refused:
        try:
            return self.store.run(command, now)
        except Refused as refusal:
            return refusal

    def some_pairs(self) -> list[tuple[str, str]]:
        """Jobs and workers to be explained: two pairs, or many."""
        dice = random.Random(self.steps)
        pairs = [(job, worker) for job in self.state.jobs for worker in self.state.workers]
        many = EXPLAINED_AT_MOST if self.steps % EXPLAIN_MANY_EVERY == 0 else EXPLAINED
        return pairs if len(pairs) <= many else dice.sample(pairs, many)

    def compare_reasons(self, job_id: str, worker_id: str, reply: Reply) -> None:
        """Why is this job not offered to this worker?"""
        r, rows = self.state, reply["rows"]
        job, worker = r.jobs[job_id], r.workers[worker_id]
        assert isinstance(rows, list)
        wanted = {"job": of_job(r, job), "worker": of_pair(r, job, worker)}
        got = {about: reasons_told(rows, about) for about in wanted}
        if got != wanted:
            raise Difference(f"explain {job_id}, {worker_id}: lua {got}, twin {wanted}")
        later = reply.get("later")
        if later != fits_later(r, job, worker):
            raise Difference(f"explain {job_id}, {worker_id}: lua says {later} of the next expiry")

    def explain(self, job_id: str, worker_id: str) -> None:
        """Explains a pair on both sides and compares."""
        reply = self.store.run(c.JobExplain(job_id, worker_id), self.state.now)
        self.compare_reasons(job_id, worker_id, reply)

    def compare_survey(self) -> None:
        """Why is some job not offered to anybody?"""
        r, dice = self.state, random.Random(self.steps)
        if not r.jobs:
            return
        job = r.jobs[dice.choice(list(r.jobs))]
        gathering = Gathering(c.JobExplain(job.id))
        while gathering.command:
            gathering.add(self.store.run(gathering.command, r.now))
        found = gathering.result()
        if counts_exactly(r):
            told(difference(survey_told(found), survey(r, job), f"survey of {job.id}"))
        for one in found.sample:
            got = {reason.code for reason in one.reasons}
            wanted = {code[0] for code in of_pair(r, job, r.workers[one.worker])} - {"behind_jobs"}
            told(difference(got, wanted, f"sample of {job.id}, {one.worker}"))

    def compare_worker(self) -> None:
        """Why does some worker get nothing?"""
        r, dice = self.state, random.Random(self.steps)
        if r.workers:
            worker = dice.choice(list(r.workers.values()))
            reply = self.store.run(c.WorkerExplain(worker.id), r.now)
            found = WorkerExplanation(worker="", state="", next_job=str(reply.get("next_job", "")))
            found.add(reply)
            while found.next:
                found.add(self.store.run(c.WorkerExplain(worker.id, found.next), r.now))
            told(difference(of_worker_told(found), of_worker(r, worker), f"explain {worker.id}"))

    def touched(self, command: c.Command, entries: list[Any]) -> list[str]:
        """What this step speaks of, as ids for jr_check."""
        found = set()
        if isinstance(command, c.JobCreate | c.JobUpdate | c.JobCancel | c.JobDelete | c.JobReclassify):
            found.add(f"job:{command.id}")
        if isinstance(command, c.TaskAnswer):
            found.add("job:" + command.task.split(":", 1)[1])
        if isinstance(command, c.WorkerUpsert | c.WorkerDelete):
            found.add(f"worker:{command.id}")
        if isinstance(command, c.QueueUpsert | c.QueueDelete):
            found.add(f"queue:{command.id}")
        for _, events in entries:
            for *_, data in events:
                for kind in ("job", "worker", "queue"):
                    if f"{kind}Id" in data:
                        found.add(f"{kind}:{data[f'{kind}Id']}")
        return sorted(found)

    def compare_all(self) -> None:
        """The whole state of both sides, and every invariant."""
        told(difference(lua_state(self.store, self.state), twin_state(self.state)))
        r = self.state
        ids = (
            [f"job:{x}" for x in r.jobs]
            + [f"worker:{x}" for x in r.workers]
            + [f"queue:{x}" for x in r.queues]
        )
        checked = self.store.run(c.Check(ids), r.now)
        told([str(problem) for problem in checked["problems"]])


def told(problems: list[str]) -> None:
    if problems:
        raise Difference("\n".join(problems[:20]))


def compare(got: Reply | Refused, wanted: Reply | Refused) -> None:
    """Equal replies, or equal refusals (code; text too where the contract gives it)."""
    if isinstance(got, Refused) or isinstance(wanted, Refused):
        same = isinstance(got, Refused) and isinstance(wanted, Refused) and got.code == wanted.code
        if same and wanted.code in TEXT_MATTERS and wanted.text:  # type: ignore[union-attr]
            same = got.text.split() == wanted.text.split()  # type: ignore[union-attr]
        if not same:
            raise Difference(f"reply: lua {got!r}, twin {wanted!r}")
    elif not same_reply(got, wanted):
        found = difference(texts(got, wanted), texts(wanted)) if "rows" not in wanted else []
        raise Difference("\n".join(found) or f"reply: lua {got!r}\ntwin {wanted!r}")


def make(seed: int, count: int, kind: str | None = None) -> list[Step]:
    """The steps of one episode, of a kind where one is given (see episodes)."""
    maker = Episode(seed, kind)
    return [*maker.start(), *(maker.step() for _ in range(count))]


class Driver:
    """Runs episodes on one server, which it empties before each."""

    def __init__(self, client: redis.Redis) -> None:
        self.client = client

    def pair(self, thorough: bool) -> Pair:
        self.client.flushdb()
        return Pair(self.client, "jr:{twin}", thorough)

    def episode(self, seed: int, count: int, kind: str | None = None) -> int:
        """Runs an episode; a difference is shortened and raised with the commands that show it."""
        steps = make(seed, count, kind)
        pair = self.pair(thorough=count <= SHORT)
        failure = self.run(pair, steps)
        if failure is None:
            return pair.steps
        kept = self.shorten(steps)
        pair = self.pair(thorough=True)
        failure = self.run(pair, kept) or failure
        told = f"{type(failure).__name__}: {failure}"
        raise Difference(f"seed {seed}, {count} steps; shortest:\n{script(pair)}\n{told}") from failure

    def run(self, pair: Pair, steps: list[Step]) -> Exception | None:
        """What went wrong, or nothing."""
        try:
            for step in steps:
                pair.take(step)
            pair.compare_all()
        except (Difference, Failed, KeyError) as failure:
            return failure
        return None

    def fails(self, steps: list[Step]) -> bool:
        return self.run(self.pair(thorough=True), steps) is not None

    def shorten(self, steps: list[Step]) -> list[Step]:
        """Takes steps out, in ever smaller pieces, while the rest still fails."""
        pair = self.pair(thorough=True)
        if self.run(pair, steps) is None:
            return steps
        kept = list(steps)
        size = len(kept) // 2
        while size >= 1:
            at = 0
            while at < len(kept):
                rest = kept[:at] + kept[at + size :]
                if rest and self.fails(rest):
                    kept = rest
                else:
                    at += size
            size = size // 2
        return kept


def script(pair: Pair) -> str:
    """The commands of a run as Python that shows it again: ``replay([...])``."""
    rows = []
    for now, command in pair.log:
        shown = {
            name: getattr(command, name)
            for name in command.__struct_fields__
            if (default := defaults(command).get(name, ...)) is ... or getattr(command, name) != default
        }
        given = ", ".join(f"{name}={value!r}" for name, value in shown.items())
        rows.append(f"    ({now - START}, c.{type(command).__name__}({given})),")
    return "replay([\n" + "\n".join(rows) + "\n])"


def defaults(command: c.Command) -> dict[str, object]:
    fields = command.__struct_fields__
    given = command.__struct_defaults__
    return dict(zip(fields[len(fields) - len(given) :], given, strict=True))


def replay(commands: list[tuple[int, c.Command]]) -> None:
    """Runs printed commands on a server of its own, everything compared after each."""
    with private_client() as client:
        pair = Driver(client).pair(thorough=True)
        for now, command in commands:
            pair.run(command, START + now)
