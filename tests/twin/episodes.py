"""What an episode is like: how much there is of everything, and how often each kind of step comes.

Several rare things seldom meet in an episode of no kind in particular: the kinds are about where they do.
"""

from __future__ import annotations

from tests.twin.moves import VALUES, Maker

KINDS = {"": 2, "plain": 5, "crowded": 4, "choosy": 4, "asking": 3, "waiting": 5, "teeming": 2}
"""Of how many episodes is each a kind? Those without a name are of none."""


class Episode(Maker):
    """Makes the steps of one episode; its dice decide what kind it is, unless that is given."""

    def __init__(self, seed: int, kind: str | None = None) -> None:
        super().__init__(seed)
        d = self.dice
        drawn = d.choices(list(KINDS), list(KINDS.values()))[0]
        if kind is None:
            kind = drawn
        if kind:
            getattr(self, f"be_{kind}")()
        if kind not in ("waiting", "teeming") and d.random() < 0.25:
            self.let_others_score()
        self.shapes = [self.shape() for _ in range(self.variety)]

    def be_plain(self) -> None:
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
        self.variety = d.choice([1, 1, 2])

    def be_crowded(self) -> None:
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
        self.variety = d.choice([1, 1, 2, 3])

    def be_choosy(self) -> None:
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
        self.weights |= {"create": 30, "accept": 16, "complete": 12, "close": 12, "cancel": 20, "decline": 6}
        self.weights |= {"worker": 4, "update": 4, "policy": d.choice([0, 6]), "queue": 0, "delete": 1}
        self.weights |= {"wait": 0, "read": 1, "sweep": 2}
        self.variety = d.choice([2, 4, 7])

    def be_asking(self) -> None:
        """An episode of a few jobs whose policies ask others, and that change before these have answered."""
        d = self.dice
        self.jobs = [f"j{i}" for i in range(d.choice([4, 8, 20]))]
        self.remote, self.classifying, self.excepting = 0.7, 0.95, d.choice([0.0, 0.9])
        self.labelling, self.values = 0.7, VALUES
        self.weights |= {"answer": d.choice([6, 25]), "lease": 4, "create": 25, "cancel": 5, "accept": 8}
        self.weights |= {"update": d.choice([5, 25]), "reclassify": d.choice([5, 12]), "unassign": 6}
        self.weights |= {"policy": d.choice([0, 2, 5]), "delete": d.choice([2, 8]), "worker": 5, "wait": 2}
        self.variety = d.choice([1, 2, 4])

    def let_others_score(self) -> None:
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
        self.variety = d.choice([1, 2, 4])

    def be_waiting(self) -> None:
        """An episode of jobs of many kinds, which wait while jobs that are offered to all keep the workers.

        When such a job goes away, its workers come free together and walk over all that waits.
        """
        d = self.dice
        self.queues, self.policies = ["q0", "q1"], ["d0", "d1"]
        self.channels = d.choice([["v"], ["v"], ["v"], ["v", "chat"]])
        self.workers = [f"w{i}" for i in range(d.choice([5, 8, 12]))]
        self.jobs = [f"j{i}" for i in range(d.choice([16, 30, 50]))]
        self.policy_of, self.job_queues = {"q0": "d0", "q1": "d1"}, ["q0", *["q1"] * 29]
        self.widths = {"d0": len(self.workers), "d1": d.choice([1, 1, 1, 2])}
        self.stuck = d.choice([0, 1, 3])
        # with few kinds of jobs, workers are barred from some jobs of a kind
        self.declining = d.choice([0, 0, 0, 12])
        kinds = d.choice([2, 4] if self.declining else [16, 40, 80])
        self.signatures = [self.signature(i) for i in range(kinds)]
        self.selecting, self.labelling = d.choice([0.7, 0.9, 1.0]), d.choice([0.0, 0.3])
        self.expiring, self.excepting = d.choice([0.0, 0.0, 0.2]), d.choice([0.0, 0.0, 0.0, 0.3])
        self.capacities, self.costs, self.classifying = d.choice([[1], [1], [2], [1, 3]]), [1], 0.0
        self.maxima, self.limits = d.choice([[None], [None], [None, 1]]), [0]
        self.offer_ms, self.delays, self.vary = [60_000], [0, 1, 100], d.choice([0.0, 0.1])
        self.leaping, self.available, self.planning = 0.002, 0.95, 0.2
        self.serving = d.choice([0.8, 1.0, 1.0, 1.0])
        self.batch, self.worker_offers = d.choice([100, 100, 25]), 1_000
        often, seldom = d.choice([2, 6]), d.choice([0, 0.5])
        self.weights |= {
            "create": 30,
            "create_wide": 10,
            "release": 4,
            "free": 10,
            "cancel": often,
            "decline": 1,
        }
        self.weights |= {"accept": often, "complete": 8, "close": 16, "update": 2, "worker": 5, "queue": 1}
        self.weights |= {"policy": seldom, "delete": seldom, "reclassify": seldom, "unassign": 0.5}
        self.weights |= {"sweep": 3, "read": 2, "wait": 0.1}
        self.variety = d.choice([1, 1, 2, 4])
        if d.random() < 0.25:
            self.close_queues()

    def close_queues(self) -> None:
        """Others score the workers of some queues, which are closed soon: walks pass them over."""
        d = self.dice
        self.queues, self.policies = [*self.queues, "q2"], [*self.policies, "d2"]
        self.policy_of, self.widths = self.policy_of | {"q2": "d2"}, self.widths | {"d2": 1}
        self.job_queues = ["q0", *["q1", "q2"] * 10]
        self.modes, self.scoring_elsewhere = ["bestWorker"], 0.5
        self.questions = d.choice([1, 1, 2])
        self.weights |= {"lease": 2, "answer": d.choice([1, 6])}

    def be_teeming(self) -> None:
        """An episode of more jobs and workers than one call may finish with."""
        self.be_waiting()
        d = self.dice
        self.workers, self.jobs = [f"w{i}" for i in range(30)], [f"j{i}" for i in range(40)]
        self.widths, self.most_offers = {"d0": len(self.workers)}, d.choice([2, 5])
        self.batch, self.offer_ms = d.choice([10, 25, 45]), d.choice([[1_000], [60_000], [60_000]])
        # who comes free has room for several jobs
        self.channels, self.costs_of, self.capacities = ["v", "chat"], {"v": 3, "chat": 1}, [3]
        self.labelling, self.vary, self.serving = 0.3, 0.2, 1.0
        self.weights |= {"policy": 10, "worker": 8, "sweep": 6, "update": 4, "free": 4, "delete": 1}

    def signature(self, number: int) -> str:
        """Selectors that hold for all workers, none or some; nearly all are of one bucket of demand."""
        d = self.dice
        for_all = f'"none{number}"\t!=\t1'
        for_none = f'"none"\t>\t{number}'
        for_some = f'"Id"\t!=\t"{d.choice(self.workers)}"'
        fitting = d.choices([for_all, for_none, for_some], [6, self.stuck, 1])[0]
        seconds = d.choice(["1", "20"]) if d.random() < self.expiring else ""
        return f"{fitting}\t{seconds}\t{int(d.random() < 0.05)}\t"
