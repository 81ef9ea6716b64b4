-- Longest idle: the ready worker with the least load, of equal ones the longest available.

--- The first worker of a lane that may be asked, below a score.
---@return table|nil pick worker, score, lane, class
---@return number|nil first the lane's first score
---@return number|nil second the lane's second score
local function first_of(job, wanted, lane, class, channel, below)
  local from, count, first, second = 0, 2, nil, nil
  local top = supply.top(class, channel)
  decisions.search()
  while true do
    local rows = supply.first(lane, from, count)
    if from == 0 then
      first, second = tonumber(rows[2]), tonumber(rows[4])
    end
    for i = 1, #rows, 2 do
      local score = tonumber(rows[i + 1])
      if score > top or (below and score >= below) then
        return nil, first, second
      end
      if modes.may_ask(job, wanted, class, channel, rows[i]) then
        local pick = { worker = rows[i], score = score, lane = lane, class = class }
        pick.is_first = from == 0 and i == 1
        pick.second = second
        return pick, first, second
      end
    end
    if #rows < 2 * count then
      return nil, first, second
    end
    from, count = from + count, math.min(count * 2, 64)
  end
end

local function note_bound(queue, lane, bound, first)
  if not first or first > bound then
    supply.note(queue, lane, first)
  end
end

local memo = { size = 0, of = {} }

-- the lanes of a queue that fit a demand class, or nil where they are too many to look at each;
-- kept for each tenant under the version of the queue's set of classes, which names its whole history.
-- In a queue with many classes instead where the label index has those that may fit.
local function fitting_lanes(wanted)
  local version = redis.call("GET", keys.queue_version(wanted.queue)) or ""
  local name = keys.root .. wanted.name
  local known = memo.of[name]
  if known and known.version == version then
    return known.lanes
  end
  if redis.call("SCARD", keys.queue_classes(wanted.queue)) > limits.REMEMBERED_CLASSES then
    return nil, label_index.narrowest(keys.class_labels(), wanted.selectors)
  end
  local lanes = {}
  for _, hash in ipairs(redis.call("SMEMBERS", keys.queue_classes(wanted.queue))) do
    local class = classes.get(hash)
    local lane = supply.lane(class, wanted.channel)
    if lane and selectors.class_fits(wanted.selectors, class.labels) then
      lanes[#lanes + 1] = lane
    end
  end
  -- that there are too many to look at each is all there is to remember of them
  lanes = #lanes <= limits.DIRECT_LANES and lanes or nil
  memos.put(memo, name, { version = version, lanes = lanes })
  return lanes
end

-- looks into one lane; the better of its first worker that may be asked and of the best so far
local function look(job, wanted, lane, bound, best)
  local class = supply.class_of_lane(lane)
  local own, channel = supply.lane(class, wanted.channel)
  if own ~= lane or bound > supply.top(class, channel) then
    return best
  end
  if not selectors.class_fits(wanted.selectors, class.labels) then
    return best
  end
  local pick, first = first_of(job, wanted, lane, class, channel, best and best.score)
  note_bound(wanted.queue, lane, bound, first)
  return pick or best
end

-- those of some lanes that have ready workers in the queue, below a score, in the order of their bounds
local function listed(queue, lanes, below)
  local list = {}
  if #lanes == 0 then
    return list
  end
  for i, bound in ipairs(redis.call("ZMSCORE", keys.queue_supply(queue), unpack(lanes))) do
    bound = tonumber(bound)
    if bound and not (below and bound >= below) then
      list[#list + 1] = { lane = lanes[i], bound = bound }
    end
  end
  table.sort(list, function(a, b)
    return a.bound < b.bound
  end)
  return list
end

-- the better of the best worker of some lanes and of the best so far
local function best_of(job, wanted, lanes, best)
  for _, row in ipairs(listed(wanted.queue, lanes, best and best.score)) do
    if best and row.bound >= best.score then
      best.next_bound = row.bound
      break
    end
    best = look(job, wanted, row.lane, row.bound, best)
  end
  return best
end

-- the better of the best worker of a range of the label index and of the best so far
local function best_of_range(job, wanted, range, best)
  label_index.each_portion(keys.class_labels(), range, function(hashes)
    local lanes = {}
    for _, hash in ipairs(hashes) do
      lanes[#lanes + 1] = hash
      lanes[#lanes + 1] = hash .. ":" .. wanted.channel
    end
    best = best_of(job, wanted, lanes, best)
  end)
  return best
end

--- The ready worker with the least load, of equal ones the longest available.
---@param wanted table the job's demand class
---@param alone boolean whether nothing else has changed since the router was at rest (then a waiting twin proves there is none)
function longest_idle.pick(job, wanted, alone)
  local best, from, count, range = nil, 0, 2, nil
  while true do
    local rows = redis.call("ZRANGE", keys.queue_supply(wanted.queue), from, from + count - 1, "WITHSCORES")
    for i = 1, #rows, 2 do
      local bound = tonumber(rows[i + 1])
      if best and bound >= best.score then
        best.next_bound = bound
        return best
      end
      best = look(job, wanted, rows[i], bound, best)
    end
    if #rows < 2 * count then
      return best
    end
    if from == 0 and not best then
      if alone and demand.is_stuck(wanted.name, job.id) then
        return nil
      end
      local lanes
      if #wanted.selectors > 0 then
        lanes, range = fitting_lanes(wanted)
      end
      if lanes then
        supply.corrections = nil
        return best_of(job, wanted, lanes)
      end
    end
    if range and range.count <= (from + count) * limits.CLASSES_PER_LANE then
      return best_of_range(job, wanted, range, best)
    end
    from, count = from + count, math.min(count * 2, 256)
  end
end
