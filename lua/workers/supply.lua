-- Supply classes: workers with equal queues, channels, capacity, offer limit and labels, and their ready members in lanes.
--
-- A class has one lane for all its channels without a maximum and one for each channel with one. A lane holds the workers
-- with room, by (load level, available since). queue.supply holds for each lane a lower bound of its first score.

local LEVEL = 2 ^ 40

--- Starts a call.
function supply.begin()
  supply.corrections = nil
end

--- The lane in which a class keeps its workers for a channel, or nil.
function supply.lane(class, channel_id)
  local channel = class.channels[channel_id]
  if not channel then
    return nil
  end
  if channel.max then
    return class.hash .. ":" .. channel_id, channel
  end
  return class.hash, channel
end

--- The class of a lane.
function supply.class_of_lane(lane)
  return classes.get(string.sub(lane, 1, 40))
end

--- The highest score in a lane that may have room for a channel.
function supply.top(class, channel)
  if channel.cost > class.capacity then
    return -1
  end
  return (capacity.level(class.capacity - channel.cost, class.capacity) + 1) * LEVEL - 1
end

--- The load level of a score, and the first score of a level.
function supply.level_of(score)
  return math.floor(score / LEVEL)
end

function supply.level_start(level)
  return level * LEVEL
end

-- ---- joining and leaving ----------------------------------------------------------------------------------------

-- the set of a queue's classes has changed: its version is a hash of its whole history
local function change_classes(queue, hash, sign)
  if sign == "+" then
    redis.call("SADD", keys.queue_classes(queue), hash)
  else
    redis.call("SREM", keys.queue_classes(queue), hash)
  end
  local version = redis.call("GET", keys.queue_version(queue)) or ""
  redis.call("SET", keys.queue_version(queue), redis.sha1hex(version .. sign .. hash))
end

--- An active worker becomes a member of its class.
function supply.join(worker)
  local text = classes.text_of(worker)
  local hash = redis.sha1hex(text)
  workers.set(worker, "class", hash)
  worker.placed = worker.placed or {}
  local class = classes.remember(hash, text)
  if redis.call("HINCRBY", keys.class(hash), "size", 1) == 1 then
    redis.call("HSET", keys.class(hash), "text", text)
    label_index.enter(keys.class_labels(), class)
    for _, queue in ipairs(class.queues) do
      change_classes(queue, hash, "+")
    end
  end
  capacity.recount(worker, class)
end

--- A worker leaves its class and its lanes.
function supply.leave(worker)
  if not worker.class then
    return
  end
  local class = classes.get(worker.class)
  for lane in pairs(worker.placed) do
    redis.call("ZREM", keys.class_ready(lane), worker.id)
  end
  worker.placed = {}
  if worker.filling then
    fillings.leave(worker)
  end
  if op.round_robin > 0 then
    for _, queue in ipairs(class.queues) do
      redis.call("ZREM", keys.queue_turn(queue), worker.id .. "\0" .. class.hash)
    end
  end
  if redis.call("HINCRBY", keys.class(class.hash), "size", -1) == 0 then
    redis.call("DEL", keys.class(class.hash))
    label_index.leave(keys.class_labels(), class)
    for _, queue in ipairs(class.queues) do
      change_classes(queue, class.hash, "-")
      for _, lane in ipairs(class.lanes) do
        redis.call("ZREM", keys.queue_supply(queue), lane.name)
      end
    end
  end
  workers.set(worker, "class", nil)
  capacity.forget(worker, class)
end

