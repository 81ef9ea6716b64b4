-- Filling: jobs and workers that are offered to each other over several calls, at most one portion of offers a call.
--
-- When a call has made its portion of offers, what it has touched and would go on with is set aside: such a job is in no demand
-- class and such a worker in no lane, so all others match freely meanwhile. The agenda takes them up again, jobs in queue
-- order, workers as they were set aside.

--- Starts what may make one portion of offers: all that is due at the beginning of a call, then the operation itself.
function fillings.begin()
  fillings.spent = 0
end

--- Counts an offer, or a question about a job.
---@param bytes number|nil of the labels and tags that its event tells: many cost as much as further offers
function fillings.count(bytes)
  fillings.spent = fillings.spent + 1 + math.floor((bytes or 0) / limits.OFFER_BYTES)
end

--- Is the portion spent?
function fillings.are_spent()
  return fillings.spent >= op.portion
end

local function put(key, id, score)
  redis.call("ZADD", key, score, id)
  op.filling = op.filling + 1
  op.change_rest()
  agenda.add("fill:", clock.now)
end

local function drop(key, record)
  redis.call("ZREM", key, record.id)
  op.filling = op.filling - 1
  op.change_rest()
  record.filling = nil
end

local function is_in(key, id)
  return op.filling > 0 and redis.call("ZSCORE", key, id) and true or nil
end

--- Notes whether a job that was just read is set aside.
function fillings.remember_job(job)
  job.filling = is_in(keys.filling_jobs(), job.id)
end

--- Notes whether a worker that was just read is set aside.
function fillings.remember_worker(worker)
  worker.filling = is_in(keys.filling_workers(), worker.id)
end

--- Sets a job aside that wants more offers. It is to be placed after.
function fillings.put_job(job)
  job.filling = true
  put(keys.filling_jobs(), job.id, queues.score(job))
end

--- Sets a worker aside that has more room. It is to be placed after.
function fillings.put_worker(worker)
  worker.filling = true
  put(keys.filling_workers(), worker.id, op.number())
end

--- A job that is set aside stands elsewhere in its queue, or in none any more.
---@param place number|nil
function fillings.move_job(job, place)
  if place then
    redis.call("ZADD", keys.filling_jobs(), place, job.id)
  else
    drop(keys.filling_jobs(), job)
  end
end

--- A worker that is set aside leaves its class.
function fillings.leave(worker)
  drop(keys.filling_workers(), worker)
end

--- A due row: a portion of what was set aside goes on.
function fillings.due()
  if op.filling == 0 then
    return
  end
  op.number()
  for _, id in ipairs(redis.call("ZRANGE", keys.filling_jobs(), 0, op.portion - 1)) do
    local job = jobs.load(id)
    drop(keys.filling_jobs(), job)
    match.touch_job(job)
  end
  for _, id in ipairs(redis.call("ZRANGE", keys.filling_workers(), 0, op.portion - 1)) do
    local worker = workers.load(id)
    drop(keys.filling_workers(), worker)
    match.touch_worker(worker)
  end
  if op.filling > 0 then
    agenda.add("fill:", clock.now)
  end
end
