--- Show queues as they stand, newest first: how many jobs wait by priority, for how long, and whether anybody could take them.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { limit, cursor }
--- Replies: next (0 on the last page), rows: id, name, length, longest_ms (-1 = none), wait_minutes (of a new job of priority
---   1), workers (that name the queue, whatever their state), active (those of them that are; -1 = in too many classes to count),
---   looked (waiting jobs, from the first, that were tested),
---   unmatchable (those of them that no active worker of the queue fits, free or not), priorities (priority, jobs …). A page
---   may be short while more is to come
--- Refuses: BAD_CALL
--- Events: none

-- calls to the store, and tests of a class, that make a page full; and waiting jobs that are tested
local FULL, LOOKED = 1000, 20
-- classes of a queue up to which its active workers are counted
local COUNTED = 512

-- how many jobs wait with each priority, highest first
local function priorities(id, ranks)
  local list, of = {}, {}
  for _, rank in ipairs(ranks) do
    local from, to = queues.rank_start(rank), queues.rank_start(rank + 1)
    local jobs_there =
      redis.call("ZCOUNT", keys.queue_order(id), string.format("%.0f", from), "(" .. string.format("%.0f", to))
    local priority = queues.priority_of(rank)
    if not of[priority] then
      list[#list + 1] = priority
    end
    of[priority] = (of[priority] or 0) + jobs_there
  end
  table.sort(list, function(a, b)
    return a > b
  end)
  local flat = {}
  for i, priority in ipairs(list) do
    flat[2 * i - 1], flat[2 * i] = priority, of[priority]
  end
  return flat
end

-- as far as queue, channel and selectors go: does a class fit?
local function fits(class, wanted)
  return class.channels[wanted.channel] and selectors.class_fits(wanted.selectors, class.labels)
end

-- does any active worker of the queue?
local function is_served(wanted)
  if wanted.only then
    local worker = workers.load(wanted.only)
    local class = worker and worker.class and classes.get(worker.class)
    local suits = class and class.serves[wanted.queue] and fits(class, wanted)
    return suits and selectors.id_fits(wanted.selectors, wanted.only) or false, 1
  end
  local tests = 0
  for _, class in ipairs(supply.candidates(wanted)) do
    tests = tests + 1
    if fits(class, wanted) then
      return true, tests
    end
  end
  return false, tests
end

-- the first waiting jobs: how many were looked at, and how many of them nobody could take
local function matchability(id)
  local served, looked, unmatchable, work = {}, 0, 0, 0
  for _, job_id in ipairs(redis.call("ZRANGE", keys.queue_order(id), 0, LOOKED - 1)) do
    local name = demand.class_of(jobs.load(job_id))
    if served[name] == nil then
      local tests
      served[name], tests = is_served(demand.class(name))
      work = work + tests
    end
    looked = looked + 1
    unmatchable = unmatchable + (served[name] and 0 or 1)
    work = work + 1
    if work > FULL then
      break
    end
  end
  return looked, unmatchable, work
end

-- the active workers of a queue are the members of its classes: how many, and how many classes were read for that
local function active_workers(id, sizes)
  local key, count, reads = keys.queue_classes(id), 0, 0
  if redis.call("SCARD", key) > COUNTED then
    return -1, 0
  end
  for _, hash in ipairs(redis.call("SMEMBERS", key)) do
    if not sizes[hash] then
      sizes[hash], reads = tonumber(redis.call("HGET", keys.class(hash), "size")), reads + 1
    end
    count = count + sizes[hash]
  end
  return count, reads
end

-- sizes: those of classes that were read in this call
local function show(id, sizes)
  local queue = queues.whole(id)
  local longest, ranks = waits.longest(id)
  local order = keys.queue_order(id)
  local ahead = redis.call("ZCOUNT", order, "-inf", "(" .. string.format("%.0f", queues.rank_start(1)))
  local looked, unmatchable, work = matchability(id)
  local active, reads = active_workers(id, sizes)
  local row = {
    "id",
    id,
    "name",
    queue.name or "",
    "length",
    redis.call("ZCARD", order),
    "longest_ms",
    longest or -1,
    "wait_minutes",
    waits.minutes(queue.gap_ms, ahead + 1, longest),
    "workers",
    redis.call("ZCARD", keys.queue_workers(id)),
    "active",
    active,
    "looked",
    looked,
    "unmatchable",
    unmatchable,
    "priorities",
    priorities(id, ranks),
  }
  return row, work + reads + 3 * #ranks + 8
end

op.read("jr_queue_overview", { limit = 100, cursor = 0 }, function(given)
  if given.limit < 1 or given.limit > 100 then
    refuse.bad_call("limit must be between 1 and 100")
  end
  local from = given.cursor > 0 and "(" .. given.cursor or "+inf"
  local listed =
    redis.call("ZREVRANGEBYSCORE", keys.listing("queues"), from, "-inf", "WITHSCORES", "LIMIT", 0, given.limit + 1)
  local rows, spent, sizes = {}, 0, {}
  for i = 1, #listed, 2 do
    if #rows == given.limit or spent >= FULL then
      return { "next", tonumber(listed[i - 1]), "rows", rows }
    end
    local work
    rows[#rows + 1], work = show(listed[i], sizes)
    spent = spent + work
  end
  return { "next", 0, "rows", rows }
end)
