-- Demand classes: waiting jobs of one queue and channel with equal active selectors, in queue order.
--
-- A demand class is named by its own text: sized queue, sized channel, signature (the cores of the active selectors).
-- The classes of a queue are kept in buckets by one equality selector, so that a worker looks only where it may fit.
-- demand.bucket and demand hold lower bounds of the first scores.

local memo = { size = 0, of = {} }

-- ---- names -------------------------------------------------------------------------------------------------------

local function signature(job)
  local cores, seen = {}, {}
  for _, selector in ipairs(job_selectors.active(job)) do
    if not seen[selector.core] then
      seen[selector.core] = true
      cores[#cores + 1] = selector.core
    end
  end
  table.sort(cores)
  return table.concat(cores, "\n")
end

--- The demand class of a job, as its record stands.
function demand.class_of(job)
  local names = texts.sized(job.queue) .. texts.sized(job.channel)
  if job.bypass == "1" or not (job.selectors or job.attached) then
    return names
  end
  return names .. signature(job)
end

--- A value as part of a bucket's name: equal values give equal names.
local function typed(value)
  if type(value) == "number" then
    -- zero has two signs
    return string.format("%.17g", value + 0)
  elseif type(value) == "string" then
    return '"' .. value
  end
  return tostring(value)
end

local function parse(name)
  local queue, channel, from
  queue, from = texts.read_sized(name, 1)
  channel, from = texts.read_sized(name, from)
  local class = { name = name, queue = queue, channel = channel }
  class.selectors = selectors.of_signature(string.sub(name, from))
  local prefix, buckets = texts.sized(queue), {}
  for _, selector in ipairs(class.selectors) do
    if selector.key == '"Id"' then
      class.asks_id = true
      if selector.operator == "=" and type(selector.value) == "string" then
        class.only = selector.value
      end
    elseif selector.operator == "=" and selector.value ~= nil then
      buckets[#buckets + 1] = prefix .. selector.key .. "=" .. typed(selector.value)
    end
  end
  if class.only then
    buckets = { prefix .. "Id=" .. class.only }
  elseif class.asks_id then
    buckets = { prefix .. "Id?" }
  elseif #buckets == 0 then
    buckets = { prefix }
  end
  class.buckets = buckets
  return class
end

--- A demand class by its name: queue, channel, selectors, asks_id, only (the one worker asked for), buckets.
function demand.class(name)
  return memo.of[name] or memos.put(memo, name, parse(name))
end

--- The queue of a bucket.
function demand.queue_of(bucket)
  return (texts.read_sized(bucket, 1))
end

--- The buckets in which a worker may find a job it fits.
---@param class table its supply class
---@param id string
---@param only_id boolean|nil only those that ask for an Id
function demand.buckets_for(class, id, only_id)
  local list = {}
  for _, queue in ipairs(class.queues) do
    local prefix = texts.sized(queue)
    list[#list + 1] = prefix .. "Id=" .. id
    list[#list + 1] = prefix .. "Id?"
  end
  if only_id then
    return list
  end
  if not class.buckets then
    local shared = {}
    for _, queue in ipairs(class.queues) do
      local prefix = texts.sized(queue)
      shared[#shared + 1] = prefix
      for key, value in pairs(class.labels) do
        shared[#shared + 1] = prefix .. key .. "=" .. typed(value)
      end
    end
    class.buckets = shared
  end
  for _, bucket in ipairs(class.buckets) do
    list[#list + 1] = bucket
  end
  return list
end

-- ---- entering and leaving ------------------------------------------------------------------------------------------

-- the bucket of a class: where there is a choice, the one that was emptiest when the class appeared
local function bucket_of(class, choose)
  if #class.buckets == 1 then
    return class.buckets[1]
  end
  local access = keys.demand_access(class.queue)
  local bucket = redis.call("HGET", access, class.name)
  if not bucket and choose then
    local fewest
    for _, candidate in ipairs(class.buckets) do
      local size = redis.call("ZCARD", keys.demand_bucket(candidate))
      if not fewest or size < fewest then
        bucket, fewest = candidate, size
      end
    end
    redis.call("HSET", access, class.name, bucket)
  end
  return bucket
end

local function enter(name, job, score)
  redis.call("ZADD", keys.demand_jobs(name), score, job.id)
  if redis.call("ZRANK", keys.demand_jobs(name), job.id) == 0 then
    local bucket = bucket_of(demand.class(name), true)
    redis.call("ZADD", keys.demand_bucket(bucket), "LT", score, name)
    redis.call("ZADD", keys.demand(), "LT", score, bucket)
  end
end

local function leave(name, job)
  redis.call("ZREM", keys.demand_jobs(name), job.id)
  if redis.call("EXISTS", keys.demand_jobs(name)) == 0 then
    local class = demand.class(name)
    local bucket = bucket_of(class)
    redis.call("ZREM", keys.demand_bucket(bucket), name)
    if redis.call("EXISTS", keys.demand_bucket(bucket)) == 0 then
      redis.call("ZREM", keys.demand(), bucket)
    end
    if #class.buckets > 1 then
      redis.call("HDEL", keys.demand_access(class.queue), name)
    end
  end
end

--- Does the job, as its record stands, want another offer?
function demand.wants(job)
  return job.status == "queued" and not job.filling and not job.scoring and offers.open_of(job) < (job.max or 1)
end

-- where a job belongs: the queue in whose order it stands, its place there, and its demand class while it wants offers
local function wanted(job)
  if job.status ~= "queued" then
    return nil, nil, nil
  end
  return job.queue, queues.score(job), demand.wants(job) and demand.class_of(job) or nil
end

--- Notes where a job that was just read stands.
function demand.remember_place(job)
  fillings.remember_job(job)
  job.in_queue, job.in_place, job.in_class = wanted(job)
end

--- Puts a job where it belongs now, and takes it out of where it stood.
function demand.place(job)
  local queue, place, class = wanted(job)
  local moved = job.in_place ~= place
  if moved and job.filling then
    fillings.move_job(job, place)
  end
  local elsewhere = job.in_queue ~= queue
  if elsewhere and job.in_queue then
    redis.call("ZREM", keys.queue_order(job.in_queue), job.id)
    label_sets.count(job.in_queue, -1)
  end
  if queue and (elsewhere or moved) then
    redis.call("ZADD", keys.queue_order(queue), place, job.id)
  end
  if queue and elsewhere then
    label_sets.count(queue, 1)
  end
  if job.in_class and job.in_class ~= class then
    leave(job.in_class, job)
  end
  if class and (job.in_class ~= class or moved) then
    enter(class, job, place)
  end
  job.in_queue, job.in_place, job.in_class = queue, place, class
end

-- ---- bounds: only a search corrects them ------------------------------------------------------------------------------

local corrections = {}

--- Notes what a search has found of a bucket.
---@param raised table true first scores of classes: score, name, score, name …
---@param lowest number|nil the bucket's own first score, when it has risen too
function demand.note(bucket, raised, lowest)
  corrections[#corrections + 1] = { bucket = bucket, raised = raised, lowest = lowest }
end

--- Writes the noted bounds. Only between a search and the next change, else they would no longer be lower bounds.
function demand.correct()
  if #corrections == 0 then
    return
  end
  for _, row in ipairs(corrections) do
    portions.add(keys.demand_bucket(row.bucket), row.raised)
    if row.lowest then
      redis.call("ZADD", keys.demand(), row.lowest, row.bucket)
    end
  end
  corrections = {}
end

--- Starts a call.
function demand.begin()
  if #corrections > 0 then
    corrections = {}
  end
end

-- ---- reading -------------------------------------------------------------------------------------------------------

--- Those of some buckets in which jobs wait, each with a lower bound of its first score.
---@param buckets table names
---@return table list name, bound
function demand.bounds(buckets)
  local list = {}
  for from, to in portions.of(buckets) do
    for i, bound in ipairs(redis.call("ZMSCORE", keys.demand(), unpack(buckets, from, to))) do
      if bound then
        list[#list + 1] = { name = buckets[from + i - 1], bound = tonumber(bound) }
      end
    end
  end
  return list
end

--- The first jobs of a class from a place in queue order on.
---@param after string lower end of the range, as ZRANGEBYSCORE takes it
function demand.after(name, after, count)
  return redis.call("ZRANGEBYSCORE", keys.demand_jobs(name), after, "+inf", "WITHSCORES", "LIMIT", 0, count)
end

--- Does a waiting job of the same class, never offered nor declined, prove that no ready worker fits?
function demand.is_stuck(name, job_id)
  -- in a closed queue jobs wait although workers may fit
  if closures.place(demand.class(name).queue) then
    return false
  end
  local first = redis.call("ZRANGE", keys.demand_jobs(name), 0, 0)[1]
  if not first or first == job_id then
    return false
  end
  local row = redis.call("HMGET", keys.job(first), "offers", "declined")
  return (not row[1] or row[1] == "") and not row[2]
end
