-- Bars: a worker that has declined a job is not asked again in its registration, or not before its retry time.
--
-- They stand with the worker, as job to the number of the refusal, so that a freed worker asks for many waiting jobs at once.
-- A bar counts only against the job's life in which it was made: a later life is enqueued under a greater number.

--- The worker declines the job; a retry time puts a row on the agenda that lifts the bar, so that the router is at rest between.
---@param retry_at number epoch ms, 0 = not in this registration
function bars.put(job, worker, retry_at)
  local row = "retry:" .. texts.sized(job.id) .. worker.id
  if retry_at > clock.now then
    agenda.add(row, retry_at)
  else
    agenda.remove(row)
    if retry_at ~= 0 then
      return
    end
  end
  local count = (tonumber(worker.declined) or 0) + 1
  jobs.set(job, "declined", "1")
  workers.set(worker, "declined", count)
  redis.call("ZADD", keys.worker_declined(worker.id), op.number(), job.id)
  if count % limits.DECLINES_PER_CLEARING == 0 then
    bars.clear_some(worker, count)
  end
end

--- Is this worker barred from this job?
function bars.holds(job, worker_id)
  local number = job.declined and redis.call("ZSCORE", keys.worker_declined(worker_id), job.id)
  return number and tonumber(number) > queues.number(job) or false
end

--- From which of some waiting jobs is a worker barred?
---@param rows table id, place in the queue, id, place …
---@return table barred job id to true
function bars.among(worker, rows)
  local barred = {}
  if not worker.declined or #rows == 0 then
    return barred
  end
  local ids = {}
  for i = 1, #rows, 2 do
    ids[#ids + 1] = rows[i]
  end
  for i, number in ipairs(redis.call("ZMSCORE", keys.worker_declined(worker.id), unpack(ids))) do
    barred[ids[i]] = number and tonumber(number) > queues.number_of(tonumber(rows[2 * i])) or nil
  end
  return barred
end

--- Lifts all bars of a worker: a new registration begins.
function bars.lift(worker)
  if worker.declined then
    redis.call("UNLINK", keys.worker_declined(worker.id))
    workers.set(worker, "declined", nil)
  end
end

--- Clears bars of jobs that are over, out of a part of the worker's set that moves on with each clearing. Without, a worker
--- that declines and never signs off would keep them all.
---@param count number how many jobs it has declined
function bars.clear_some(worker, count)
  local key, most, over = keys.worker_declined(worker.id), 2 * limits.DECLINES_PER_CLEARING, {}
  local from = count * 2 % math.max(1, redis.call("ZCARD", key) - most + 1)
  for _, id in ipairs(redis.call("ZRANGE", key, from, from + most - 1)) do
    local status = redis.call("HGET", keys.job(id), "status")
    if not status or statuses.FINISHED[status] then
      over[#over + 1] = id
    end
  end
  if #over > 0 then
    redis.call("ZREM", key, unpack(over))
  end
end

--- A due row: a worker that has declined a job may be asked again.
function bars.retry_due(rest)
  local job_id, from = texts.read_sized(rest, 1)
  local worker_id = string.sub(rest, from)
  local job = jobs.load(job_id)
  -- the row may outlive its bar
  if not job or not bars.holds(job, worker_id) then
    return
  end
  redis.call("ZREM", keys.worker_declined(worker_id), job_id)
  if job.status == "queued" then
    op.number()
    match.touch_job(job)
  end
end
