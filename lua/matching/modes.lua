-- Distribution modes: which ready worker a job is offered to. These functions only read; what they learn of bounds is noted.

--- May this worker of a lane be asked? (room is known from the lane; labels from the class)
function modes.may_ask(job, wanted, class, channel, id)
  if id == job.spared then
    return false
  end
  decisions.consider()
  if wanted.asks_id and not selectors.id_fits(wanted.selectors, id) then
    return decisions.pass("selector")
  end
  if offers.is_offered(job, id) then
    return decisions.pass("offered")
  end
  if bars.holds(job, id) then
    return decisions.pass("declined")
  end
  -- above 8191 several loads share a level, so the lane alone does not tell
  return class.capacity <= 8191 or capacity.fits(workers.load(id), class, channel) or decisions.pass("full")
end

--- A worker, if it may take a job now: it is ready, eligible, and has no offer of it.
function modes.taker(job, wanted, id)
  local worker = workers.load(id)
  local class = worker and worker.class and classes.get(worker.class)
  local channel = class and class.serves[job.queue] and class.channels[job.channel]
  if
    channel
    and worker.state == "active"
    and not worker.filling
    and capacity.fits(worker, class, channel)
    and selectors.class_fits(wanted.selectors, class.labels)
    and modes.may_ask(job, wanted, class, channel, worker.id)
  then
    return worker
  end
  return nil
end

-- the one worker that a selector `Id equal` asks for
local function only_worker(job, wanted)
  local worker = modes.taker(job, wanted, wanted.only)
  return worker and { worker = worker.id }
end

--- The worker that a job is offered to next, or nil.
---@param plan table how the queue distributes
---@param alone boolean see longest_idle
---@return table|nil pick
---@return boolean|nil asks whether others are to be asked who is the best
function modes.pick(job, plan, alone)
  decisions.begin()
  local wanted = demand.class(demand.class_of(job))
  local ranked = job.ranking and scorings.next(job, wanted)
  if ranked then
    return ranked
  elseif closures.holds(job) then
    return nil
  elseif wanted.only then
    return only_worker(job, wanted)
  elseif plan.remote then
    return scorings.pick(job, wanted, alone)
  elseif plan.mode == "roundRobin" then
    return round_robin.pick(job, wanted, alone)
  elseif plan.mode == "bestWorker" then
    return best_worker.pick(job, wanted, alone, plan)
  end
  return longest_idle.pick(job, wanted, alone)
end
