-- A job, compared with every index that it stands in, its offers and its assignment.

local function check_demand(job, name)
  local class = demand.class(demand.class_of(job))
  local bucket = class.buckets[1]
  if #class.buckets > 1 then
    bucket = redis.call("HGET", keys.demand_access(job.queue), class.name)
  end
  local wants, key = demand.wants(job), keys.demand_jobs(class.name)
  audit.expect(
    audit.score(key, job.id) == (wants and queues.score(job) or nil),
    name,
    "stands wrongly in its demand class"
  )
  if not wants then
    return
  end
  audit.expect(bucket, name, "has a demand class without a bucket")
  local in_bucket = bucket and audit.score(keys.demand_bucket(bucket), class.name)
  audit.expect(in_bucket and in_bucket <= audit.head(key), name, "has a demand class whose bound is too high")
  local in_demand = bucket and audit.score(keys.demand(), bucket)
  audit.expect(
    in_demand and in_demand <= audit.head(keys.demand_bucket(bucket)),
    name,
    "has a bucket whose bound is too high"
  )
end

local function check_job_offers(job, name)
  audit.expect(job.status == "queued" or offers.open_of(job) == 0, name, "has offers although it is", job.status)
  for _, open in ipairs(offers.of_job(job)) do
    local worker = workers.load(open.worker)
    local offer = worker and held.offer(worker, open.id)
    if match_checks.is_void(open.id, name) then
      offer = nil
    else
      audit.expect(offer and offer.job == job.id, name, "has offer", open.id, "that its worker does not have")
    end
    if offer then
      audit.expect(
        audit.due("offer:" .. open.id .. ":" .. open.worker) == offer.expires_at,
        name,
        "has an offer that never ends"
      )
    end
  end
end

local function check_selectors(job, name)
  local earliest
  for _, text in ipairs({ job.selectors or "", job.attached or "" }) do
    for _, selector in ipairs(selectors.list(text)) do
      local expires = selectors.expires_at(selector, job.enqueued_at)
      if job.status == "queued" and expires and expires > (job.expired_to or 0) then
        earliest = math.min(earliest or expires, expires)
      end
    end
  end
  audit.expect(job.selector_at == earliest, name, "knows another time of its next selector expiry")
  audit.expect(audit.due("selector:" .. job.id) == earliest, name, "has a selector expiry missing on the agenda")
end

local function check_schedule(job, name)
  local due = job.status == "scheduled" and job.schedule_at or nil
  audit.expect(audit.due("schedule:" .. job.id) == due, name, "is scheduled otherwise than on the agenda")
  audit.expect(job.status ~= "scheduled" or not job.scheduled_at, name, "was scheduled before its time")
end

local function check_exceptions(job, name)
  local due = job.status == "queued" and exceptions.next_due(job) or nil
  -- in a review the jobs take a changed policy batch by batch
  local known = job.exception_at == due or redis.call("HEXISTS", keys.queue(job.queue), "review") == 1
  audit.expect(known, name, "knows another time of its next exception rule")
  audit.expect(job.status == "queued" or not job.exception_at, name, "waits for a rule although it is", job.status)
  audit.expect(
    audit.due("exception:" .. job.id) == job.exception_at,
    name,
    "has an exception rule missing on the agenda"
  )
end

local function check_assignment(job, name)
  local holds = job.status == "assigned" or job.status == "completed"
  local worker = job.worker and workers.load(job.worker)
  local assignment = worker and held.assignment(worker, job.assignment)
  audit.expect(
    (assignment and assignment.job == job.id or false) == holds,
    name,
    "and its worker disagree on the assignment"
  )
  audit.expect(
    audit.due("close:" .. job.id) == (job.status == "completed" and job.close_at or nil),
    name,
    "closes at another time"
  )
end

-- jobs that may be without a queue: their policy has found none yet, or never did
local UNQUEUED = {
  pendingClassification = true,
  classificationFailed = true,
  scheduled = true,
  waitingForActivation = true,
  cancelled = true,
}

local function check_tasks(job, name)
  local asks = job.status == "pendingClassification"
  audit.expect((job.asked ~= nil) == asks, name, "is", job.status, "against its question")
  audit.expect(
    (audit.score(keys.tasks(), "classify:" .. job.id) ~= nil) == asks,
    name,
    "is",
    job.status,
    "against its task"
  )
  audit.expect(asks or not (job.stays or job.way), name, "keeps what belongs to a question")
  local scored = job.scoring ~= nil
  audit.expect(not scored or job.status == "queued", name, "has its workers scored although it is", job.status)
  audit.expect(
    (audit.score(keys.tasks(), "score:" .. job.id) ~= nil) == scored,
    name,
    "has or misses a task of scoring"
  )
  local asked = job.queue and audit.score(keys.queue_questions(job.queue), job.id)
  audit.expect((asked or nil) == job.scoring, name, "is not among the questions of its queue as it should")
end

local function check_policy(job, name)
  if job.classification and not statuses.FINISHED[job.status] then
    local active = redis.call("HGET", keys.policy("classification", job.classification), "active")
    audit.expect(tonumber(active or 0) > 0, name, "is not counted by its classification policy")
  end
  audit.expect(job.classification or not job.attached, name, "has attached selectors without a policy")
  local aside = job.classification and (statuses.ASIDE[job.status] or statuses.FINISHED[job.status])
  audit.expect(not job.unclassified or aside, name, "waits for a classification although it is", job.status)
end

--- Checks a job.
function job_checks.one(id)
  local job, name = jobs.load(id), "job " .. id
  if not job then
    for _, kind in ipairs({ "life", "schedule", "selector", "exception", "close" }) do
      audit.expect(not audit.due(kind .. ":" .. id), name, "is gone but on the agenda:", kind)
    end
    for _, kind in ipairs({ "classify", "score" }) do
      audit.expect(not audit.score(keys.tasks(), kind .. ":" .. id), name, "is gone but has a task:", kind)
    end
    audit.expect(not audit.score(keys.listing("jobs"), id), name, "is gone but listed")
    return
  end
  audit.expect(statuses.TRANSITIONS[job.status], name, "has an unknown status")
  audit.expect(
    statuses.FINISHED[job.status] or not job.queue or queues.load(job.queue),
    name,
    "has a queue that does not exist"
  )
  audit.expect(job.queue or UNQUEUED[job.status], name, "has no queue although it is", job.status)
  audit.expect(audit.score(keys.listing("jobs"), id) == tonumber(job.created), name, "is listed wrongly")
  local order = job.status == "queued" and queues.score(job) or nil
  if job.queue then
    audit.expect(
      audit.score(keys.queue_jobs(job.queue), id) == tonumber(job.created),
      name,
      "is listed wrongly in its queue"
    )
    audit.expect(
      audit.score(keys.queue_order(job.queue), id) == order,
      name,
      "stands wrongly in the order of its queue"
    )
  end
  if job.status == "queued" then
    check_demand(job, name)
  end
  audit.expect(not job.filling or audit.score(keys.filling_jobs(), id) == order, name, "is set aside at a wrong place")
  match_checks.filling(job, name)
  check_job_offers(job, name)
  check_selectors(job, name)
  check_schedule(job, name)
  check_exceptions(job, name)
  check_policy(job, name)
  check_tasks(job, name)
  check_assignment(job, name)
  local finished = statuses.FINISHED[job.status] or false
  audit.expect((audit.score(keys.listing("finished"), id) ~= nil) == finished, name, "is wrongly among the finished")
  local life = audit.due("life:" .. id)
  audit.expect(finished or life == job.created_at + limits.LIFETIME_MS, name, "has no end of life on the agenda")
end
