-- Matching: the one rule. After any change, while some job wants an offer and has an eligible ready worker: the first such
-- job in queue order (over all queues) is offered to the best worker by its queue's mode.
--
-- Ops say what they have touched; settle is the only way to match. The router was at rest before, so only what was touched
-- can be matched now. What a call cannot finish with its batch of offers is set aside (see fillings).

local touched_jobs, touched_workers, kept = {}, {}, {}

--- Starts a call.
function match.begin()
  if touched_jobs[1] then
    touched_jobs = {}
  end
  if touched_workers[1] then
    touched_workers = {}
  end
  if kept[1] then
    kept = {}
  end
end

local function touch(list, record)
  if not list[record.id] then
    list[record.id] = record
    list[#list + 1] = record
  end
end

--- This job may want an offer, or stand elsewhere in its queue.
function match.touch_job(job)
  touch(touched_jobs, job)
end

--- Has this call touched the job of this id?
function match.is_touched(job_id)
  return touched_jobs[job_id] ~= nil
end

--- This worker may have room, or have lost it.
function match.touch_worker(worker)
  touch(touched_workers, worker)
end

--- This worker has changed, but has no more room than before.
function match.keep_worker(worker)
  touch(kept, worker)
end

-- ---- one offer ------------------------------------------------------------------------------------------------------

-- a taken worker was first of its lane: where another lane comes first now, the next search must not look here again
local function correct_taken(job, pick, worker)
  if not pick.is_first or not pick.next_bound then
    return
  end
  local again = worker.placed[pick.lane]
  local first = pick.second
  if again and (not first or again < first) then
    first = again
  end
  if not first then
    redis.call("ZREM", keys.queue_supply(job.queue), pick.lane)
  elseif first > pick.next_bound then
    redis.call("ZADD", keys.queue_supply(job.queue), first, pick.lane)
  end
end

-- an offer is counted with what its event tells
local function count(job, worker)
  fillings.count(#(job.labels or "") + #(job.tags or "") + #(worker.labels or "") + #(worker.tags or ""))
end

local function issue(job, worker, plan, pick)
  offers.issue(job, worker, plan, pick)
  count(job, worker)
  if plan.mode == "roundRobin" then
    queues.set_cursor(job.queue, worker.id)
  end
end

-- offers the job to the best worker, or asks others who that is; false when there is none, or it has to wait
local function offer_best(job, alone)
  local plan = queues.plan(job.queue)
  local pick, asks = modes.pick(job, plan, alone)
  supply.correct()
  if not pick then
    return false
  elseif asks then
    return scorings.ask(job)
  end
  local worker = workers.load(pick.worker)
  issue(job, worker, plan, pick)
  supply.place(worker)
  correct_taken(job, pick, worker)
  return true
end

-- ---- settling -------------------------------------------------------------------------------------------------------------

-- takes the policies of its queue as they are now
local function renew_policies(job)
  local plan = queues.plan(job.queue)
  jobs.set(job, "max", plan.max ~= 1 and plan.max or nil)
  jobs.set(job, "bypass", plan.bypass and "1" or nil)
  exceptions.arm(job)
end

--- Whom a waiting job that stands in no index would be offered to in one portion, in turn. Only reads.
---@return table picks each with its worker, and what was considered and passed over
---@return boolean asks whether others would be asked who is the best
function match.plan(job)
  renew_policies(job)
  local plan, picks = queues.plan(job.queue), {}
  while not fillings.are_spent() and demand.wants(job) do
    local pick, asks = modes.pick(job, plan, #picks == 0)
    supply.corrections = nil
    if not pick or asks then
      return picks, pick ~= nil
    end
    pick.considered, pick.passed = decisions.considered, decisions.passed()
    picks[#picks + 1] = pick
    count(job, workers.load(pick.worker))
    -- those that have an offer already are passed over, so lanes and turns need not move on
    offers.suppose(job, pick.worker)
  end
  return picks, false
end

local function has_room(worker)
  if worker.removed or worker.state ~= "active" or worker.filling or not worker.class then
    return false
  end
  local class = classes.get(worker.class)
  for _, channel in pairs(class.channels) do
    if capacity.fits(worker, class, channel) then
      return true
    end
  end
  return false
end

local function settle_job(job)
  local alone = true
  while demand.wants(job) and not fillings.are_spent() and offer_best(job, alone) do
    alone = false
  end
  if fillings.are_spent() and demand.wants(job) then
    fillings.put_job(job)
  end
  demand.place(job)
end

local function settle_worker(worker)
  local alone = true
  while has_room(worker) and not fillings.are_spent() do
    local found = peek.first(worker, alone)
    demand.correct()
    if not found then
      break
    end
    issue(found.job, worker, queues.plan(found.job.queue))
    demand.place(found.job)
    alone = false
  end
  if fillings.are_spent() and has_room(worker) then
    fillings.put_worker(worker)
  end
  supply.place(worker)
end

local function set_aside(waiting, ready)
  for _, job in ipairs(waiting) do
    if demand.wants(job) then
      fillings.put_job(job)
    end
  end
  for _, worker in ipairs(ready) do
    if has_room(worker) then
      fillings.put_worker(worker)
      supply.place(worker)
    end
  end
end

-- several touched: always the first job in queue order, whoever touched it
local function settle_many(waiting, ready)
  for _, worker in ipairs(ready) do
    supply.place(worker)
  end
  table.sort(waiting, function(a, b)
    return queues.score(a) < queues.score(b)
  end)
  local walk, next_waiting = candidates.of(ready), 1
  while not fillings.are_spent() do
    local job = waiting[next_waiting]
    local found = candidates.next(walk, job and queues.score(job))
    if not job and not found then
      break
    end
    job = found and found.job or job
    local offered = offer_best(job, false)
    local is_done = not offered or not demand.wants(job)
    if found then
      demand.place(job)
    end
    if is_done and found then
      candidates.pass(found, not offered)
    elseif is_done then
      next_waiting = next_waiting + 1
    end
  end
  if fillings.are_spent() then
    set_aside(waiting, ready)
  end
  for _, job in ipairs(waiting) do
    demand.place(job)
  end
end

--- Matches what the call has touched until the router is at rest again.
function match.settle()
  if #touched_jobs + #touched_workers + #kept == 0 then
    return
  end
  local waiting, ready = {}, {}
  for _, job in ipairs(touched_jobs) do
    if job.status == "queued" then
      renew_policies(job)
    end
    if demand.wants(job) then
      waiting[#waiting + 1] = job
    elseif not job.removed then
      demand.place(job)
    end
  end
  for _, worker in ipairs(touched_workers) do
    if has_room(worker) then
      ready[#ready + 1] = worker
    elseif not worker.removed then
      supply.place(worker)
    end
  end
  if #waiting == 1 and #ready == 0 then
    settle_job(waiting[1])
  elseif #waiting == 0 and #ready == 1 then
    settle_worker(ready[1])
  elseif #waiting + #ready > 0 then
    settle_many(waiting, ready)
  end
  for _, worker in ipairs(kept) do
    if not touched_workers[worker.id] then
      supply.place(worker)
    end
  end
  match.begin()
end
