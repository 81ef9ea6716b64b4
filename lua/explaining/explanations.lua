-- Explanations: why a job is offered to nobody, or not to a worker, by the matcher's own predicates and searches. Only reads:
-- what a search notes of bounds is never written, for nothing is settled in a call that reads.

-- statuses outside of the order of a queue, to the reason that they are
local STATUSES = {
  pendingClassification = "being_classified",
  scheduled = "scheduled",
  waitingForActivation = "suspended",
}

-- the open offers of a job, oldest first: worker, offer and expiry of some
local function open_offers(job)
  local shown = {}
  for i, open in ipairs(offers.of_job(job)) do
    if i > limits.EXPLAINED_JOBS then
      break
    end
    local expires = redis.call("ZSCORE", keys.agenda(), "offer:" .. open.id .. ":" .. open.worker)
    local n = #shown
    shown[n + 1], shown[n + 2], shown[n + 3] = open.worker, open.id, expires or 0
  end
  return shown
end

-- the jobs of equal needs in front of a waiting one, or of one that could be
local function add_behind(list, job)
  local key = keys.demand_jobs(demand.class_of(job))
  local place = "(" .. string.format("%.0f", queues.score(job))
  local ahead = redis.call("ZCOUNT", key, "-inf", place)
  if ahead > 0 then
    local first = redis.call("ZRANGEBYSCORE", key, "-inf", place, "LIMIT", 0, limits.EXPLAINED_JOBS)
    reasons.add(list, "behind_jobs", "ahead", ahead, "jobs", first)
  end
end

--- Why a job is offered to nobody, whoever it is, or to nobody else.
---@return table reasons
function explanations.of_job(job)
  local list = {}
  local reason = STATUSES[job.status]
  if reason then
    reasons.add(list, reason, "at", job.status == "scheduled" and job.schedule_at or nil)
  elseif job.status ~= "queued" then
    reasons.add(list, "not_queued", "status", job.status, "worker", job.worker)
  elseif job.filling then
    reasons.add(list, "job_set_aside")
  elseif job.scoring then
    reasons.add(list, "being_scored")
  elseif not demand.wants(job) then
    reasons.add(
      list,
      "maximum_of_offers",
      "open",
      offers.open_of(job),
      "maximum",
      job.max or 1,
      "offers",
      open_offers(job)
    )
  elseif closures.holds(job) then
    reasons.add(list, "waits_for_scores")
  else
    add_behind(list, job)
  end
  return list
end

--- Where a job stands, as flat list.
function explanations.head_of(job)
  local head = {}
  reasons.tell(head, "job", job.id, "status", job.status, "queue", job.queue, "channel", job.channel)
  if job.status == "queued" then
    local key, place = keys.queue_order(job.queue), "(" .. string.format("%.0f", queues.score(job))
    local ahead = redis.call("ZCOUNT", key, "-inf", place)
    reasons.tell(head, "position", ahead + 1, "length", redis.call("ZCARD", key))
  end
  return head
end

--- The demand class that a job has, or would have in its queue; nil where it is over, taken, or where others decide its queue.
function explanations.wanted_of(job)
  if job.status == "queued" then
    return demand.class(demand.class_of(job))
  elseif not statuses.ASIDE[job.status] or job.unclassified or not job.queue then
    return nil
  end
  -- it takes the policy of its queue when it joins, and what has run out meanwhile is marked
  job.bypass = queues.plan(job.queue).bypass and "1" or nil
  job.expired_to, job.active = math.max(job.expired_to or 0, clock.now), nil
  return demand.class(demand.class_of(job))
end

-- the job that a worker without room takes first when it is free, where that stands before this one
local function add_behind_for(list, job, worker)
  local class, freed = classes.of(worker), obstacles.freed(worker)
  if not capacity.fits(freed, class, class.channels[job.channel]) then
    return
  end
  local found = peek.first(freed, false)
  if found and found.job.id ~= job.id then
    reasons.add(list, "behind_jobs", "jobs", { found.job.id }, "queue", found.job.queue)
  end
end

