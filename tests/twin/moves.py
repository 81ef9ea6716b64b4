"""Random steps: small pools of everything, so that every corner is met often.

A step is made without knowing what the router will answer: ids made by the service and document counters are
placeholders that ``resolve`` fills in from the twin when the step is run. So a sequence stays meaningful when
steps are taken out.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field

import msgspec

from engine import commands as c
from engine import pipelines
from engine.exception_rules import Cancel, Change, Classify, Rule, rules_text
from engine.expressions import compile_expression
from engine.scoring import Equal, Function, Webhook, by_expression, scoring_text
from tests.twin import tasks
from tests.twin.model import DAY, Job, Offer, Router, Worker
from tests.twin.texts import lines

PRESENT = -1
"""Placeholder of a document counter: the present one."""
MALFORMED = [
    *("", "x", "1", "[1]", "[]", "{}", "null", '{"priority":1}', '{"priority":{}}'),
    *('{"priority":{"kind":"value"}}', '{"priority":{"kind":"value","text":"1","more":"1"}}'),
    *('{"priority":{"kind":"value","text":"x"}}', '{"priority":{"kind":"value","text":"1,2"}}'),
    *('{"priority":{"kind":"other","text":"1"}}', r'{"priority":{"kind":"failed","text":"\u0000"}}'),
    *(
        '{"queue.0":{"kind":"selectors","text":"x"}}',
        r'{"queue.0":{"kind":"selectors","text":"a\t=\t1\t\t0\t"}}',
    ),
    r'{"queue.0":{"kind":"selectors","text":"\"a\"\t~\t1\t\t0\t"}}',
]
"""Answers that are none, but for two that answer nothing."""
VALUES = [
    *("1", "2", "1.0", "3.5", "-2", "-0.5", "0", "-0", "true", "false"),
    *('"x"', '"y"', '"xy"', '"x\\u0000\\u0001"', '"1"', '""', '"é\\n\\"q"'),
]
KEYS = ['"skill"', '"site"', '"a\\tb"']
OPERATORS = ["=", "!=", "<", "<=", ">", ">="]
JOB_FIELDS = [
    "channel",
    "queue",
    "classification",
    "priority",
    "reference",
    "disposition",
    "mode",
    "labels",
    "tags",
    "notes",
    "selectors",
]
EXPRESSIONS = [
    "If(job.skill = 1, 10, -5)",
    "job.skill",
    "job.skill * 1.5 + 3",
    "1 / job.site",
    'job.site = "x"',
    "job.skill > 1 And Not(IsBlank(job.site))",
    "Blank()",
    "-1000.5",
]
SCORES = [
    "worker.skill",
    "-worker.site",
    "job.skill - worker.skill",
    "If(worker.skill = job.skill, 10, worker.site = job.site, 5)",
    "Abs(job.site - worker.site) / worker.skill",
    "If(IsBlank(worker.skill), 1, worker.skill)",
    "Value(worker.'a\tb') + Len(worker.skill)",
    "job.skill",
    "worker.skill = 1",
    """If(worker.Id = "w1", 100, worker.skill)""",
    "Len(worker.Id) + job.site",
    "Mod(Value(Right(worker.Id, 1)), 2)",
]
NOTES = ['"hello"', '"second\\nline"']


@dataclass
class Step:
    """When (a delay, or the k-th due time and an offset), what, and how its placeholders are meant."""

    command: c.Command
    delay: int = 0
    due: int | None = None
    pick: int = 0
    """Which of the offers or assignments that fit the placeholder."""
    changes: frozenset[str] = frozenset()
    """Of an update: the fields that change; the others stay as they are."""
    ids: tuple[str, ...] = ()
    """Of a create: ids to take from, the first that is free for a new life."""


@dataclass
class Memory:
    """Ids that the service has made so far, ended ones included."""

    offers: list[tuple[str, str]] = field(default_factory=list)
    assignments: list[tuple[str, str]] = field(default_factory=list)
    questions: list[tuple[str, int, int, str]] = field(default_factory=list)
    """Task, number and revision of questions, and the pipeline that asks, if it is one."""

    def note(self, r: Router) -> None:
        for worker in r.workers.values():
            for offer in worker.offers.values():
                if (worker.id, offer.id) not in self.offers[-50:]:
                    self.offers.append((worker.id, offer.id))
            for held in worker.assignments.values():
                if (held.job, held.id) not in self.assignments[-50:]:
                    self.assignments.append((held.job, held.id))
        for task in r.tasks:
            asked = tasks.question(r, task)
            if not asked:
                continue
            text = str(asked.get("pipeline", ""))
            question = (task, int(str(asked["asked"])), int(str(asked["revision"])), text)
            if question not in self.questions[-50:]:
                self.questions.append(question)


def resolve(step: Step, r: Router, memory: Memory) -> tuple[int, c.Command] | None:
    """Time and command of a step as they stand now; None when there is nothing it could mean."""
    now = r.now + step.delay
    if step.due is not None:
        times = sorted(r.agenda.values())
        if not times:
            return None
        now = max(r.now, times[step.due % len(times)] + step.delay)
    command = step.command
    if step.ids and command.id in r.jobs and not r.jobs[command.id].finished:  # type: ignore[attr-defined]
        free = [i for i in step.ids if i not in r.jobs or r.jobs[i].finished]
        command = msgspec.structs.replace(command, id=free[0]) if free else command
    if isinstance(command, c.JobUpdate):
        command = patched(command, step.changes, r, now)
    if getattr(command, "doc", 0) == PRESENT:
        command = with_counter(command, r)
    for name in ("retry_at", "close_at", "schedule_at", "scheduled_before", "scheduled_after"):
        if getattr(command, name, 0):
            command = msgspec.structs.replace(command, **{name: now + getattr(command, name)})
    if getattr(command, "offer", "") in ("open", "past"):
        return with_offer(now, command, step.pick, r, memory)
    if isinstance(command, c.JobHistory | c.WorkerHistory):
        return now, msgspec.structs.replace(command, before=place(command, step.pick, r))
    if isinstance(command, c.TaskAnswer):
        return with_question(now, command, step.pick, r, memory)
    if getattr(command, "assignment", "") in ("present", "past"):
        return with_assignment(now, command, step.pick, r, memory)
    return now, command


def place(command: c.JobHistory | c.WorkerHistory, pick: int, r: Router) -> str:
    """Of the last event of a job or worker, or of any event that was ever told."""
    of: Job | Worker | None = (r.jobs if isinstance(command, c.JobHistory) else r.workers).get(command.id)
    if command.before == "last" and of:
        return of.event
    if command.before == "any" and r.op:
        return f"{1 + pick % r.op}.{1 + pick % 3}"
    return ""


def with_question(
    now: int, command: c.TaskAnswer, pick: int, r: Router, memory: Memory
) -> tuple[int, c.Command] | None:
    """An open question mostly, or one of the past; its rules get one answer each, unless they are spoilt."""
    asked = {number for job in r.jobs.values() for number in (job.asked, job.scoring) if number}
    some = [q for q in memory.questions[-200:] if command.task == "past" or q[1] in asked]
    if not some:
        return None
    task, number, revision, text = some[pick % len(some)]
    if task.startswith("score:") and command.task != "malformed":
        return now, c.TaskAnswer(task, number, revision, ranking(random.Random(pick), r))
    if command.task == "malformed":
        return now, c.TaskAnswer(task, number, revision, command.answers)
    made = [json.loads(line) for line in command.answers.split("\n")]
    answers = {}
    for i, (place, _, selects) in enumerate(pipelines.rules(pipelines.pipeline_of_text(text))):
        fitting = made[0 if place == "priority" else 2 if selects else 1]
        # what was made for another place fits seldom
        answers[place] = made[(pick + i) % len(made)] if (pick + i) % 7 == 0 else fitting
    places = list(answers)
    if command.task == "partial" and places:
        del answers[places[pick % len(places)]]
        answers["worker.99"] = made[0]
    elif command.task == "strange":
        task, revision = ("classify:nobody", 0) if pick % 2 else (task, revision + 1)
    return now, c.TaskAnswer(task, number, revision, json.dumps(answers))


def ranking(d: random.Random, r: Router) -> str:
    """Some workers or all, strangers among them, with scores that repeat or are none; sorted or not."""
    scores = d.choice([[3, 2.5, 1, -1, None], [2, 1], [None], [0, None]])
    pairs = [(worker, d.choice(scores)) for worker in d.sample([*r.workers, "stranger"], len(r.workers) + 1)]
    if d.random() < 0.8:
        pairs.sort(key=lambda pair: (pair[1] is None, -(pair[1] or 0)))
    return json.dumps(pairs[: d.choice([0, 1, 2, 100, 100, 100])])


def patched(command: c.JobUpdate, changes: frozenset[str], r: Router, now: int) -> c.JobUpdate:
    """A PATCH of an existing job: what it does not change is sent as it stands."""
    job = r.jobs.get(command.id)
    if not job:
        return command
    kept = {name: getattr(job, name) for name in JOB_FIELDS if name not in changes}
    if "mode" in kept:
        # as time from now, as the dice make it
        kept["schedule_at"] = job.schedule_at and job.schedule_at - now
    if "selectors" in kept:
        kept["selectors"] = "\n".join(line.rsplit("\t", 1)[0] + "\t" for line in lines(job.selectors))
    return msgspec.structs.replace(command, **kept)


def with_counter(command: c.Command, r: Router) -> c.Command:
    record: object = None
    if isinstance(command, c.PolicyUpsert):
        record = r.policies.get((command.kind, command.id))
    elif isinstance(command, c.QueueUpsert):
        record = r.queues.get(command.id)
    elif isinstance(command, c.WorkerUpsert):
        record = r.workers.get(command.id)
    else:
        record = r.jobs.get(getattr(command, "id", ""))
    return msgspec.structs.replace(command, doc=getattr(record, "doc", 0))


def with_offer(
    now: int, command: c.Command, pick: int, r: Router, memory: Memory
) -> tuple[int, c.Command] | None:
    assert isinstance(command, c.OfferAccept | c.OfferDecline)
    found: list[tuple[str, str]] = memory.offers[-20:]
    if command.offer == "open":
        offers: list[Offer] = [o for w in r.workers.values() for o in w.offers.values()]
        found = [(o.worker, o.id) for o in sorted(offers, key=lambda o: o.place)]
    if not found:
        return None
    worker, offer = found[pick % len(found)]
    return now, msgspec.structs.replace(command, worker=worker, offer=offer)


def with_assignment(
    now: int, command: c.Command, pick: int, r: Router, memory: Memory
) -> tuple[int, c.Command] | None:
    found = memory.assignments[-20:]
    if getattr(command, "assignment", "") == "present":
        wanted = "completed" if isinstance(command, c.AssignmentClose) else "assigned"
        held: list[Job] = [j for j in r.jobs.values() if j.status == wanted]
        found = [(j.id, j.assignment) for j in held]
    if not found:
        return None
    job, assignment = found[pick % len(found)]
    return now, msgspec.structs.replace(command, job=job, assignment=assignment)


class Maker:
    """Makes the steps of one episode; its dice decide first what kind of episode it is."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        d = self.dice
        self.queues = [f"q{i}" for i in range(d.choice([1, 2, 4]))]
        self.workers = [f"w{i}" for i in range(d.choice([1, 2, 4, 8, 12, 25]))]
        self.jobs = [f"j{i}" for i in range(d.choice([3, 8, 16, 30, 60]))]
        if d.random() < 0.2:
            self.workers[0], self.jobs[0], self.queues[0] = "w é:1\n", "j/%2F:x", 'q "1":\\'
        self.policies = [f"d{i}" for i in range(d.choice([1, 2, 3]))]
        self.modes = d.choice(
            [["longestIdle"], ["roundRobin"], ["bestWorker"], ["longestIdle", "roundRobin", "bestWorker"]]
        )
        self.scorings = self.choose_scorings()
        self.channels = ["v", "chat", "mail"][: d.choice([1, 2, 3])]
        self.selecting = d.choice([0.0, 0.2, 0.7])
        self.labelling, self.values = d.choice([0.0, 0.5, 1.0]), VALUES
        self.expiring = d.choice([0.0, 0.0, 0.5])
        self.excepting = d.choice([0.0, 0.3, 0.9])
        self.classifying = d.choice([0.0, 0.3, 0.9])
        self.remote = d.choice([0.0, 0.3, 0.8])
        if self.remote and d.random() < 0.5:
            self.classifying, self.excepting = 0.9, d.choice([self.excepting, 0.9])
        self.scoring_elsewhere = d.choice([0.0, 0.0, 0.2])
        self.questions = d.choice([1, 2, 3, 100])
        self.asking_id = d.choice([0.15, 0.6])
        self.most_offers = d.choice([1, 1, 2, 3, 6])
        self.capacities = d.choice([[1], [1, 2], [2, 3, 5], [0, 1, 4], [10_000, 9_000, 3], [20_000]])
        self.costs = d.choice([[1], [1], [0, 1, 2], [1, 2], [1, 3_000, 4_999]])
        self.maxima: list[int | None] = d.choice([[None], [None], [None, 1, 2]])
        self.limits = d.choice([[0], [0, 1, 2]])
        self.offer_ms = d.choice([[1_000], [60_000], [500, 2_000, 60_000]])
        self.delays = d.choice([[0, 1], [0, 1, 100, 1_000], [0, 500, 3_000, 20_000]])
        shapes = d.choice([1, 2, 2, 3, 40])
        self.vary = d.choice([0.02, 0.2])
        self.batch = d.choice([100, 1, 2, 3, 7])
        self.worker_offers = d.choice([1_000, 1_000, 1, 2])
        self.leaping, self.available = 0.02, 0.75
        if d.random() < 0.1:
            self.delays = [*self.delays, -1, -3_000]
        self.weights = self.choose_weights()
        if d.random() < 0.3:
            shapes = self.be_plain()
        elif d.random() < 0.3:
            shapes = self.be_crowded()
        elif d.random() < 0.5:
            shapes = self.be_choosy()
        elif d.random() < 0.6:
            shapes = self.be_asking()
        if d.random() < 0.25:
            shapes = self.let_others_score()
        self.shapes = [self.shape() for _ in range(shapes)]

    def choose_scorings(self) -> list[str]:
        """The scoring rules of an episode; most have few, so that what is remembered of them is used."""
        d = self.dice
        sources = d.choice([SCORES, [source for source in SCORES if "worker.Id" in source]])
        rules = [scoring_text(by_expression(source, job_labels=d.random() < 0.8)) for source in sources]
        some = d.sample(rules, d.choice([1, 2, 3]))
        return d.choice([[""], some, some, [*some, "", scoring_text(Equal())]])

    def be_plain(self) -> int:
        """An episode of few equal workers who finish their jobs, where proofs replace searches."""
        d = self.dice
        self.queues, self.channels = self.queues[:1], ["v", "chat"]
        self.workers, self.jobs = self.workers[:6], [f"j{i}" for i in range(20)]
        self.selecting, self.labelling, self.expiring = d.choice([0.0, 0.3, 0.7]), 0.0, 0.0
        self.most_offers, self.maxima, self.limits = d.choice([1, 2]), [None], [0]
        self.capacities, self.costs = d.choice([[2], [3], [5]]), d.choice([[1], [1, 2], [1, 2, 3]])
        self.offer_ms, self.delays, self.vary = [60_000], [0, 1, 100], 0.0
        self.excepting = 0.0
        self.batch, self.worker_offers = 100, 1_000
        self.weights |= {"accept": 22, "complete": 16, "close": 16, "decline": d.choice([0, 2, 6])}
        self.weights |= {"worker": 3, "update": 1, "policy": 0, "queue": 0, "delete": 1, "reclassify": 0}
        return d.choice([1, 1, 2])

    def be_crowded(self) -> int:
        """An episode of jobs and workers with many offers at once, more than a call may make or take back."""
        d = self.dice
        self.queues = self.queues[:2]
        self.workers = [f"w{i}" for i in range(d.choice([3, 8, 12]))]
        self.jobs = [f"j{i}" for i in range(d.choice([6, 12, 30]))]
        self.selecting, self.labelling = d.choice([0.0, 0.0, 0.3]), d.choice([0.0, 0.3])
        self.most_offers, self.capacities = d.choice([2, 5, 12]), d.choice([[3], [5, 20], [30]])
        self.costs, self.maxima, self.limits = d.choice([[1], [0, 1]]), d.choice([[None], [None, 2]]), [0]
        self.offer_ms, self.vary = d.choice([[1_000], [60_000]]), d.choice([0.0, 0.1, 0.5])
        self.batch, self.worker_offers = d.choice([1, 1, 8, 12]), 1_000
        self.weights |= {"cancel": 6, "update": 9, "worker": 12, "delete": 6, "decline": d.choice([0, 3])}
        self.weights |= {"accept": d.choice([6, 14]), "policy": d.choice([0, 1]), "queue": d.choice([0, 1])}
        return d.choice([1, 1, 2, 3])

    def be_choosy(self) -> int:
        """An episode of more free workers than jobs, among whom the best is chosen."""
        d = self.dice
        self.queues, self.channels = self.queues[:2], ["v"]
        self.workers, self.jobs = [f"w{i}" for i in range(9)], [f"j{i}" for i in range(12)]
        self.modes = d.choice([["bestWorker"], ["bestWorker"], ["bestWorker", "longestIdle", "roundRobin"]])
        self.labelling = d.choice([0.8, 1.0])
        self.values = d.choice([VALUES, ["1", "2", "3.5", "-2"], ["1", "2", "0", "-2", "true", '"1"']])
        self.selecting, self.asking_id = d.choice([0.0, 0.2, 0.5]), 0.15
        self.most_offers, self.maxima, self.limits = d.choice([1, 2, 4]), d.choice([[None], [None, 2]]), [0]
        self.capacities, self.costs = d.choice([[1], [2, 3], [5], [20]]), [1]
        self.offer_ms, self.delays, self.vary = [60_000], [0, 1, 100], d.choice([0.0, 0.1])
        self.excepting, self.classifying = 0.0, 0.0
        self.batch, self.worker_offers = 100, 1_000
        self.weights |= {"create": 40, "accept": 16, "complete": 12, "close": 12, "cancel": 20, "decline": 6}
        self.weights |= {"worker": 4, "update": 4, "policy": d.choice([0, 6]), "queue": 0, "delete": 1}
        self.weights |= {"wait": 0, "read": 1, "sweep": 2}
        return d.choice([2, 4, 7])

    def be_asking(self) -> int:
        """An episode of a few jobs whose policies ask others, and that change before these have answered."""
        d = self.dice
        self.jobs = [f"j{i}" for i in range(d.choice([4, 8, 20]))]
        self.remote, self.classifying, self.excepting = 0.7, 0.95, d.choice([0.0, 0.9])
        self.labelling, self.values = 0.7, VALUES
        self.weights |= {"answer": d.choice([6, 25]), "lease": 4, "create": 25, "cancel": 5, "accept": 8}
        self.weights |= {"update": d.choice([5, 25]), "reclassify": d.choice([5, 12]), "unassign": 6}
        self.weights |= {"policy": d.choice([0, 2, 5]), "delete": d.choice([2, 8]), "worker": 5, "wait": 2}
        return d.choice([1, 2, 4])

    def let_others_score(self) -> int:
        """An episode whose queues ask others about most of their jobs; often more than they may."""
        d = self.dice
        self.queues, self.channels = self.queues[:2], ["v"]
        self.workers = [f"w{i}" for i in range(d.choice([3, 6, 9]))]
        self.jobs = [f"j{i}" for i in range(24)]
        self.offer_ms, self.delays, self.maxima, self.limits = [60_000], [0, 1, 100], [None], [0]
        self.modes = d.choice([["bestWorker"], ["bestWorker"], ["bestWorker", "longestIdle"]])
        self.scoring_elsewhere, self.questions = d.choice([1.0, 1.0, 0.8]), d.choice([1, 2, 2, 3, 100])
        self.selecting, self.expiring = d.choice([0.0, 0.3, 0.6]), d.choice([0.0, 0.0, 0.5])
        self.labelling, self.vary = d.choice([0.0, 0.5]), d.choice([0.0, 0.2])
        # a leap to the end of idle times signs everybody off
        self.leaping, self.available = 0.004, d.choice([0.8, 0.95])
        self.capacities, self.costs = d.choice([[1], [1, 2], [3]]), [1]
        self.most_offers, self.worker_offers = d.choice([1, 1, 2, 4]), 1_000
        self.classifying, self.excepting = d.choice([0.0, 0.0, 0.3]), d.choice([0.0, 0.0, 0.3])
        self.batch = d.choice([100, 100, 12, 3])
        self.weights |= {
            "create": 30,
            "lease": 4,
            "answer": d.choice([6, 15, 30]),
            "worker": d.choice([3, 12]),
        }
        self.weights |= {"accept": 12, "complete": 10, "close": 10, "cancel": d.choice([4, 14])}
        self.weights |= {"decline": d.choice([1, 6]), "policy": d.choice([0, 1, 3]), "wait": 0.2}
        self.weights |= {"read": 1, "queue": d.choice([0, 1]), "delete": 1, "reclassify": 1, "sweep": 3}
        return d.choice([1, 2, 4])

    def choose_weights(self) -> dict[str, float]:
        """How often each kind of step comes; some kinds are left out of some episodes."""
        weights = {
            "create": 22.0,
            "accept": 14,
            "decline": 7,
            "complete": 9,
            "close": 9,
            "sweep": 6,
            "worker": 9,
            "update": 7,
            "cancel": 3,
            "unassign": 4,
            "reclassify": 5,
            "lease": 6 if self.remote and self.classifying else 0,
            "answer": 14 if self.remote and self.classifying else 0,
            "delete": 2,
            "policy": 1.5,
            "queue": 1.5,
            "settings": 0.3,
            "read": 5,
            "observe": 0.5,
            "ask_leave": 0.5,
            "wait": 4,
        }
        for name in (
            "decline",
            "update",
            "cancel",
            "unassign",
            "reclassify",
            "policy",
            "queue",
            "close",
            "accept",
            "delete",
        ):
            if self.dice.random() < 0.15:
                weights[name] = 0
        if self.dice.random() < 0.1:
            weights["decline"] = 40
        return weights

    # ---- documents -----------------------------------------------------------------------------------

    def labels(self, chance: float) -> str:
        members = [
            f"{k}:{self.dice.choice(self.values)}" for k in sorted(KEYS) if self.dice.random() < chance
        ]
        return ",\n".join(members)

    def selectors(self) -> str:
        d = self.dice
        found = [self.selector(self.workers) for _ in range(d.choice([0, 1, 1, 2, 3]))]
        return "\n".join(found) if d.random() < self.selecting else ""

    def selector(self, ids: list[str], of_queues: bool = False) -> str:
        d = self.dice
        key, value = d.choice(KEYS), d.choice([*VALUES, '{"a":[1]}', "null", ""])
        if d.random() < self.asking_id:
            key, value = '"Id"', f'"{d.choice([i for i in ids if i.isalnum()] or ["w1"])}"'
        seconds = d.choice(["1", "0.5", "20", "60.25", "0"]) if d.random() < self.expiring else ""
        expedite = int(d.random() < (0.4 if seconds else 0.1))
        operator = d.choice(["=", "=", "=", *OPERATORS])
        if of_queues:
            return "\t".join([key, operator, value, "", "0", ""])
        return "\t".join([key, operator, value, seconds, str(expedite), ""])

    def notes(self) -> str:
        d = self.dice
        lines = [f"{d.choice(NOTES)}\t{d.choice(['', '5', '900'])}" for _ in range(d.choice([0, 0, 0, 1, 2]))]
        return "\n".join(lines)

    def shape(self) -> dict[str, object]:
        """A worker's shape: what makes it equal to others."""
        d = self.dice
        queues = [q for q in self.queues if d.random() < 0.8] or self.queues[:1]
        channels = [ch for ch in self.channels if d.random() < 0.8] or self.channels[:1]
        if d.random() < 0.03:
            queues, channels = [], []
        if d.random() < 0.05:
            queues.append("unknown")
        rows = []
        for channel in channels:
            most = d.choice(self.maxima)
            rows.append(f'"{channel}"\t{d.choice(self.costs)}\t{most or ""}')
        return {
            "capacity": d.choice(self.capacities),
            "queues": "\n".join(msgspec.json.encode(q).decode() for q in queues),
            "channels": "\n".join(rows),
            "labels": self.labels(self.labelling),
            "max_offers": d.choice(self.limits),
        }

    # ---- steps ---------------------------------------------------------------------------------------

    def start(self) -> list[Step]:
        """Settings, policies, queues and some workers to begin with."""
        steps = [self.settings()]
        steps += [self.policy(p) for p in self.policies]
        steps += [self.exception_policy(p) for p in ("e1", "e2")]
        steps += [self.queue(q) for q in self.queues]
        steps += [self.classification_policy(p) for p in ("c1", "c2")]
        steps += [self.worker(w, 0.9) for w in self.workers if self.dice.random() < 0.8]
        return steps

    def step(self) -> Step:
        """One random step."""
        kinds = list(self.weights)
        kind = self.dice.choices(kinds, [self.weights[k] for k in kinds])[0]
        step: Step = getattr(self, kind)()
        if self.dice.random() < 0.5:
            step.delay = self.dice.choice(self.delays)
        if kind == "wait" or self.dice.random() < self.leaping:
            step.due, step.delay = self.dice.choice([0, 0, 0, 1, 2]), self.dice.choice([-1, 0, 0, 0, 1])
        return step

    def request(self) -> str:
        return self.dice.choice(["", "", "r1", "r2"])

    def note(self) -> str:
        return self.dice.choice(["", "", *NOTES])

    def settings(self) -> Step:
        d = self.dice
        return Step(
            c.SettingsWrite(
                outage_ms=d.choice([0, 5_000, 5_000, 100_000]),
                batch=self.batch if d.random() < 0.9 else d.choice([1, 2, 100]),
                # fixed for an episode: workers' places in their lanes depend on it
                worker_offers=self.worker_offers,
                keep_finished_ms=d.choice([90 * DAY, 10_000]),
                keep_finished_count=d.choice([1_000_000, 5]),
                keep_events_count=d.choice([1_000_000, 300]),
                unassign_limit=d.choice([1, 3, 3]),
                questions=self.questions if d.random() < 0.9 else d.choice([1, 2, 100]),
            )
        )

    def policy(self, policy_id: str = "") -> Step:
        d = self.dice
        if not policy_id and d.random() < 0.5:
            return self.other_policy()
        most = d.randint(1, self.most_offers)
        mode = d.choice(self.modes)
        remote = d.random() < self.scoring_elsewhere
        scoring = scoring_text(d.choice([Function(), Webhook()])) if remote else d.choice(self.scorings)
        return Step(
            c.PolicyUpsert(
                kind="distribution",
                id=policy_id or d.choice([*self.policies, "d9"]),
                doc=PRESENT,
                expires_ms=d.choice(self.offer_ms),
                mode=mode,
                min_offers=d.randint(1, most),
                max_offers=most,
                bypass=d.random() < 0.15,
                descending=d.random() < 0.8,
                rules=scoring if mode == "bestWorker" else "",
                document='{"x":1}',
            )
        )

    def other_policy(self) -> Step:
        d = self.dice
        if d.random() < 0.4:
            return self.classification_policy(d.choice(["c1", "c2", "c3"]))
        return self.exception_policy(d.choice(["e1", "e2"]))

    def exception_policy(self, policy_id: str) -> Step:
        d = self.dice
        rules = [self.rule(f"r{i}") for i in d.sample(range(4), d.choice([0, 1, 1, 2, 3]))]
        uses = ["c1"] if d.random() < 0.1 else []
        return Step(
            c.PolicyUpsert(kind="exception", id=policy_id, doc=PRESENT, rules=rules_text(rules), uses=uses)
        )

    def rule(self, rule_id: str) -> Rule:
        d = self.dice
        actions = [self.action() for _ in range(d.choice([0, 1, 1, 1, 2]))]
        if d.random() < 0.4:
            return Rule(rule_id, "length", d.choice([1, 2, 3, 8]), actions)
        return Rule(rule_id, "wait", d.choice([1, 500, 1_000, 3_000, 20_000]), actions)

    def action(self) -> Cancel | Change | Classify:
        d = self.dice
        if d.random() < 0.2:
            return Cancel(self.note(), d.choice(["", "late"]))
        if d.random() < 0.3:
            return Classify(d.choice(["", "", "c1", "c2", "c3"]), self.labels(0.5))
        return Change(
            d.choice(["", *self.queues, "nobody"]),
            d.choice([None, None, 1, 7, -100, 100]),
            self.selectors() if d.random() < 0.4 else "",
        )

    def classification_policy(self, policy_id: str) -> Step:
        d = self.dice
        pipeline = pipelines.Pipeline(
            self.found_rule(EXPRESSIONS[:4], ["10", "3.9", "-250.5", "1"]) if d.random() < 0.5 else None,
            [self.attachment(self.workers, of_queues=False) for _ in range(d.choice([0, 0, 1, 2, 3]))],
            [self.attachment(self.queues, of_queues=True) for _ in range(d.choice([0, 1, 1, 2]))],
        )
        return Step(
            c.PolicyUpsert(
                kind="classification",
                id=policy_id,
                doc=PRESENT,
                fallback=d.choice(["", *self.queues, *self.queues]),
                pipeline=pipelines.pipeline_text(pipeline),
                document="{}",
            )
        )

    def found_rule(self, sources: list[str], values: list[str]) -> pipelines.Rule:
        d = self.dice
        if d.random() < self.remote:
            return pipelines.Rule(d.choice(["function", "webhook"]), "{}")  # type: ignore[arg-type]
        if d.random() < 0.1:
            sources, values = EXPRESSIONS, [*VALUES, "null", "[1]"]
        if d.random() < 0.5:
            return pipelines.Rule("expression", compile_expression(d.choice(sources)).text)
        return pipelines.Rule("value", d.choice(values)) if d.random() < 0.9 else pipelines.Rule("labels")

    def attachment(self, ids: list[str], of_queues: bool) -> pipelines.Attachment:
        d = self.dice

        def some() -> str:
            return "\n".join(self.selector(ids, of_queues) for _ in range(d.choice([0, 1, 1, 1, 2])))

        kind = d.randrange(5)
        if kind == 0:
            return pipelines.Always(self.selector(ids, of_queues))
        if kind == 1:
            rule = self.found_rule(EXPRESSIONS[4:6], ["true", "true", "false"])
            return pipelines.When(rule if d.random() < 0.9 else pipelines.Rule("labels"), some())
        if kind == 2:
            seconds = d.choice(["1", "20"]) if not of_queues and d.random() < self.expiring else ""
            return pipelines.Label(d.choice(KEYS), d.choice(["=", *OPERATORS]), seconds)
        if kind == 3:
            blank = compile_expression("Blank()").text
            rule = pipelines.Rule("labels") if d.random() < 0.6 else pipelines.Rule("expression", blank)
            known = d.random() < 0.9 and d.random() >= self.remote
            return pipelines.Answer(rule if known else self.found_rule(EXPRESSIONS, VALUES))
        return pipelines.Draw(
            [pipelines.Share(d.choice([0.3, 0.7, 1, 2.5]), some()) for _ in range(d.choice([1, 2, 3]))]
        )

    def queue(self, queue_id: str = "") -> Step:
        d = self.dice
        return Step(
            c.QueueUpsert(
                id=queue_id or d.choice([*self.queues, "q9"]),
                doc=PRESENT if d.random() < 0.9 else d.choice([0, 1, 77]),
                name=d.choice(["", "name"]),
                distribution=d.choice(
                    self.policies if queue_id or d.random() < 0.9 else ["d9", "nobody", ""]
                ),
                exception=d.choice(["e1", "e2"]) if d.random() < self.excepting else "",
                labels=self.labels(0.3),
            )
        )

    def worker(self, worker_id: str = "", available: float = 0.0) -> Step:
        d = self.dice
        shape = dict(d.choice(self.shapes))
        if d.random() < self.vary:
            name = d.choice(sorted(shape))
            shape[name] = self.shape()[name]
        return Step(
            c.WorkerUpsert(
                id=worker_id or d.choice(self.workers),
                doc=PRESENT if d.random() < 0.95 else d.choice([0, 1, 77]),
                rev=-1 if d.random() < 0.9 else 3,
                available=d.random() < (available or self.available),
                tags=self.labels(0.1),
                **shape,  # type: ignore[arg-type]
            )
        )

    def job(self) -> dict[str, object]:
        d = self.dice
        mode = d.choices(["queueAndMatch", "suspend", "scheduleAndSuspend"], [84, 9, 7])[0]
        queue = d.choice(self.queues if d.random() < 0.97 else ["q9", "nobody", ""])
        policy = ""
        if d.random() < self.classifying:
            policy = d.choice(["c1", "c1", "c2"] if d.random() < 0.95 else ["c3", "nobody"])
            queue = queue if d.random() < 0.3 else ""
        return {
            "id": d.choice(self.jobs),
            "doc": PRESENT if d.random() < 0.95 else d.choice([0, 1, 77]),
            "channel": d.choice(self.channels),
            "queue": queue,
            "classification": policy,
            "priority": d.choice([1, 1, 1, 1, 5, -3, 100, -100]),
            "reference": d.choice(["", "", "ref"]),
            "disposition": d.choice(["", "", "", "told"]),
            "mode": mode,
            # told as a delay; resolving makes it a time
            "schedule_at": d.choice([-5, 1, 1_000, 20_000]) if mode == "scheduleAndSuspend" else 0,
            "labels": self.labels(self.labelling / 2),
            "tags": self.labels(0.1),
            "notes": self.notes(),
            "selectors": self.selectors(),
            "request_id": self.request(),
        }

    def create(self) -> Step:
        ids = tuple(self.dice.sample(self.jobs, len(self.jobs))) if self.dice.random() < 0.9 else ()
        return Step(c.JobCreate(**self.job()), ids=ids)  # type: ignore[arg-type]

    def update(self) -> Step:
        """A PATCH of a few fields."""
        changes = frozenset(self.dice.choices(JOB_FIELDS, k=self.dice.choice([1, 1, 1, 2, 10])))
        return Step(c.JobUpdate(**self.job()), changes=changes)  # type: ignore[arg-type]

    def accept(self) -> Step:
        kind = "open" if self.dice.random() < 0.85 else "past"
        return Step(c.OfferAccept("", kind, self.request()), pick=self.dice.randrange(1000))

    def decline(self) -> Step:
        d = self.dice
        kind = "open" if d.random() < 0.85 else "past"
        # a retry time is told as a delay; resolving makes it a time
        retry_at = d.choice([0, 0, -5, 1, 1_000, 30_000])
        return Step(c.OfferDecline("", kind, retry_at, self.request()), pick=d.randrange(1000))

    def assigned(self) -> str:
        return "present" if self.dice.random() < 0.9 else "past"

    def complete(self) -> Step:
        d = self.dice
        return Step(
            c.AssignmentComplete("", self.assigned(), self.request(), self.note()), pick=d.randrange(1000)
        )

    def close(self) -> Step:
        d = self.dice
        close_at = d.choice([0, 0, 0, -100, 1, 2_000])
        disposition = d.choice(["", "", "done"])
        command = c.AssignmentClose("", self.assigned(), disposition, close_at, self.request(), self.note())
        return Step(command, pick=d.randrange(1000))

    def unassign(self) -> Step:
        d = self.dice
        command = c.AssignmentUnassign("", self.assigned(), d.random() < 0.3, self.request())
        return Step(command, pick=d.randrange(1000))

    def cancel(self) -> Step:
        return Step(
            c.JobCancel(
                self.dice.choice(self.jobs), self.dice.choice(["", "why"]), self.request(), self.note()
            )
        )

    def reclassify(self) -> Step:
        return Step(c.JobReclassify(self.dice.choice(self.jobs), self.request()))

    def lease(self) -> Step:
        d = self.dice
        return Step(c.TaskLease(d.choice([1, 2, 100, 101]), d.choice([1_000, 30_000])))

    def answer(self) -> Step:
        """Answers for a priority, a condition and an attachment, and others that do not fit."""
        d = self.dice
        some = [
            {"kind": "value", "text": d.choice(["10", "-3.5", "7"])},
            {"kind": "value", "text": d.choice(["true", "true", "false"])},
            {"kind": "selectors", "text": d.choice(["", self.selector(self.queues, of_queues=True)])},
            {"kind": "value", "text": d.choice(["null", '"x"', "[1]", '{"a":1}'])},
            {"kind": "failed", "text": "the function answers with status 500"},
        ]
        made = [json.dumps(answer) for answer in some]
        task = d.choices(["open", "past", "partial", "strange", "malformed"], [80, 8, 6, 2, 4])[0]
        if task == "malformed":
            made = [d.choice(MALFORMED)]
        return Step(c.TaskAnswer(task, 0, 0, "\n".join(made)), pick=d.randrange(1000))

    def ask_leave(self) -> Step:
        d = self.dice
        return Step(
            c.AllowanceLease(d.choice([1, 2, 5, 7]), d.choice([6, 7, 7]), d.choice([1, 10_000, 3_000]))
        )

    def observe(self) -> Step:
        d = self.dice
        return Step(c.ObserverLease(d.choice(["a", "b"]), d.choice([0, 1, 1_000]), d.choice([0, 3, 100])))

    def delete(self) -> Step:
        d = self.dice
        return Step(
            d.choice(
                [
                    c.JobDelete(d.choice(self.jobs)),
                    c.JobDelete(d.choice(self.jobs)),
                    c.WorkerDelete(d.choice(self.workers)),
                    c.QueueDelete(d.choice([*self.queues, "q9"])),
                    c.PolicyDelete("distribution", d.choice([*self.policies, "d9"])),
                    c.PolicyDelete("exception", "e1"),
                    c.PolicyDelete("classification", d.choice(["c1", "c2", "c3"])),
                ]
            )
        )

    def sweep(self) -> Step:
        return Step(c.AgendaDue())

    wait = sweep

    def read(self) -> Step:
        d = self.dice
        job, worker, queue = d.choice(self.jobs), d.choice(self.workers), d.choice([*self.queues, "nobody"])
        status = d.choice(
            [
                *["", "active", "queued", "assigned", "completed", "closed", "cancelled"],
                *["scheduled", "waitingForActivation", "pendingClassification", "classificationFailed"],
            ]
        )
        limit, cursor = d.choice([1, 2, 100]), d.choice([0, 0, 5, 50])
        pick = d.randrange(10_000)
        # told as a distance from now; resolving makes it a time
        before, after = d.choice([0, 0, 0, 1, 2_000]), d.choice([0, 0, 0, -2_000, 1])
        return Step(
            d.choice(
                [
                    c.JobRead(job),
                    c.WorkerRead(worker),
                    c.QueueRead(queue),
                    c.PolicyRead("distribution", d.choice(self.policies)),
                    c.QueueStatistics(queue),
                    c.QueueStatistics(queue),
                    c.QueueLoad(queue),
                    c.JobPosition(job),
                    c.JobPosition(job),
                    c.JobHistory(job, d.choice(["", "last", "any"]), limit),
                    c.WorkerHistory(worker, d.choice(["", "last", "any"]), limit),
                    c.QueueList(limit, cursor),
                    c.QueueOverview(limit, cursor),
                    c.WorkerOverview(limit, cursor, d.choice(["", *self.queues])),
                    c.PolicyList(d.choice(["distribution", "exception", "classification"]), limit, cursor),
                    c.JobList(
                        limit,
                        cursor,
                        status,
                        d.choice(["", *self.queues]),
                        d.choice(["", *self.channels]),
                        d.choice(["", "", "c1"]),
                        scheduled_before=before,
                        scheduled_after=after,
                    ),
                    c.WorkerList(
                        limit,
                        cursor,
                        d.choice(["", "active", "inactive", "draining"]),
                        d.choice(["", *self.channels]),
                        d.choice(["", *self.queues]),
                        d.random() < 0.4,
                    ),
                ]
            ),
            pick=pick,
        )
