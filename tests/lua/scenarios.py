"""Fixed scenarios, one or more an operation: each prepares a state and gives the command to be counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from bench.entities import equal, job, policy, queue, region_and_skill, worker
from bench.site import Offer, Site
from engine import commands as c
from engine import pipelines
from engine.exception_rules import Cancel, Change, Rule, rules_text
from engine.expressions import compile_expression
from engine.model import json_text, selectors_text
from engine.scoring import Function, scoring_text
from engine.store import named

Scenario = Callable[[Site], c.Command]

SCENARIOS: dict[str, Scenario] = {}
WORKERS = 20
"""In ten label classes."""


def scenario(function: Scenario) -> Scenario:
    """Registers a scenario: <operation> or <operation>__<case>."""
    SCENARIOS[function.__name__] = function
    return function


# ---- what scenarios are made of ----------------------------------------------------------------------------


def fresh(here: Site, kind: str) -> str:
    """An id that is not taken."""
    return f"{kind}-{here.take_serials(1)[0]}"


def new_job(here: Site, queue: str) -> c.JobCreate:
    """A job that does not exist yet."""
    return job(here.take_serials(1)[0], queue=queue)


def waiting(here: Site) -> c.JobCreate:
    """A job in a queue without workers."""
    created = new_job(here, "empty")
    here.run(created)
    return created


def staffed(here: Site) -> str:
    """A new queue with free workers."""
    name = fresh(here, "queue")
    here.run(queue(name))
    here.build(worker(n, region_and_skill(n), queues=[name]) for n in here.take_serials(WORKERS))
    return name


def excepted(here: Site) -> str:
    """A new queue without workers whose jobs are raised after a second; a hundred of them are too many."""
    name = fresh(here, "queue")
    rules = [Rule("long", "length", 100, [Cancel()]), Rule("late", "wait", 1_000, [Change(priority=9)])]
    here.run(c.PolicyUpsert(kind="exception", id=name, document="{}", rules=rules_text(rules)))
    here.run(msgspec.structs.replace(queue(name), exception=name))
    return name


def offered(here: Site) -> Offer:
    """An open offer."""
    return only_offer(here, staffed(here))


def only_offer(here: Site, name: str) -> Offer:
    """The offer that a new job in a queue makes."""
    before = here.op()
    here.run(new_job(here, name))
    return here.offers_since(before)[0]


def assigned(here: Site) -> tuple[str, str]:
    """Job and assignment."""
    offer = offered(here)
    reply = here.run(c.OfferAccept(offer.worker_id, offer.offer_id))
    return reply["job"], reply["assignment"]


def completed(here: Site) -> tuple[str, str]:
    """Job and assignment, completed."""
    held = assigned(here)
    here.run(c.AssignmentComplete(*held))
    return held


def closed(here: Site) -> str:
    """A closed job."""
    held = completed(here)
    here.run(c.AssignmentClose(*held))
    return held[0]


# ---- jobs --------------------------------------------------------------------------------------------------


@scenario
def job_create(here: Site) -> c.Command:
    """The job is offered at once."""
    return new_job(here, staffed(here))


@scenario
def job_create__narrow(here: Site) -> c.Command:
    """One of so many label classes fits that the label index is asked."""
    name = fresh(here, "queue")
    here.run(queue(name))
    here.build(worker(n, {"name": f"person-{n}"}, queues=[name]) for n in here.take_serials(600))
    return msgspec.structs.replace(
        new_job(here, name), selectors=selectors_text(equal({"name": f"person-{here.serial - 2}"}))
    )


@scenario
def job_create__scored(here: Site) -> c.Command:
    """An expression decides who is best."""
    name = fresh(here, "queue")
    here.run(policy(name, "bestWorker", scoring="(worker.region = job.region) + (worker.skill = job.skill)"))
    here.run(queue(name, name))
    serials = here.take_serials(WORKERS)
    here.build(worker(n, region_and_skill(n), queues=[name]) for n in serials)
    return job(here.take_serials(1)[0], labels=region_and_skill(serials[7]), queue=name)


@scenario
def job_create__waiting(here: Site) -> c.Command:
    """Nobody is there."""
    return new_job(here, "empty")


@scenario
def job_create__excepted(here: Site) -> c.Command:
    """Nobody is there, and the queue has rules of its length and of the wait in it."""
    return new_job(here, excepted(here))


@scenario
def job_create__scheduled(here: Site) -> c.Command:
    """It is not to be activated before an hour from now."""
    at = here.now + 3_600_000
    return msgspec.structs.replace(new_job(here, "empty"), mode="scheduleAndSuspend", schedule_at=at)


def classified(here: Site, name: str) -> c.JobCreate:
    """A job that a policy puts into a queue of its own, with a priority and a selector."""
    here.run(msgspec.structs.replace(queue(name), labels=f'"Team":"{name}"'))
    pipeline = pipelines.Pipeline(
        pipelines.Rule("expression", compile_expression('If(job.Tier = "vip", 10, 1)').text),
        [pipelines.Label('"Region"', "=")],
        [
            pipelines.Label('"Team"', "="),
            pipelines.When(pipelines.Rule("value", "true"), f'"Team"\t=\t"{name}"\t\t0\t'),
        ],
    )
    policy_id = fresh(here, "policy")
    text = pipelines.pipeline_text(pipeline)
    here.run(c.PolicyUpsert("classification", policy_id, document="{}", pipeline=text))
    labels = f'"Region":"r",\n"Team":"{name}",\n"Tier":"vip"'
    return msgspec.structs.replace(new_job(here, ""), classification=policy_id, labels=labels)


@scenario
def job_create__classified(here: Site) -> c.Command:
    """Priority, a selector and one of several queues are found; nobody is there."""
    return classified(here, fresh(here, "queue"))


@scenario
def job_reclassify(here: Site) -> c.Command:
    """A waiting job stays in its queue."""
    created = classified(here, fresh(here, "queue"))
    here.run(created)
    return c.JobReclassify(created.id)


@scenario
def job_create__exists(here: Site) -> c.Command:
    """The job is there already."""
    return waiting(here)


@scenario
def job_update(here: Site) -> c.Command:
    """A waiting job gets another priority."""
    created = waiting(here)
    return c.JobUpdate(**msgspec.structs.asdict(msgspec.structs.replace(created, doc=1, priority=5)))


@scenario
def job_read(here: Site) -> c.Command:
    """A waiting job."""
    return c.JobRead(waiting(here).id)


@scenario
def job_list(here: Site) -> c.Command:
    """A page of one."""
    waiting(here)
    return c.JobList(limit=1)


@scenario
def job_position(here: Site) -> c.Command:
    """A waiting job."""
    return c.JobPosition(waiting(here).id)


@scenario
def job_cancel(here: Site) -> c.Command:
    """A waiting job."""
    return c.JobCancel(waiting(here).id)


@scenario
def job_cancel__offered(here: Site) -> c.Command:
    """A job with an open offer."""
    return c.JobCancel(offered(here).job_id)


@scenario
def job_delete(here: Site) -> c.Command:
    """A closed job."""
    return c.JobDelete(closed(here))


# ---- offers and assignments --------------------------------------------------------------------------------


@scenario
def offer_accept(here: Site) -> c.Command:
    """The one offer of a job."""
    offer = offered(here)
    return c.OfferAccept(offer.worker_id, offer.offer_id)


@scenario
def offer_decline(here: Site) -> c.Command:
    """The job goes to another worker."""
    offer = offered(here)
    return c.OfferDecline(offer.worker_id, offer.offer_id)


@scenario
def offer_decline__many(here: Site) -> c.Command:
    """Behind a hundred waiting jobs that the worker has declined."""
    name = fresh(here, "queue")
    here.run(queue(name))
    here.run(worker(here.take_serials(1)[0], {}, queues=[name]))
    for _ in range(100):
        offer = only_offer(here, name)
        here.run(c.OfferDecline(offer.worker_id, offer.offer_id))
    offer = only_offer(here, name)
    return c.OfferDecline(offer.worker_id, offer.offer_id)


@scenario
def assignment_complete(here: Site) -> c.Command:
    """An assigned job."""
    return c.AssignmentComplete(*assigned(here))


@scenario
def assignment_close(here: Site) -> c.Command:
    """Nobody waits for the worker."""
    return c.AssignmentClose(*completed(here))


@scenario
def assignment_close__next(here: Site) -> c.Command:
    """The worker is offered the next job."""
    job_id, assignment = completed(here)
    name = here.client.call("HGET", f"{here.root}:job:{job_id}", "queue")
    here.build(new_job(here, name) for _ in range(WORKERS))
    return c.AssignmentClose(job_id, assignment)


@scenario
def assignment_unassign(here: Site) -> c.Command:
    """The job goes back into its queue, to another worker."""
    return c.AssignmentUnassign(*assigned(here))


# ---- workers -----------------------------------------------------------------------------------------------


@scenario
def worker_upsert(here: Site) -> c.Command:
    """A new worker registers, without jobs waiting."""
    number = here.take_serials(1)[0]
    return worker(number, region_and_skill(number))


@scenario
def worker_upsert__labels(here: Site) -> c.Command:
    """A registered worker gets other labels."""
    number = here.take_serials(1)[0]
    here.run(worker(number, region_and_skill(number)))
    changed = worker(number, region_and_skill(number + 1))
    return msgspec.structs.replace(changed, doc=1)


@scenario
def worker_update(here: Site) -> c.Command:
    """A registered worker gets other tags."""
    number = here.take_serials(1)[0]
    created = worker(number, region_and_skill(number))
    here.run(created)
    changed = {**msgspec.structs.asdict(created), "doc": 1, "tags": '"team":1'}
    return c.WorkerUpdate(**changed)


@scenario
def job_explain(here: Site) -> c.Command:
    """A waiting job, another in front of it, and the only worker, who has no room."""
    name = fresh(here, "queue")
    here.run(queue(name))
    here.run(worker(here.take_serials(1)[0], {}, queues=[name]))
    offer = only_offer(here, name)
    jobs = [new_job(here, name) for _ in range(2)]
    here.build(jobs)
    return c.JobExplain(jobs[1].id, offer.worker_id)


@scenario
def job_explain__queue(here: Site) -> c.Command:
    """A waiting job that one of ten label classes fits, with a free worker that has declined it."""
    name = staffed(here)
    labels = region_and_skill(here.serial - 1)
    created = msgspec.structs.replace(new_job(here, name), selectors=selectors_text(equal(labels)))
    before = here.op()
    here.run(created)
    offer = here.offers_since(before)[0]
    here.run(c.OfferDecline(offer.worker_id, offer.offer_id))
    return c.JobExplain(created.id)


@scenario
def worker_explain(here: Site) -> c.Command:
    """A worker that lacks room for three waiting jobs."""
    name = staffed(here)
    offer = only_offer(here, name)
    here.build(new_job(here, name) for _ in range(WORKERS + 2))
    return c.WorkerExplain(offer.worker_id)


@scenario
def worker_read(here: Site) -> c.Command:
    """A worker with an open offer."""
    return c.WorkerRead(offered(here).worker_id)


@scenario
def worker_list(here: Site) -> c.Command:
    """A page of one."""
    staffed(here)
    return c.WorkerList(limit=1)


@scenario
def worker_overview(here: Site) -> c.Command:
    """A page of one: a worker with an offer."""
    offered(here)
    return c.WorkerOverview(limit=1)


@scenario
def worker_delete(here: Site) -> c.Command:
    """A registered worker without offers."""
    staffed(here)
    return c.WorkerDelete(f"worker-{here.serial - 1}")


# ---- queues and policies -----------------------------------------------------------------------------------


@scenario
def queue_upsert(here: Site) -> c.Command:
    """A new queue."""
    return queue(fresh(here, "queue"))


@scenario
def queue_update(here: Site) -> c.Command:
    """A queue gets a name."""
    created = queue(fresh(here, "queue"))
    here.run(created)
    return c.QueueUpdate(**{**msgspec.structs.asdict(created), "doc": 1, "name": "Support"})


@scenario
def queue_read(here: Site) -> c.Command:
    """A queue."""
    return c.QueueRead("empty")


@scenario
def queue_list(here: Site) -> c.Command:
    """A page of one."""
    return c.QueueList(limit=1)


@scenario
def queue_statistics(here: Site) -> c.Command:
    """One job waits."""
    waiting(here)
    return c.QueueStatistics("empty")


@scenario
def queue_overview(here: Site) -> c.Command:
    """A page of one: a queue in which one job waits that nobody fits."""
    name = fresh(here, "queue")
    here.run(queue(name))
    here.run(new_job(here, name))
    return c.QueueOverview(limit=1)


@scenario
def queue_load(here: Site) -> c.Command:
    """A queue in which one job waits, with one class of workers that are off."""
    name = fresh(here, "queue")
    here.run(queue(name))
    here.run(new_job(here, name))
    return c.QueueLoad(name)


@scenario
def queue_delete(here: Site) -> c.Command:
    """An unused queue."""
    name = fresh(here, "queue")
    here.run(queue(name))
    return c.QueueDelete(name)


@scenario
def policy_upsert(here: Site) -> c.Command:
    """A new distribution policy."""
    return policy(fresh(here, "policy"))


@scenario
def policy_update(here: Site) -> c.Command:
    """A policy that no queue uses gets another mode."""
    created = policy(fresh(here, "policy"))
    here.run(created)
    return c.PolicyUpdate(**{**msgspec.structs.asdict(created), "doc": 1, "mode": "roundRobin"})


@scenario
def policy_read(here: Site) -> c.Command:
    """A distribution policy."""
    return c.PolicyRead("distribution", "longestIdle")


@scenario
def policy_list(here: Site) -> c.Command:
    """A page of one."""
    return c.PolicyList("distribution", limit=1)


@scenario
def policy_delete(here: Site) -> c.Command:
    """An unused policy."""
    name = fresh(here, "policy")
    here.run(policy(name))
    return c.PolicyDelete("distribution", name)


# ---- agenda, events, the router itself ---------------------------------------------------------------------


@scenario
def agenda_due(here: Site) -> c.Command:
    """Nothing is due."""
    return c.AgendaDue()


@scenario
def agenda_due__close(here: Site) -> c.Command:
    """A job is to be closed now."""
    here.run(c.AgendaDue())
    here.run(c.AssignmentClose(*completed(here), close_at=here.now + 1_000))
    here.now += 1_000
    return c.AgendaDue()


@scenario
def agenda_due__exception(here: Site) -> c.Command:
    """A rule raises a job that has waited."""
    here.run(c.AgendaDue())
    here.run(new_job(here, excepted(here)))
    here.now += 1_000
    return c.AgendaDue()


@scenario
def event_list(here: Site) -> c.Command:
    """A page of one."""
    waiting(here)
    return c.EventList(limit=1)


@scenario
def job_preview(here: Site) -> c.Command:
    """As job_create."""
    return c.JobPreview.of(new_job(here, staffed(here)))


@scenario
def job_history(here: Site) -> c.Command:
    """Two events of two entries."""
    job_id, _ = completed(here)
    return c.JobHistory(job_id, limit=2)


@scenario
def worker_history(here: Site) -> c.Command:
    """Two events of two entries."""
    job_id, _ = completed(here)
    worker_id = here.run(c.JobRead(job_id))["worker"]
    return c.WorkerHistory(worker_id, limit=2)


@scenario
def expression_evaluate(here: Site) -> c.Command:
    """It looks at nothing but its arguments."""
    return c.ExpressionEvaluate(tree='["=",[".","job","\\"A\\""],true]', job='"A":true')


def asking(here: Site) -> str:
    """A job that waits for what a function answers."""
    policy_id = fresh(here, "policy")
    text = pipelines.pipeline_text(pipelines.Pipeline(pipelines.Rule("function", "{}")))
    here.run(c.PolicyUpsert("classification", policy_id, document="{}", pipeline=text))
    created = msgspec.structs.replace(new_job(here, "empty"), classification=policy_id)
    here.run(created)
    return created.id


def rated(here: Site) -> str:
    """A new queue with free workers that a function scores."""
    name = staffed(here)
    rules = scoring_text(Function())
    here.run(msgspec.structs.replace(policy(name, "bestWorker"), rules=rules))
    here.run(msgspec.structs.replace(queue(name, name), doc=1))
    return name


def rating(here: Site) -> tuple[str, int]:
    """A job whose workers are to be scored, and its question."""
    created = new_job(here, rated(here))
    here.run(created)
    return created.id, int(here.run(c.JobRead(created.id))["scoring"])


def leased(here: Site, task: str) -> dict[str, str]:
    """The question of a task."""
    rows: list[dict[str, str]] = []
    while not any(row["task"] == task for row in rows):
        rows = [named(row) for row in here.run(c.TaskLease(100, 1_000_000))["rows"]]
    return next(row for row in rows if row["task"] == task)


@scenario
def job_create__scored_by_others(here: Site) -> c.Command:
    """Two workers are free, so a function is asked."""
    return new_job(here, rated(here))


@scenario
def job_candidates(here: Site) -> c.Command:
    """All twenty workers of ten classes."""
    return c.JobCandidates(*rating(here))


@scenario
def task_lease__score(here: Site) -> c.Command:
    """One question of a job among those of others."""
    here.run(c.TaskLease(100, 1_000_000))
    rating(here)
    return c.TaskLease(1, 1)


@scenario
def task_answer__score(here: Site) -> c.Command:
    """The best of the ranking is taken."""
    job_id, asked = rating(here)
    rows = [named(row) for row in here.run(c.JobCandidates(job_id, asked))["rows"]]
    question = leased(here, f"score:{job_id}")
    ranking = json_text([[row["worker"], n] for n, row in enumerate(rows)])
    return c.TaskAnswer(f"score:{job_id}", asked, int(question["revision"]), ranking)


@scenario
def task_lease(here: Site) -> c.Command:
    """One task of a job."""
    asking(here)
    return c.TaskLease(1, 1)


@scenario
def task_answer(here: Site) -> c.Command:
    """The job is put into its queue."""
    asking(here)
    row = named(here.run(c.TaskLease(100, 3_600_000))["rows"][-1])
    answers = pipelines.answers_text({"priority": pipelines.Given("value", "7")})
    return c.TaskAnswer(row["task"], int(row["asked"]), int(row["revision"]), answers)


# ---- subscriptions to events -------------------------------------------------------------------------------

CODE = "code-of-a-handshake"


def subscription(here: Site) -> c.SubscriptionUpsert:
    """A subscription that does not exist yet."""
    return c.SubscriptionUpsert(
        fresh(here, "subscription"),
        target="t",
        document='{"url":"https://a/"}',
        secret='{"url":"https://a/"}',
        code=CODE,
    )


def subscribed(here: Site) -> str:
    """A subscription whose endpoint is asked."""
    created = subscription(here)
    here.run(created)
    return created.id


@scenario
def subscription_upsert(here: Site) -> c.Command:
    """It is new, and its endpoint is to be asked."""
    return subscription(here)


@scenario
def subscription_update(here: Site) -> c.Command:
    """Its endpoint is to be asked anew."""
    created = subscription(here)
    here.run(created)
    given = {name: getattr(created, name) for name in created.__struct_fields__}
    return c.SubscriptionUpdate(**given | {"doc": 1, "target": "another"})


@scenario
def subscription_confirm(here: Site) -> c.Command:
    """The endpoint agrees."""
    return c.SubscriptionConfirm(subscribed(here), CODE)


@scenario
def subscription_read(here: Site) -> c.Command:
    """With its secret."""
    return c.SubscriptionRead(subscribed(here), secrets=True)


@scenario
def subscription_list(here: Site) -> c.Command:
    """The last one."""
    subscribed(here)
    return c.SubscriptionList(1)


@scenario
def subscription_delete(here: Site) -> c.Command:
    """While its endpoint is asked."""
    return c.SubscriptionDelete(subscribed(here))


# ---- deliveries --------------------------------------------------------------------------------------------


class Taken(NamedTuple):
    """A subscription that a deliverer has taken, and the number of an entry with an event for it."""

    id: str
    token: int
    holder: str
    entry: int


def taken(here: Site) -> Taken:
    """The only one that is free."""
    name, holder = subscribed(here), fresh(here, "holder")
    here.run(c.SubscriptionConfirm(name, CODE))
    row = named(here.run(c.SubscriptionClaim(holder, 1, 60_000))["rows"][0])
    here.run(new_job(here, "empty"))
    return Taken(row["id"], int(row["token"]), holder, here.op())


def committed(here: Site, changes: str) -> Taken:
    """With this written down; PLACE stands for that of an event."""
    it = taken(here)
    here.run(commit(it, changes))
    return it


def commit(it: Taken, changes: str, number: int = 1) -> c.SubscriptionCommit:
    text = changes.replace("PLACE", f"{it.entry}.1")
    return c.SubscriptionCommit(it.id, it.token, number, it.entry, delivered=1, changes=text)


PARKED = '{"failed":[["job:a","PLACE",1,"{}"]]}'
DEAD = '{"dead":[["job:a","PLACE","{}"]]}'


@scenario
def subscription_claim(here: Site) -> c.Command:
    """One is free, another is taken."""
    taken(here)
    name = subscribed(here)
    here.run(c.SubscriptionConfirm(name, CODE))
    return c.SubscriptionClaim(fresh(here, "holder"), 10, 60_000)


@scenario
def subscription_commit(here: Site) -> c.Command:
    """An event has arrived."""
    return commit(taken(here), "{}")


@scenario
def subscription_commit__retried(here: Site) -> c.Command:
    """An event has arrived that had failed, and another has not."""
    it = committed(here, PARKED)
    changes = '{"failed":[["job:b","PLACE",1,"{}"]],"done":[["job:a","PLACE"]]}'
    return commit(it, changes.replace("PLACE", f"{it.entry}.2", 1), 2)


@scenario
def subscription_commit__dead(here: Site) -> c.Command:
    """An event is given up."""
    return commit(taken(here), DEAD)


@scenario
def subscription_release(here: Site) -> c.Command:
    """One is given back."""
    it = taken(here)
    return c.SubscriptionRelease(it.holder, [it.id])


@scenario
def subscription_held(here: Site) -> c.Command:
    """One is."""
    return c.SubscriptionHeld(taken(here).holder)


@scenario
def subscription_due(here: Site) -> c.Command:
    """One event is to be tried again."""
    it = committed(here, PARKED.replace(",1,", ",0,"))
    return c.SubscriptionDue(it.id)


@scenario
def subscription_lanes(here: Site) -> c.Command:
    """There is one."""
    return c.SubscriptionLanes(committed(here, PARKED).id)


@scenario
def dead_letter_list(here: Site) -> c.Command:
    """There is one."""
    return c.DeadLetterList(committed(here, DEAD).id)


@scenario
def dead_letter_replay(here: Site) -> c.Command:
    """There is one."""
    return c.DeadLetterReplay(committed(here, DEAD).id)


# ---- the router itself -------------------------------------------------------------------------------------


@scenario
def allowance_lease(here: Site) -> c.Command:
    """The next part of a bucket."""
    command = c.AllowanceLease(10, 1_000, 10_000)
    here.run(command)
    return command


@scenario
def observer_lease(here: Site) -> c.Command:
    """The one that has it goes on."""
    command = c.ObserverLease("one", 1_000, here.op())
    here.run(command)
    return command


@scenario
def job_delete__recorded(here: Site) -> c.Command:
    """A job that is not there, while calls are recorded."""
    here.run(c.SettingsWrite(recording=100))
    return c.JobDelete("nobody")


@scenario
def settings_write(here: Site) -> c.Command:
    """All defaults."""
    return c.SettingsWrite()


@scenario
def router_rights(here: Site) -> c.Command:
    """Of one command."""
    return c.RouterRights(["ZADD"])


@scenario
def router_status(here: Site) -> c.Command:
    """A small router."""
    return c.RouterStatus()


@scenario
def check(here: Site) -> c.Command:
    """A waiting job and what it links to."""
    return c.Check([f"job:{waiting(here).id}"])