--- Why a job is not offered to a worker.
---@param wanted table its demand class
---@param in_full boolean|nil whether to look at what the worker holds, and at what it takes before
---@return table reasons
function explanations.of_pair(job, wanted, worker, in_full)
  local list = obstacles.between(job, wanted, worker, in_full)
  if job.status ~= "queued" or job.filling or job.scoring then
    return list
  elseif demand.wants(job) then
    if in_full and not closures.holds(job) and obstacles.are_of_room(list) then
      add_behind_for(list, job, worker)
    end
  elseif #list == 0 then
    rankings.add_outranked(list, job, worker)
  end
  return list
end

-- ---- the whole queue ----------------------------------------------------------------------------------------------------

-- may the matcher be asked who is next, within the time of one call?
local function is_quick(job, plan)
  return redis.call("SCARD", keys.queue_classes(job.queue)) <= limits.REMEMBERED_CLASSES
    and offers.open_of(job) <= limits.QUICK_OFFERS
    and not closures.holds(job)
    and (plan.remote or plan.mode ~= "bestWorker" or not best_worker.scorer_of(job, plan).sees_id)
end

-- who is asked when the first offer of a job ends: nobody, a worker, or the best of those whom others then score
local function add_next(list, job, plan)
  local change = { "kind", "offer" }
  local pick, asks = modes.pick(job, plan, false)
  if asks then
    local rows, rest = scorings.candidates(job, "")
    reasons.tell(change, "next", "scores", "scored", rest == "" and #rows or nil)
  else
    reasons.tell(change, "next", pick and "worker" or "nobody", "worker", pick and pick.worker)
  end
  list[#list + 1] = change
end

--- What will change for a waiting job by itself.
---@return table list flat lists: kind, at, and what it is about
function explanations.changes_of(job)
  local list = {}
  if job.status ~= "queued" then
    return list
  end
  if job.selector_at then
    list[#list + 1] = { "kind", "selectors", "at", job.selector_at }
  end
  local at, rule = exceptions.next_due(job)
  if at then
    list[#list + 1] = { "kind", "exception", "at", at, "rule", rule.id, "policy", queues.load(job.queue).exception }
  end
  local plan = queues.plan(job.queue)
  if not job.filling and not demand.wants(job) and is_quick(job, plan) then
    add_next(list, job, plan)
  end
  return list
end

--- How many workers a queue has, and the router.
function explanations.staff_of(queue_id)
  local all, served = redis.call("ZCARD", keys.listing("workers")), redis.call("ZCARD", keys.queue_workers(queue_id))
  return { "workers", all, "on_queue", served }
end

--- Some workers, each explained: its id, its state and its reasons. Those with the fewest reasons go first.
---@param ids table
---@param most number
function explanations.sample_of(job, wanted, ids, most)
  local list, seen = {}, {}
  for place, id in ipairs(ids) do
    local worker = not seen[id] and workers.load(id)
    if worker then
      seen[id] = true
      list[#list + 1] = { place = place, worker = worker, reasons = explanations.of_pair(job, wanted, worker, false) }
    end
  end
  table.sort(list, function(a, b)
    if #a.reasons ~= #b.reasons then
      return #a.reasons < #b.reasons
    end
    return a.place < b.place
  end)
  for i = #list, most + 1, -1 do
    list[i] = nil
  end
  return list
end

-- ---- a worker -----------------------------------------------------------------------------------------------------------

--- The job that a worker gets first when it holds nothing, or nil.
function explanations.next_of(worker)
  if worker.state ~= "active" or worker.filling then
    return nil
  end
  local found = peek.first(obstacles.freed(worker), false)
  return found and found.job
end

--- The first jobs of a queue that wait, each with its own reasons and those of the worker; and the length of the queue.
function explanations.waiting_for(worker, queue_id)
  local key, list = keys.queue_order(queue_id), {}
  for i, id in ipairs(redis.call("ZRANGE", key, 0, limits.FIRST_JOBS - 1)) do
    local job = jobs.load(id)
    list[i] = {
      job = job,
      own = explanations.of_job(job),
      pair = explanations.of_pair(job, explanations.wanted_of(job), worker, false),
    }
  end
  return list, redis.call("ZCARD", key)
end
