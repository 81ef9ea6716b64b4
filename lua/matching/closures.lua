-- Closed queues: where others score the workers, a queue has a bounded number of open questions. The first job for which one
-- more would be needed closes it: from that job's place on, jobs only stand in their order, although ready workers may fit.
--
-- The jobs before that place are matched as ever. When half of the questions are answered, the agenda goes on from there, a
-- portion of jobs at a time, until the bound is met again; at the end of the queue it opens.

-- closed queues to the place from which they are, false for open ones
local places = {}

--- Starts a call.
function closures.begin()
  if next(places) then
    places = {}
  end
end

local function row_of(queue)
  return "open:" .. queue
end

--- The place from which a queue is closed, or nil.
function closures.place(queue)
  if op.closed == 0 then
    return nil
  end
  if places[queue] == nil then
    local place = redis.call("ZSCORE", keys.closed(), queue)
    places[queue] = place and tonumber(place)
  end
  return places[queue] or nil
end

--- The same of the queue of a bucket of demand.
function closures.place_in_bucket(bucket)
  -- where nothing is closed the name is not taken apart
  return op.closed > 0 and closures.place(demand.queue_of(bucket)) or nil
end

--- Has a job to wait because its queue is closed where it stands?
function closures.holds(job)
  local place = closures.place(job.queue)
  return place ~= nil and queues.score(job) >= place
end

local function move(queue, place)
  redis.call("ZADD", keys.closed(), place, queue)
  places[queue] = place
end

local function open(queue)
  redis.call("ZREM", keys.closed(), queue)
  places[queue] = false
  op.closed = op.closed - 1
  op.change_rest()
end

--- Closes a queue from a place on. It was not closed there.
function closures.close(queue, place)
  if not closures.place(queue) then
    op.closed = op.closed + 1
    op.change_rest()
  end
  move(queue, place)
  agenda.remove(row_of(queue))
end

--- A question of a queue is open no more, or its policy has changed: it may be time to go on.
function closures.ease(queue)
  if not closures.place(queue) then
    return
  end
  local open_questions = redis.call("ZCARD", keys.queue_questions(queue))
  if not queues.plan(queue).remote or 2 * open_questions <= limits.setting("questions") then
    agenda.add(row_of(queue), clock.now)
  end
end

--- A due row: the next jobs of a closed queue are matched.
function closures.due(queue)
  local place = closures.place(queue)
  if not place then
    return
  end
  op.number()
  local rows = redis.call("ZRANGEBYSCORE", keys.queue_order(queue), place, "+inf", "WITHSCORES", "LIMIT", 0, op.portion)
  for i = 1, #rows, 2 do
    local job = jobs.load(rows[i])
    if demand.wants(job) then
      match.touch_job(job)
    end
  end
  if #rows == 2 * op.portion then
    move(queue, tonumber(rows[#rows]) + 1)
    agenda.add(row_of(queue), clock.now)
  else
    open(queue)
  end
end

--- A queue goes away.
function closures.forget(queue)
  if closures.place(queue) then
    open(queue)
    agenda.remove(row_of(queue))
  end
end
