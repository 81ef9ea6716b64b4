-- Rankings: by what a worker that may be asked stands behind those that are, in the mode of the job's queue. Only reads.

-- when a worker became available: epoch ms, or nil where the events of that time are not kept any more
local function available_at(worker)
  local id = worker.avail and worker.avail .. "-0"
  local entry = id and redis.call("XRANGE", keys.events(), id, id)[1]
  return entry and tonumber(texts.pairs(entry[2]).at) or nil
end

-- each adds the rank of a worker to a reason, its names with a text in front
local TELL = {
  longestIdle = function(reason, before, worker)
    local total = classes.of(worker).capacity
    reasons.tell(reason, before .. "used", worker.used, before .. "capacity", total)
    reasons.tell(reason, before .. "available_at", available_at(worker))
  end,
  roundRobin = function(reason, before, _, job)
    if before == "" then
      reasons.tell(reason, "cursor", queues.cursor(job.queue))
    end
  end,
  bestWorker = function(reason, before, worker, job, plan)
    -- what others have said is told with the offer alone
    if before == "" then
      reasons.tell(reason, "remote", plan.remote and 1 or nil)
    end
    local score = not plan.remote and best_worker.scorer_of(job, plan).score(classes.of(worker).labels, worker.id)
    reasons.tell(reason, before .. "score", score and string.format("%.14g", score) or nil)
    reasons.tell(reason, before .. "available_at", available_at(worker))
  end,
}

--- Adds that others are asked, who rank before this worker or were free when it was not.
function rankings.add_outranked(list, job, worker)
  local plan, asked = queues.plan(job.queue), {}
  for i, open in ipairs(offers.of_job(job)) do
    asked[i] = i <= limits.EXPLAINED_JOBS and open.worker or nil
  end
  local reason = reasons.add(list, "outranked", "rule", plan.mode, "asked", asked)
  TELL[plan.mode](reason, "", worker, job, plan)
  local other = workers.load(asked[1])
  if other then
    TELL[plan.mode](reason, "other_", other, job, plan)
  end
end