--- The classes of a queue that may fit a demand class: with many, those that the label index gives for a selector.
---@param wanted table demand class
function supply.candidates(wanted)
  local key, list = keys.queue_classes(wanted.queue), {}
  local range = #wanted.selectors > 0
    and redis.call("SCARD", key) > limits.REMEMBERED_CLASSES
    and label_index.narrowest(keys.class_labels(), wanted.selectors)
  if not range then
    for i, hash in ipairs(redis.call("SMEMBERS", key)) do
      list[i] = classes.get(hash)
    end
    return list
  end
  label_index.each_portion(keys.class_labels(), range, function(hashes)
    for _, hash in ipairs(hashes) do
      local class = classes.get(hash)
      list[#list + 1] = class.serves[wanted.queue] and class or nil
    end
  end)
  return list
end

-- ---- lanes -------------------------------------------------------------------------------------------------------

-- the lanes in which a worker belongs: name to score
local function wanted(worker)
  local place = {}
  if not worker.class or worker.state ~= "active" or worker.filling then
    return place
  end
  local class = classes.get(worker.class)
  if worker.open >= classes.offer_limit(class) then
    return place
  end
  local score = capacity.level(worker.used, class.capacity) * LEVEL + worker.avail
  for _, lane in ipairs(class.lanes) do
    local channel = lane.channel
    if
      worker.used + lane.cost <= class.capacity
      and (not channel or capacity.count(worker, channel.id) < channel.max)
    then
      place[lane.name] = score
    end
  end
  return place
end

--- Notes in which lanes a worker that was just read stands.
function supply.remember_place(worker)
  fillings.remember_worker(worker)
  worker.placed = wanted(worker)
end

-- a lane's first score has become smaller: its bound must follow at once, in every queue of the class
local function lower_bounds(class, worker, lane, score)
  if #class.queues > 1 and redis.call("ZRANK", keys.class_ready(lane), worker.id) ~= 0 then
    return
  end
  for _, queue in ipairs(class.queues) do
    redis.call("ZADD", keys.queue_supply(queue), "LT", score, lane)
  end
end

local function take_turn(class, worker)
  for _, queue in ipairs(class.queues) do
    if queues.load(queue) and queues.plan(queue).mode == "roundRobin" then
      redis.call("ZADD", keys.queue_turn(queue), 0, worker.id .. "\0" .. class.hash)
    end
  end
end

--- Puts a worker into the lanes where it belongs now, and out of the others.
function supply.place(worker)
  local before, after = worker.placed, wanted(worker)
  if next(before) == nil and next(after) == nil then
    return
  end
  for lane in pairs(before) do
    if not after[lane] then
      redis.call("ZREM", keys.class_ready(lane), worker.id)
    end
  end
  local class = next(after) and classes.get(worker.class)
  for lane, score in pairs(after) do
    if before[lane] ~= score then
      redis.call("ZADD", keys.class_ready(lane), score, worker.id)
      if not before[lane] or score < before[lane] then
        lower_bounds(class, worker, lane, score)
      end
    end
  end
  if op.round_robin > 0 and class and next(before) == nil then
    take_turn(class, worker)
  end
  worker.placed = after
end

--- The first members of a lane from a place on: id, score, id, score …
function supply.first(lane, from, count)
  return redis.call("ZRANGE", keys.class_ready(lane), from, from + count - 1, "WITHSCORES")
end

--- Fills the turns of a queue that has just begun to go round: all its ready workers.
function supply.fill_turns(queue)
  for _, hash in ipairs(redis.call("SMEMBERS", keys.queue_classes(queue))) do
    for _, lane in ipairs(classes.get(hash).lanes) do
      local row = {}
      for i, id in ipairs(redis.call("ZRANGE", keys.class_ready(lane.name), 0, -1)) do
        row[2 * i - 1], row[2 * i] = 0, id .. "\0" .. hash
      end
      portions.add(keys.queue_turn(queue), row)
    end
  end
end

-- ---- bounds: only a search corrects them, in its own queue ---------------------------------------------------------

local function noted(queue)
  supply.corrections = supply.corrections or { raise = {}, drop = {}, idle = {} }
  supply.corrections.queue = queue
  return supply.corrections
end

--- Notes turns whose workers have no room at all: each comes back when its worker is ready again.
function supply.idle_turns(queue, members)
  if #members > 0 then
    noted(queue).idle = members
  end
end

--- Notes what a search has found of a lane: its true first score, or nil when it is empty.
function supply.note(queue, lane, first)
  local list = noted(queue)
  if first then
    list.raise[#list.raise + 1] = first
    list.raise[#list.raise + 1] = lane
  else
    list.drop[#list.drop + 1] = lane
  end
end

--- Writes the noted bounds. Only between a search and the next change, else they would no longer be lower bounds.
function supply.correct()
  local list = supply.corrections
  if list then
    portions.add(keys.queue_supply(list.queue), list.raise)
    portions.remove(keys.queue_supply(list.queue), list.drop)
    portions.remove(keys.queue_turn(list.queue), list.idle)
    supply.corrections = nil
  end
end
