"""Random steps: small pools of everything, so that every corner is met often."""

from __future__ import annotations

import json
import random

import msgspec

from engine import commands as c
from engine import pipelines
from engine.exception_rules import Cancel, Change, Classify, Rule, rules_text
from engine.expressions import compile_expression
from engine.scoring import Equal, Function, Webhook, by_expression, scoring_text
from tests.twin.model import DAY
from tests.twin.placeholders import JOB_FIELDS, OFFERED, PRESENT, WIDE_JOBS, WIDEST, Step

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


class Maker:
    """Makes the steps of one episode, each kind as often as its weight says (see episodes)."""

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
        self.widths: dict[str, int] = {}
        """To how many workers at once distribution policies offer jobs; others up to ``most_offers``."""
        self.policy_of: dict[str, str] = {}
        """The distribution policies of queues; any where it is not told."""
        self.job_queues: list[str] = []
        """The queues that jobs name, as often; any where it is empty."""
        self.most_offers = d.choice([1, 1, 2, 3, 6])
        self.capacities = d.choice([[1], [1, 2], [2, 3, 5], [0, 1, 4], [10_000, 9_000, 3], [20_000]])
        self.costs = d.choice([[1], [1], [0, 1, 2], [1, 2], [1, 3_000, 4_999]])
        self.costs_of: dict[str, int] = {}
        """The costs of channels; any of ``costs`` where it is not told."""
        self.maxima: list[int | None] = d.choice([[None], [None], [None, 1, 2]])
        self.limits = d.choice([[0], [0, 1, 2]])
        self.offer_ms = d.choice([[1_000], [60_000], [500, 2_000, 60_000]])
        self.delays = d.choice([[0, 1], [0, 1, 100, 1_000], [0, 500, 3_000, 20_000]])
        self.variety = d.choice([1, 2, 2, 3, 40])
        self.vary = d.choice([0.02, 0.2])
        self.batch = d.choice([100, 1, 2, 3, 7])
        self.worker_offers = d.choice([1_000, 1_000, 1, 2])
        self.leaping, self.available, self.serving = 0.02, 0.75, 0.8
        if d.random() < 0.1:
            self.delays = [*self.delays, -1, -3_000]
        self.weights = self.choose_weights()
        self.planning = 0.0
        """How often steps are planned ahead."""
        self.declining = 0
        """How many offers are declined at the end of what is planned."""
        self.planned: list[str] = []
        """Kinds of steps that come next."""
        self.signatures: list[str] = []
        """Of what selectors jobs have, with few exceptions; of any where it is empty."""
        self.shapes: list[dict[str, object]] = []

    def choose_scorings(self) -> list[str]:
        """The scoring rules of an episode; most have few, so that what is remembered of them is used."""
        d = self.dice
        sources = d.choice([SCORES, [source for source in SCORES if "worker.Id" in source]])
        rules = [scoring_text(by_expression(source, job_labels=d.random() < 0.8)) for source in sources]
        some = d.sample(rules, d.choice([1, 2, 3]))
        return d.choice([[""], some, some, [*some, "", scoring_text(Equal())]])

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
            "create_wide": 0,
            "release": 0,
            "free": 0,
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
        if d.random() >= self.selecting:
            return ""
        if self.signatures and d.random() < 0.95:
            return d.choice(self.signatures)
        return "\n".join(self.selector(self.workers) for _ in range(d.choice([0, 1, 1, 2, 3])))

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
        queues = [q for q in self.queues if d.random() < self.serving] or self.queues[:1]
        channels = [ch for ch in self.channels if d.random() < self.serving] or self.channels[:1]
        if d.random() < 0.03 and self.serving < 1:
            queues, channels = [], []
        if d.random() < 0.05:
            queues.append("unknown")
        rows = []
        for channel in channels:
            most = d.choice(self.maxima)
            cost = self.costs_of.get(channel) or d.choice(self.costs)
            rows.append(f'"{channel}"\t{cost}\t{most or ""}')
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
        if not self.planned and self.dice.random() < self.planning:
            self.planned = self.plan()
        kinds = list(self.weights)
        kind = self.dice.choices(kinds, [self.weights[k] for k in kinds])[0]
        if self.planned and self.dice.random() < 0.9:
            kind = self.planned.pop(0)
        step: Step = getattr(self, kind)()
        if self.dice.random() < 0.5:
            step.delay = self.dice.choice(self.delays)
        if kind == "wait" or self.dice.random() < self.leaping:
            step.due, step.delay = self.dice.choice([0, 0, 0, 1, 2]), self.dice.choice([-1, 0, 0, 0, 1])
        return step

    def plan(self) -> list[str]:
        """Kinds of steps that lead to many workers who come free together, while many jobs wait."""
        d = self.dice
        first = ["create_wide", *["free"] * d.choice([2, 6, 12])]
        last = ["sweep"] * d.choice([0, 2]) + ["decline"] * d.choice([0, self.declining])
        return [*first, *["create"] * d.choice([3, 9, 18]), "release", *last]

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
                worker_offers=self.worker_offers if d.random() < 0.9 else d.choice([1, 2, 1_000]),
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
        policy_id = policy_id or d.choice([*self.policies, "d9"])
        most = self.widths.get(policy_id) or d.randint(1, self.most_offers)
        mode = d.choice(self.modes)
        remote = d.random() < self.scoring_elsewhere
        scoring = scoring_text(d.choice([Function(), Webhook()])) if remote else d.choice(self.scorings)
        return Step(
            c.PolicyUpsert(
                kind="distribution",
                id=policy_id,
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
        at_first, queue_id = queue_id != "", queue_id or d.choice([*self.queues, "q9"])
        usual = self.policy_of.get(queue_id)
        return Step(
            c.QueueUpsert(
                id=queue_id,
                doc=PRESENT if d.random() < 0.9 else d.choice([0, 1, 77]),
                name=d.choice(["", "name"]),
                distribution=usual
                or d.choice(self.policies if at_first or d.random() < 0.9 else ["d9", "nobody", ""]),
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
        queue = d.choice((self.job_queues or self.queues) if d.random() < 0.97 else ["q9", "nobody", ""])
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

    def create_wide(self) -> Step:
        """A job that is offered to many workers at once, before all others or after them."""
        d = self.dice
        given = self.job() | {"id": WIDE_JOBS[0], "queue": self.queues[0], "channel": self.channels[0]}
        given |= {"classification": "", "mode": "queueAndMatch", "schedule_at": 0}
        given |= {"priority": 100 if d.random() < 0.9 else 1}
        given["selectors"] = "" if d.random() < 0.95 else given["selectors"]
        return Step(c.JobCreate(**given), ids=WIDE_JOBS, pick=d.randrange(1000))  # type: ignore[arg-type]

    def release(self) -> Step:
        """The job with the most open offers goes away, or changes: its workers come free together."""
        d = self.dice
        kind = d.choices(["cancel", "accept", "update"], [5, 2, 2])[0]
        if kind == "accept":
            return Step(c.OfferAccept("", WIDEST, ""), pick=d.randrange(1000))
        if kind == "cancel":
            return Step(c.JobCancel(WIDEST))
        changes = frozenset([d.choice(["queue", "channel", "selectors"])])
        given = self.job() | {"id": WIDEST, "doc": PRESENT}
        return Step(c.JobUpdate(**given), changes=changes)  # type: ignore[arg-type]

    def free(self) -> Step:
        """A job that is offered goes away: mostly one worker comes free."""
        return Step(c.JobCancel(OFFERED), pick=self.dice.choice([0, 0, 1, 2, 3]))

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
