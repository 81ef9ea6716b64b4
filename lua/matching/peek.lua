-- What a freed worker would take: the first job in queue order, over all its queues, that it may be offered. Only reads.

--- The first job of a demand class that this worker may take, if it has room for one of them.
---@param before number|nil place in queue order at which to stop
---@param after string lower end of the places looked at, as ZRANGEBYSCORE takes it
---@return table|nil found job, score, place (the score as text)
---@return number|nil first the place of the first job looked at
function peek.first_job(worker, name, before, after)
  local count, first = 1, nil
  decisions.search()
  while true do
    local rows = demand.after(name, after, count)
    local barred = bars.among(worker, rows)
    first = first or tonumber(rows[2])
    for i = 1, #rows, 2 do
      local score = tonumber(rows[i + 1])
      if before and score >= before then
        return nil, first
      end
      decisions.consider()
      if barred[rows[i]] then
        decisions.pass("declined")
      elseif not match.is_touched(rows[i]) then
        local job = jobs.load(rows[i])
        if not offers.is_offered(job, worker.id) then
          return { job = job, score = score, place = rows[i + 1] }, first
        end
        decisions.pass("offered")
      end
    end
    if #rows < 2 * count then
      return nil, first
    end
    after, count = "(" .. rows[#rows], math.min(count * 4, 64)
  end
end

local function class_suits(worker, class, wanted)
  local channel = class.channels[wanted.channel]
  return channel
    and capacity.fits(worker, class, channel)
    and selectors.class_fits(wanted.selectors, class.labels)
    and (not wanted.asks_id or selectors.id_fits(wanted.selectors, worker.id))
end

-- the place before which jobs of a bucket are looked for: better than the best so far, and where their queue is not closed
local function end_of(closed, best)
  return closed and best and math.min(closed, best.score) or closed or (best and best.score)
end

-- the best job of a bucket before a score; raises bounds that were too low
local function best_of_bucket(worker, class, bucket, bound, best)
  local from, count, lowest, raised = 0, 4, nil, {}
  local closed = closures.place_in_bucket(bucket)
  if closed and bound >= closed then
    return best
  end
  while true do
    local rows = redis.call("ZRANGE", keys.demand_bucket(bucket), from, from + count - 1, "WITHSCORES")
    local over = #rows < 2 * count
    for i = 1, #rows, 2 do
      local head, before = tonumber(rows[i + 1]), end_of(closed, best)
      if before and head >= before then
        lowest = math.min(lowest or head, head)
        over = true
        break
      end
      if class_suits(worker, class, demand.class(rows[i])) then
        local found, first = peek.first_job(worker, rows[i], before, "-inf")
        if first and first > head then
          raised[#raised + 1], raised[#raised + 2] = first, rows[i]
          head = first
        end
        best = found or best
      end
      lowest = math.min(lowest or head, head)
    end
    if over then
      break
    end
    from, count = from + count, math.min(count * 2, 256)
  end
  if #raised > 0 then
    demand.note(bucket, raised, lowest > bound and lowest or nil)
  end
  return best
end

--- Does a ready worker of the same class, with as much room and nothing declined, prove that only an Id is left to ask for?
local function has_mate(worker, class)
  if class.limited or class.capacity == 0 then
    return false
  end
  local rows = supply.first(class.hash, 0, 2)
  local mate = rows[1] ~= worker.id and rows[1] or rows[3]
  if not mate then
    return false
  end
  local row = redis.call("HMGET", keys.worker(mate), "used", "open", "declined")
  return tonumber(row[1] or 0) <= worker.used and tonumber(row[2] or 0) == 0 and not row[3]
end

--- The first job in queue order that a worker may take, or nil.
---@param alone boolean whether nothing else has changed since the router was at rest (then a ready class-mate proves much)
---@return table|nil found job, score
function peek.first(worker, alone)
  decisions.begin()
  local class = classes.get(worker.class)
  local listed = demand.bounds(demand.buckets_for(class, worker.id))
  if #listed == 0 then
    return nil
  end
  local only_id = {}
  if alone and has_mate(worker, class) then
    for _, bucket in ipairs(demand.buckets_for(class, worker.id, true)) do
      only_id[bucket] = true
    end
  else
    only_id = nil
  end
  table.sort(listed, function(a, b)
    return a.bound < b.bound
  end)
  local best
  for _, row in ipairs(listed) do
    if best and row.bound >= best.score then
      break
    end
    if not only_id or only_id[row.name] then
      best = best_of_bucket(worker, class, row.name, row.bound, best)
    end
  end
  return best
end
