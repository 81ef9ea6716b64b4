-- The invariants of the stored state, read from the records by themselves and compared with every index.

local problems

local function expect(holds, ...)
  if not holds then
    problems[#problems + 1] = table.concat({ ... }, " ")
  end
end

local function score_in(key, member)
  return tonumber(redis.call("ZSCORE", key, member) or nil)
end

local function head_of(key)
  return tonumber(redis.call("ZRANGE", key, 0, 0, "WITHSCORES")[2])
end

local function agenda_at(row)
  return score_in(keys.agenda(), row)
end

-- ---- jobs ----------------------------------------------------------------------------------------------------------------

local function check_demand(job, name)
  local class = demand.class(demand.class_of(job))
  local bucket = class.buckets[1]
  if #class.buckets > 1 then
    bucket = redis.call("HGET", keys.demand_access(job.queue), class.name)
  end
  local wants, key = demand.wants(job), keys.demand_jobs(class.name)
  expect(score_in(key, job.id) == (wants and queues.score(job) or nil), name, "stands wrongly in its demand class")
  if not wants then
    return
  end
  expect(bucket, name, "has a demand class without a bucket")
  local in_bucket = bucket and score_in(keys.demand_bucket(bucket), class.name)
  expect(in_bucket and in_bucket <= head_of(key), name, "has a demand class whose bound is too high")
  local in_demand = bucket and score_in(keys.demand(), bucket)
  expect(in_demand and in_demand <= head_of(keys.demand_bucket(bucket)), name, "has a bucket whose bound is too high")
end

-- is an offer over, though not taken back yet? Then it is to be, by the agenda.
local function is_void(offer_id, name)
  local mark = redis.call("HGET", keys.void(), offer_id)
  local number = mark and string.match(mark, "%d+$")
  expect(not number or agenda_at("revoke:" .. number), name, "has void offer", offer_id, "that is never taken back")
  expect(not number or redis.call("EXISTS", keys.revocation(number)) == 1, name, "has a void offer without a list")
  return number ~= nil
end

local function check_job_offers(job, name)
  expect(job.status == "queued" or offers.open_of(job) == 0, name, "has offers although it is", job.status)
  for _, open in ipairs(offers.of_job(job)) do
    local worker = workers.load(open.worker)
    local offer = worker and held.offer(worker, open.id)
    if is_void(open.id, name) then
      offer = nil
    else
      expect(offer and offer.job == job.id, name, "has offer", open.id, "that its worker does not have")
    end
    if offer then
      expect(
        agenda_at("offer:" .. open.id .. ":" .. open.worker) == offer.expires_at,
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
  expect(job.selector_at == earliest, name, "knows another time of its next selector expiry")
  expect(agenda_at("selector:" .. job.id) == earliest, name, "has a selector expiry missing on the agenda")
end

local function check_schedule(job, name)
  local due = job.status == "scheduled" and job.schedule_at or nil
  expect(agenda_at("schedule:" .. job.id) == due, name, "is scheduled otherwise than on the agenda")
  expect(job.status ~= "scheduled" or not job.scheduled_at, name, "was scheduled before its time")
end

local function check_exceptions(job, name)
  local due = job.status == "queued" and exceptions.next_due(job) or nil
  -- in a review the jobs take a changed policy batch by batch
  local known = job.exception_at == due or redis.call("HEXISTS", keys.queue(job.queue), "review") == 1
  expect(known, name, "knows another time of its next exception rule")
  expect(job.status == "queued" or not job.exception_at, name, "waits for a rule although it is", job.status)
  expect(agenda_at("exception:" .. job.id) == job.exception_at, name, "has an exception rule missing on the agenda")
end

local function check_assignment(job, name)
  local holds = job.status == "assigned" or job.status == "completed"
  local worker = job.worker and workers.load(job.worker)
  local assignment = worker and held.assignment(worker, job.assignment)
  expect((assignment and assignment.job == job.id or false) == holds, name, "and its worker disagree on the assignment")
  expect(
    agenda_at("close:" .. job.id) == (job.status == "completed" and job.close_at or nil),
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
  expect((job.asked ~= nil) == asks, name, "is", job.status, "against its question")
  expect((score_in(keys.tasks(), "classify:" .. job.id) ~= nil) == asks, name, "is", job.status, "against its task")
  expect(asks or not (job.stays or job.way), name, "keeps what belongs to a question")
  local scored = job.scoring ~= nil
  expect(not scored or job.status == "queued", name, "has its workers scored although it is", job.status)
  expect((score_in(keys.tasks(), "score:" .. job.id) ~= nil) == scored, name, "has or misses a task of scoring")
  local asked = job.queue and score_in(keys.queue_questions(job.queue), job.id)
  expect((asked or nil) == job.scoring, name, "is not among the questions of its queue as it should")
end

local function check_policy(job, name)
  if job.classification and not jobs.FINISHED[job.status] then
    local active = redis.call("HGET", keys.policy("classification", job.classification), "active")
    expect(tonumber(active or 0) > 0, name, "is not counted by its classification policy")
  end
  expect(job.classification or not job.attached, name, "has attached selectors without a policy")
  local aside = job.classification and (jobs.ASIDE[job.status] or jobs.FINISHED[job.status])
  expect(not job.unclassified or aside, name, "waits for a classification although it is", job.status)
end

-- what is set aside goes on by the agenda
local function check_filling(record, name)
  expect(not record.filling or agenda_at("fill:"), name, "is set aside for ever")
end

local function check_job(id)
  local job, name = jobs.load(id), "job " .. id
  if not job then
    for _, kind in ipairs({ "life", "schedule", "selector", "exception", "close" }) do
      expect(not agenda_at(kind .. ":" .. id), name, "is gone but on the agenda:", kind)
    end
    for _, kind in ipairs({ "classify", "score" }) do
      expect(not score_in(keys.tasks(), kind .. ":" .. id), name, "is gone but has a task:", kind)
    end
    expect(not score_in(keys.listing("jobs"), id), name, "is gone but listed")
    return
  end
  expect(jobs.TRANSITIONS[job.status], name, "has an unknown status")
  expect(jobs.FINISHED[job.status] or not job.queue or queues.load(job.queue), name, "has a queue that does not exist")
  expect(job.queue or UNQUEUED[job.status], name, "has no queue although it is", job.status)
  expect(score_in(keys.listing("jobs"), id) == tonumber(job.created), name, "is listed wrongly")
  local order = job.status == "queued" and queues.score(job) or nil
  if job.queue then
    expect(score_in(keys.queue_jobs(job.queue), id) == tonumber(job.created), name, "is listed wrongly in its queue")
    expect(score_in(keys.queue_order(job.queue), id) == order, name, "stands wrongly in the order of its queue")
  end
  if job.status == "queued" then
    check_demand(job, name)
  end
  expect(not job.filling or score_in(keys.filling_jobs(), id) == order, name, "is set aside at a wrong place")
  check_filling(job, name)
  check_job_offers(job, name)
  check_selectors(job, name)
  check_schedule(job, name)
  check_exceptions(job, name)
  check_policy(job, name)
  check_tasks(job, name)
  check_assignment(job, name)
  local finished = jobs.FINISHED[job.status] or false
  expect((score_in(keys.listing("finished"), id) ~= nil) == finished, name, "is wrongly among the finished")
  local life = agenda_at("life:" .. id)
  expect(finished or life == job.created_at + limits.LIFETIME_MS, name, "has no end of life on the agenda")
end

-- ---- workers -------------------------------------------------------------------------------------------------------------

local function check_load(worker, name)
  local used, open, assigned, counts = 0, 0, 0, {}
  for _, one in ipairs(held.all(worker)) do
    used = used + one.cost
    counts[one.channel] = (counts[one.channel] or 0) + 1
    local job = jobs.load(one.job)
    if one.expires_at then
      open = open + 1
      if not is_void(one.id, name) then
        expect(job and offers.is_offered(job, worker.id), name, "has an offer that job", one.job, "does not have")
        expect(worker.state == "active", name, "has an offer although it is", worker.state)
      end
    else
      assigned = assigned + 1
      expect(job and job.assignment == one.id, name, "has an assignment that job", one.job, "does not have")
    end
  end
  expect(worker.used == used, name, "uses", used, "but counts", worker.used)
  expect(worker.open == open, name, "has", open, "open offers but counts", worker.open)
  expect(worker.assigned == assigned, name, "has", assigned, "assignments but counts", worker.assigned)
  local class = worker.class and classes.get(worker.class)
  for id, channel in pairs(class and class.channels or {}) do
    if channel.max then
      expect(capacity.count(worker, id) == (counts[id] or 0), name, "counts wrongly on channel", id)
    end
  end
end

local function check_lane(worker, class, lane, name)
  local key = keys.class_ready(lane.name)
  expect(score_in(key, worker.id) == worker.placed[lane.name], name, "stands wrongly in lane", lane.name)
  local head = head_of(key)
  for _, queue in ipairs(class.queues) do
    local bound = score_in(keys.queue_supply(queue), lane.name)
    expect(not head or (bound and bound <= head), name, "has a lane whose bound is too high in queue", queue)
    if worker.placed[lane.name] and queues.load(queue) and queues.plan(queue).mode == "roundRobin" then
      expect(score_in(keys.queue_turn(queue), worker.id .. "\0" .. class.hash), name, "has no turn in queue", queue)
    end
  end
end

local function check_bars(worker, name)
  local key = keys.worker_declined(worker.id)
  local rows = redis.call("ZRANGE", key, 0, limits.LISTED_ROWS - 1, "WITHSCORES")
  expect(worker.declined or #rows == 0, name, "has bars but has declined nothing")
  for i = 1, #rows, 2 do
    local job, number = jobs.load(rows[i]), tonumber(rows[i + 1])
    expect(number > worker.epoch, name, "is barred from job", rows[i], "by an earlier registration")
    expect(not job or job.declined or number < queues.number(job), name, "is barred from job", rows[i], "unknown to it")
  end
end

local STATES = { active = true, draining = true, inactive = true }

local function check_worker(id)
  local worker, name = workers.load(id), "worker " .. id
  if not worker then
    expect(not agenda_at("idle:" .. id), name, "is gone but on the agenda")
    expect(not score_in(keys.listing("workers"), id), name, "is gone but listed")
    return
  end
  workers.whole(worker)
  local active = worker.state == "active"
  expect(STATES[worker.state], name, "has an unknown state")
  expect((worker.available == "1") == active, name, "is", worker.state, "against its availability")
  expect((worker.class ~= nil) == active, name, "is", worker.state, "against its class")
  expect(worker.state ~= "draining" or worker.assigned > 0, name, "drains without an assignment")
  expect(worker.state ~= "inactive" or worker.assigned == 0, name, "is inactive with an assignment")
  expect((agenda_at("idle:" .. id) ~= nil) == active, name, "has a wrong idle time on the agenda")
  expect(score_in(keys.listing("workers"), id) == worker.created, name, "is listed wrongly")
  for line in texts.lines(worker.queues or "") do
    expect(
      score_in(keys.queue_workers(document.value(line)), id) == worker.created,
      name,
      "is listed wrongly in queue",
      line
    )
  end
  check_load(worker, name)
  check_filling(worker, name)
  expect(active or not worker.filling, name, "is set aside although it is", worker.state)
  check_bars(worker, name)
  if worker.class then
    local class = classes.get(worker.class)
    expect(tonumber(redis.call("HGET", keys.class(class.hash), "size")) > 0, name, "has a class without members")
    expect(label_index.has(keys.class_labels(), class), name, "has a class whose labels are not indexed")
    for _, lane in ipairs(class.lanes) do
      check_lane(worker, class, lane, name)
    end
  end
end

-- ---- queues and rest ---------------------------------------------------------------------------------------------------------

local function check_label_set(queue, name)
  local hash = redis.sha1hex(queue.labels or "")
  expect(queue.label_set == hash, name, "has the label set of other labels")
  expect(redis.call("HGET", keys.label_sets(), hash) == (queue.labels or ""), name, "has an unknown label set")
  local set = { hash = hash, labels = document.members(queue.labels or "") }
  expect(label_index.has(keys.label_sets_index(), set), name, "has labels that are not indexed")
  local length = score_in(keys.label_set(hash), queue.id)
  expect(length, name, "is missing in its label set")
  expect(
    op.selecting == 0 or length == redis.call("ZCARD", keys.queue_order(queue.id)),
    name,
    "has another length in its label set"
  )
end

-- questions of jobs that are in the queue, and nothing that waits for ever behind them
local function check_questions(id, name)
  local asked = redis.call("ZRANGE", keys.queue_questions(id), 0, limits.LISTED_ROWS - 1)
  for _, job_id in ipairs(asked) do
    local job = jobs.load(job_id)
    expect(job and job.queue == id and job.scoring, name, "has a question about job", job_id, "that it does not know")
  end
  local goes_on = #asked > 0 or agenda_at("open:" .. id)
  expect(not closures.place(id) or goes_on, name, "is closed for ever")
  expect(closures.place(id) or not agenda_at("open:" .. id), name, "is open but to be opened")
end

local function check_queue(id)
  local queue, name = queues.whole(id), "queue " .. id
  if not queue then
    expect(not score_in(keys.listing("queues"), id), name, "is gone but listed")
    expect(not score_in(keys.closed(), id), name, "is gone but closed")
    return
  end
  check_questions(id, name)
  expect(score_in(keys.listing("queues"), id) == queue.created, name, "is listed wrongly")
  local used = redis.call("SISMEMBER", keys.policy_queues("distribution", queue.distribution), id)
  expect(used == 1, name, "is not known to its distribution policy")
  check_label_set(queue, name)
  local unfinished = 0
  for _, job_id in ipairs(redis.call("ZRANGE", keys.queue_jobs(id), 0, limits.LISTED_ROWS - 1)) do
    if not jobs.FINISHED[redis.call("HGET", keys.job(job_id), "status")] then
      unfinished = unfinished + 1
    end
  end
  if redis.call("ZCARD", keys.queue_jobs(id)) <= limits.LISTED_ROWS then
    expect((queue.active or 0) == unfinished, name, "has", unfinished, "unfinished jobs but counts", queue.active or 0)
  end
end

-- may this job be offered to this worker? Read from the two records alone.
local function is_eligible(job, worker)
  local class = worker.class and classes.get(worker.class)
  local channel = class and class.serves[job.queue] and class.channels[job.channel]
  local active = job.bypass == "1" and {} or job_selectors.active(job)
  return channel
    and worker.state == "active"
    and not worker.filling
    and capacity.fits(worker, class, channel)
    and not offers.is_offered(job, worker.id)
    and not bars.holds(job, worker.id)
    and selectors.class_fits(active, document.members(worker.labels or ""))
    and selectors.id_fits(active, worker.id)
end

local function check_rest(job_ids, worker_ids)
  for _, job_id in ipairs(job_ids) do
    local job = jobs.load(job_id)
    if job and demand.wants(job) and not closures.holds(job) then
      for _, worker_id in ipairs(worker_ids) do
        local worker = workers.load(worker_id)
        if worker and is_eligible(job, worker) then
          expect(false, "job", job_id, "waits although worker", worker_id, "could take it")
        end
      end
    end
  end
end

-- ---- subscriptions ---------------------------------------------------------------------------------------------------------

-- nobody has it, or one deliverer does
local function check_holder(subscription, name)
  local free = score_in(keys.deliveries(), subscription.id)
  local taken = subscription.holder and score_in(keys.deliverer(subscription.holder), subscription.id)
  expect((free or taken) ~= nil == subscriptions.delivers(subscription), name, "delivers wrongly")
  expect(not (free and subscription.holder), name, "is free and taken")
  expect(taken == (subscription.token or nil), name, "is taken by another token")
  expect(not taken or score_in(keys.deliverers(), subscription.holder), name, "is taken by an unknown deliverer")
  expect((subscription.commits ~= nil) == (taken ~= nil), name, "counts commits of nobody")
end

-- what waits stands in lanes, and each lane comes to its turn
local function check_parked(id, name)
  local lanes, places = {}, {}
  for _, one in ipairs(redis.call("ZRANGE", keys.parked(id), 0, limits.LISTED_ROWS - 1)) do
    local lane, place = parking.parts(one)
    lanes[lane], places[place] = true, true
    expect(score_in(keys.parked_due(id), lane), name, "has events in lane", lane, "that are never tried")
    expect(parking.number_of(place) <= tonumber(op.event), name, "waits for event", place, "that is not there yet")
  end
  if parking.size(id) > limits.LISTED_ROWS then
    return
  end
  for _, lane in ipairs(redis.call("ZRANGE", keys.parked_due(id), 0, -1)) do
    expect(lanes[lane], name, "is to try lane", lane, "which is empty")
  end
  for _, key in ipairs({ keys.parked_tries(id), keys.parked_copies(id) }) do
    for _, place in ipairs(redis.call("HKEYS", key)) do
      expect(places[place], name, "remembers event", place, "that does not wait")
    end
  end
end

local function check_subscription(id)
  local subscription, name = subscriptions.load(id), "subscription " .. id
  local asked = redis.call("EXISTS", keys.secret("validation", id)) == 1
  local row, task = agenda_at("validation:" .. id), score_in(keys.tasks(), "validate:" .. id)
  if not subscription then
    local kept =
      redis.call("EXISTS", keys.parked(id), keys.parked_due(id), keys.parked_tries(id), keys.parked_copies(id))
    expect(kept + redis.call("EXISTS", keys.dead_letters(id)) == 0, name, "is gone but has events that wait")
    expect(not score_in(keys.deliveries(), id), name, "is gone but delivers")
    expect(not score_in(keys.listing("subscriptions"), id), name, "is gone but listed")
    expect(subscriptions.secret(id) == "" and not asked, name, "is gone but has a secret")
    expect(not row and not task, name, "is gone but something is to be done for it")
    return
  end
  expect(score_in(keys.listing("subscriptions"), id) == subscription.created, name, "is listed wrongly")
  expect(subscriptions.secret(id) ~= "", name, "has no secret")
  expect(subscription.cursor <= tonumber(op.event), name, "is ahead of the events")
  local validating = subscription.status == "validating"
  expect((row ~= nil) == validating, name, "is", subscription.status, "and has a wrong end of its handshake")
  expect(asked == validating, name, "is", subscription.status, "and has a wrong code")
  expect((subscription.asked ~= nil) == validating, name, "is", subscription.status, "and has a wrong question")
  expect(validating or not task, name, "is asked although it is", subscription.status)
  local delivers = subscriptions.delivers(subscription)
  expect(not delivers or subscription.agreed == subscription.target, name, "gets events without its consent")
  check_holder(subscription, name)
  check_parked(id, name)
end

local CHECK = { job = check_job, worker = check_worker, queue = check_queue, subscription = check_subscription }

--- Checks the named entities and all they link to.
---@param ids table of "<kind>:<id>"
---@return table problems texts, empty when all is sound
function check.entities(ids)
  problems = {}
  local first = agenda.first()
  expect(not first or (op.alarm > 0 and op.alarm <= first), "the alarm is later than the agenda")
  expect(redis.call("HLEN", keys.void()) == op.void, "the void offers are counted wrongly")
  local filling = redis.call("ZCARD", keys.filling_jobs()) + redis.call("ZCARD", keys.filling_workers())
  expect(filling == op.filling, "what is set aside is counted wrongly")
  expect(redis.call("ZCARD", keys.closed()) == op.closed, "the closed queues are counted wrongly")
  local named = { job = {}, worker = {}, queue = {}, subscription = {} }
  for _, name in ipairs(ids) do
    local kind, id = string.match(tostring(name), "^(%a+):(.*)$")
    if not CHECK[kind] then
      refuse.bad_call("an id to check is job:<id>, worker:<id>, queue:<id> or subscription:<id>")
    end
    CHECK[kind](id)
    table.insert(named[kind], id)
  end
  check_rest(named.job, named.worker)
  return problems
end
