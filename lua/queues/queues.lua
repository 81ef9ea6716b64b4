-- The queue record, its policy at work, and the order of its waiting jobs.

local NUMERIC = {
  doc = true,
  rev = true,
  created = true,
  active = true,
  fallbacks = true,
  accepted_at = true,
  gap_ms = true,
}

local loaded, plans = {}, {}

--- Starts a call.
function queues.begin()
  if next(loaded) or next(plans) then
    loaded, plans = {}, {}
  end
end

--- The queue of this id as the life of jobs needs it, or nil: which policies it uses; one object per call.
function queues.load(id)
  local queue = loaded[id]
  if queue == nil then
    local key = keys.queue(id)
    local row
    if op.selecting > 0 then
      row = redis.call("HMGET", key, "distribution", "exception", "label_set")
    else
      row = redis.call("HMGET", key, "distribution", "exception")
    end
    queue = row[1]
      and { id = id, key = key, distribution = row[1], exception = row[2] or nil, label_set = row[3] or nil }
    loaded[id] = queue
  end
  return queue or nil
end

--- Name (nil = none) and labels of a queue, as events show it.
function queues.details(id)
  local row = redis.call("HMGET", keys.queue(id), "name", "labels")
  return row[1] or nil, row[2] or ""
end

--- The whole queue of this id, or nil.
function queues.whole(id)
  local queue = records.load(keys.queue(id), id, NUMERIC)
  loaded[id] = queue or false
  return queue
end

--- A queue that is not stored yet.
function queues.new(id)
  local queue = records.new(keys.queue(id), id)
  loaded[id] = queue
  return queue
end

--- Forgets a removed queue.
function queues.forget(id)
  loaded[id] = false
end

--- Forgets what was read of a distribution policy that changes in this call.
function queues.forget_plan(distribution)
  plans[distribution] = nil
end

local memo = { size = 0, of = {} }

local function parse(text)
  local mode, expires, most, bypass, descending, scoring, rule =
    string.match(text, "^(%a+) (%d+) (%d+) (%d) (%d) (%a+) (%x*)$")
  return {
    mode = mode,
    expires_ms = tonumber(expires),
    max = tonumber(most),
    bypass = bypass == "1",
    descending = descending == "1",
    scoring = scoring,
    remote = scoring == "function" or scoring == "webhook",
    rule = rule,
  }
end

--- How a queue distributes: mode, expires_ms, max, bypass, descending, scoring (default, or the kind of its rule), remote
--- (others score), rule (the SHA-1 of its text).
---@param id string
function queues.plan(id)
  return queues.plan_of(queues.load(id).distribution)
end

--- The same of a distribution policy.
function queues.plan_of(distribution)
  local plan = plans[distribution]
  if not plan then
    local text = redis.call("HGET", keys.policy("distribution", distribution), "plan")
    plan = memo.of[text] or memos.put(memo, text, parse(text))
    plans[distribution] = plan
  end
  return plan
end

--- Counts the unfinished jobs of a queue: the guard of its deletion, so while there is one the queue is there.
---@param id string|nil
function queues.count_active(id, by)
  if id and not rehearsals.on then
    redis.call("HINCRBY", keys.queue(id), "active", by)
  end
end

--- Counts the classification policies that have a queue as their fallback (a guard of its deletion).
function queues.count_fallback(id, by)
  redis.call("HINCRBY", keys.queue(id), "fallbacks", by)
  loaded[id] = nil
end

--- A queue distributes by another mode now: round robin needs its turns, the others do not.
---@param before string|nil mode
---@param after string mode, "" when the queue goes away
function queues.change_mode(id, before, after)
  if (before == "roundRobin") == (after == "roundRobin") then
    return
  end
  local by = after == "roundRobin" and 1 or -1
  op.round_robin = op.round_robin + by
  op.change_rest()
  if by == 1 then
    supply.fill_turns(id)
  else
    redis.call("DEL", keys.queue_turn(id))
  end
end

--- The worker that got the queue's last offer (round robin), or nil.
function queues.cursor(id)
  local queue = queues.load(id)
  if queue.cursor == nil then
    queue.cursor = redis.call("HGET", queue.key, "cursor")
  end
  return queue.cursor or nil
end

--- Remembers which worker got the queue's last offer (round robin).
function queues.set_cursor(id, worker_id)
  local queue = queues.load(id)
  queue.cursor = worker_id
  redis.call("HSET", queue.key, "cursor", worker_id)
end

-- ---- order ---------------------------------------------------------------------------------------------------

local RANK = 2 ^ 44

--- The place of a job in any queue: expedited first, then priority, then enqueue number. Lower is earlier.
function queues.score(job)
  local rank = 1 - (job.priority or 1)
  if job.selectors or job.attached then
    for _, selector in ipairs(job_selectors.active(job)) do
      if selector.expedite then
        rank = rank - 201
        break
      end
    end
  end
  return rank * RANK + queues.number(job)
end

--- The enqueue number of a job's present life.
function queues.number(job)
  return job.seq or tonumber(job.created)
end

--- The enqueue number in a score.
function queues.number_of(score)
  return score % RANK
end

--- The rank of a score: all jobs of one rank wait by enqueue number.
function queues.rank(score)
  return math.floor(score / RANK)
end

--- The priority of a rank: an expedited one stands 201 before that of the same priority, so from -100 down.
function queues.priority_of(rank)
  return rank <= -100 and 1 - (rank + 201) or 1 - rank
end

--- The first score of a rank.
function queues.rank_start(rank)
  return rank * RANK
end

--- Calls a function for each queue that uses a policy.
function queues.each_using(kind, policy_id, visit)
  local ids = redis.call("SMEMBERS", keys.policy_queues(kind, policy_id))
  table.sort(ids, texts.before)
  for _, id in ipairs(ids) do
    visit(id)
  end
end
