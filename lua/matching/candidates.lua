-- Candidates: the waiting jobs that some of several freed workers might take, one after the other in queue order. Only reads.
--
-- Workers only lose room while a call is settled, so a job that nobody takes now will not be taken later in it, and one walk
-- in queue order is the rule. The demand classes of all the workers' buckets are merged; each stands at its lower bound until
-- the walk reaches it.

local function listed_buckets(groups)
  local names, seen = {}, {}
  for hash, members in pairs(groups) do
    local class = classes.get(hash)
    for _, worker in ipairs(members) do
      for _, bucket in ipairs(demand.buckets_for(class, worker.id)) do
        if not seen[bucket] then
          seen[bucket] = true
          names[#names + 1] = bucket
        end
      end
    end
  end
  local listed = demand.bounds(names)
  for _, row in ipairs(listed) do
    row.from, row.count, row.seen = "-inf", 4, {}
  end
  return listed
end

--- Begins a walk.
---@param ready table workers with room
function candidates.of(ready)
  local groups = {}
  for _, worker in ipairs(ready) do
    groups[worker.class] = groups[worker.class] or {}
    table.insert(groups[worker.class], worker)
  end
  return { groups = groups, buckets = listed_buckets(groups), classes = {} }
end

-- the next demand classes of a bucket, each at its lower bound. By score, not by rank: classes leave while the walk goes on
local function read_bucket(walk, i)
  local bucket = walk.buckets[i]
  local name, from, count = keys.demand_bucket(bucket.name), bucket.from, bucket.count
  local rows = redis.call("ZRANGE", name, from, "+inf", "BYSCORE", "LIMIT", 0, count, "WITHSCORES")
  local is_new = false
  for k = 1, #rows, 2 do
    if not bucket.seen[rows[k]] then
      bucket.seen[rows[k]], is_new = true, true
      bucket.bound = tonumber(rows[k + 1])
      table.insert(walk.classes, { name = rows[k], score = bucket.bound })
    end
  end
  if #rows < 2 * count then
    table.remove(walk.buckets, i)
  end
  -- several may stand at one bound: a slice of known ones alone would be read for ever
  bucket.from, bucket.count = rows[#rows], is_new and math.min(count * 2, 256) or count * 2
end

-- the workers that might take jobs of a demand class, as far as class and Id go
local function takers_of(walk, wanted)
  local takers = {}
  for hash, members in pairs(walk.groups) do
    local class = classes.get(hash)
    local channel = class.serves[wanted.queue] and class.channels[wanted.channel]
    if channel and selectors.class_fits(wanted.selectors, class.labels) then
      for _, worker in ipairs(members) do
        if not wanted.asks_id or selectors.id_fits(wanted.selectors, worker.id) then
          takers[#takers + 1] = { worker = worker, class = class, channel = channel }
        end
      end
    end
  end
  return takers
end

-- forgets those without room, until one has some
local function has_taker(takers)
  while #takers > 0 do
    local last = takers[#takers]
    if capacity.fits(last.worker, last.class, last.channel) then
      return true
    end
    takers[#takers] = nil
  end
  return false
end

-- the first job between two places that one of these workers may be offered
local function first_for(takers, name, after, before)
  local best
  for _, taker in ipairs(takers) do
    if capacity.fits(taker.worker, taker.class, taker.channel) then
      local found = peek.first_job(taker.worker, name, best and best.score or before, after)
      best = found or best
    end
  end
  return best
end

-- the first job after a place that the call has not changed itself
local function first_unchanged(name, after)
  while true do
    local rows = demand.after(name, after, 8)
    for i = 1, #rows, 2 do
      if not match.is_touched(rows[i]) then
        return { job = jobs.load(rows[i]), score = tonumber(rows[i + 1]), place = rows[i + 1] }
      end
    end
    if #rows < 16 then
      return nil
    end
    after = "(" .. rows[#rows]
  end
end

-- moves a class to its next job; false when there is none that matters
local function advance(class)
  if not class.takers or not has_taker(class.takers) then
    return false
  end
  local after = class.place and "(" .. class.place or "-inf"
  local closed = closures.place(demand.class(class.name).queue)
  local found
  -- what may exclude a job is asked of each worker only where it has excluded one, or where it is the only worker
  if class.refused or #class.takers == 1 then
    found = first_for(class.takers, class.name, after, closed)
  else
    found = first_unchanged(class.name, after)
  end
  if not found or (closed and found.score >= closed) then
    return false
  end
  class.job, class.score, class.place, class.refused = found.job, found.score, found.place, false
  return true
end

local function least(list, field)
  local best
  for i = 1, #list do
    if not best or list[i][field] < list[best][field] then
      best = i
    end
  end
  return best
end

-- is its queue closed where its jobs stand?
local function is_closed(bucket)
  local place = closures.place_in_bucket(bucket.name)
  return place ~= nil and bucket.bound >= place
end

--- The next candidate: its job, and its place in queue order. nil when there is none before a place.
---@param before number|nil
function candidates.next(walk, before)
  while true do
    local i, k = least(walk.classes, "score"), least(walk.buckets, "bound")
    local class, bucket = walk.classes[i], walk.buckets[k]
    if bucket and (not class or bucket.bound <= class.score) then
      if before and bucket.bound >= before then
        return nil
      elseif is_closed(bucket) then
        table.remove(walk.buckets, k)
      else
        read_bucket(walk, k)
      end
    elseif not class or (before and class.score >= before) then
      return nil
    elseif class.job then
      return class
    else
      class.takers = class.takers or takers_of(walk, demand.class(class.name))
      if not advance(class) then
        table.remove(walk.classes, i)
      end
    end
  end
end

--- The candidate is done with: it wants no more offers, or nobody takes it.
---@param refused boolean whether it still wants some
function candidates.pass(class, refused)
  class.job, class.refused = nil, refused
end
