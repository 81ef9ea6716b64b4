-- Label sets: queues with equal labels are interchangeable for queue selectors but for their Id and their length.
--
-- A label set is named by the SHA-1 of its labels. Its queues stand in a sorted set, by their number of waiting jobs, which is
-- kept while any classification policy selects queues (op.selecting counts these).

-- queues of a label set that are looked at first, and then at a time: usually the first fits
local FIRST, CHUNK = 2, 16
local fitting = { size = 0, of = {} }

-- ---- keeping ----------------------------------------------------------------------------------------------------

-- the set of label sets has changed: its version is a hash of its whole history
local function change_version(hash, sign)
  local version = redis.call("HGET", keys.label_sets(), "version") or ""
  redis.call("HSET", keys.label_sets(), "version", redis.sha1hex(version .. sign .. hash))
end

local function leave(queue)
  local key = keys.label_set(queue.label_set)
  redis.call("ZREM", key, queue.id)
  if redis.call("EXISTS", key) == 0 then
    local labels = redis.call("HGET", keys.label_sets(), queue.label_set)
    label_index.leave(keys.label_sets_index(), { hash = queue.label_set, labels = document.members(labels) })
    redis.call("HDEL", keys.label_sets(), queue.label_set)
    change_version(queue.label_set, "-")
  end
end

--- A queue has these labels from now on.
---@param labels string its document
function label_sets.join(queue, labels)
  local hash = redis.sha1hex(labels)
  if queue.label_set == hash then
    return
  end
  if queue.label_set then
    leave(queue)
  end
  local length = op.selecting > 0 and redis.call("ZCARD", keys.queue_order(queue.id)) or 0
  redis.call("ZADD", keys.label_set(hash), length, queue.id)
  if redis.call("HSETNX", keys.label_sets(), hash, labels) == 1 then
    label_index.enter(keys.label_sets_index(), { hash = hash, labels = document.members(labels) })
    change_version(hash, "+")
  end
  records.set(queue, "label_set", hash)
end

--- A queue goes away.
function label_sets.leave(queue)
  leave(queue)
end

--- A job has joined a queue (1) or left it (-1).
function label_sets.count(queue_id, by)
  if op.selecting > 0 then
    redis.call("ZINCRBY", keys.label_set(queues.load(queue_id).label_set), by, queue_id)
  end
end

local function count_all()
  for _, hash in ipairs(redis.call("HKEYS", keys.label_sets())) do
    if hash ~= "version" then
      for _, queue_id in ipairs(redis.call("ZRANGE", keys.label_set(hash), 0, -1)) do
        redis.call("ZADD", keys.label_set(hash), redis.call("ZCARD", keys.queue_order(queue_id)), queue_id)
      end
    end
  end
end

--- A classification policy asks for queues from now on (1), or does so no more (-1): the first makes all queues be counted.
function label_sets.change_asking(by)
  op.selecting = op.selecting + by
  op.change_rest()
  if by == 1 and op.selecting == 1 then
    count_all()
  end
end

-- ---- finding ----------------------------------------------------------------------------------------------------

-- adds those label sets whose labels fit
local function add_fitting(found, wanted, hashes, labels)
  for i, hash in ipairs(hashes) do
    if selectors.class_fits(wanted, document.members(labels[i])) then
      found[#found + 1] = hash
    end
  end
end

-- all label sets, where no selector tells which may fit
local function add_of_all(found, wanted)
  local hashes, labels = {}, {}
  for hash, text in pairs(texts.pairs(redis.call("HGETALL", keys.label_sets()))) do
    if hash ~= "version" then
      hashes[#hashes + 1] = hash
      labels[#labels + 1] = text
    end
  end
  add_fitting(found, wanted, hashes, labels)
end

-- the hashes of the label sets that fit, remembered under their version
local function fitting_sets(text)
  local version = redis.call("HGET", keys.label_sets(), "version") or ""
  local name = version .. "\0" .. text
  local found = fitting.of[name]
  if found then
    return found
  end
  found = {}
  local wanted = selectors.list(text)
  local range = label_index.narrowest(keys.label_sets_index(), wanted)
  if range then
    label_index.each_portion(keys.label_sets_index(), range, function(hashes)
      local labels = #hashes > 0 and redis.call("HMGET", keys.label_sets(), unpack(hashes)) or {}
      add_fitting(found, wanted, hashes, labels)
    end)
  else
    add_of_all(found, wanted)
  end
  return memos.put(fitting, name, found)
end

-- is the first queue chosen before the second? The shortest, then the first by id.
local function comes_before(a, b)
  return not b or a.length < b.length or (a.length == b.length and texts.before(a.id, b.id))
end

-- the shortest queue of a label set that selectors on Id leave; a queue of its own counts without the job itself
local function shortest(hash, wanted, own)
  local key, from, count, best = keys.label_set(hash), 0, FIRST, nil
  while true do
    local rows = redis.call("ZRANGE", key, from, from + count - 1, "WITHSCORES")
    for i = 1, #rows, 2 do
      if rows[i] ~= own and selectors.id_fits(wanted, rows[i]) then
        best = { id = rows[i], length = tonumber(rows[i + 1]) }
        break
      end
    end
    if best or #rows < 2 * count then
      break
    end
    from, count = from + count, CHUNK
  end
  local length = own and redis.call("ZSCORE", key, own)
  if length and selectors.id_fits(wanted, own) then
    local mine = { id = own, length = tonumber(length) - 1 }
    best = comes_before(mine, best) and mine or best
  end
  return best
end

-- the one queue that a selector asks for
local function named(id, wanted)
  local labels = queues.load(id) and (redis.call("HGET", keys.queue(id), "labels") or "")
  local fits = labels and selectors.class_fits(wanted, document.members(labels)) and selectors.id_fits(wanted, id)
  return fits and id or nil
end

--- The queue that fits selectors: of several the shortest, then the first by id. nil when there is none.
---@param text string selectors, at least one
---@param own string|nil the queue in whose order the job stands now: it does not count itself
function label_sets.find(text, own)
  local wanted = selectors.list(text)
  for _, selector in ipairs(wanted) do
    if selector.key == '"Id"' and selector.operator == "=" then
      return type(selector.value) == "string" and named(selector.value, wanted) or nil
    end
  end
  local best
  for _, hash in ipairs(fitting_sets(text)) do
    local found = shortest(hash, wanted, own)
    if found and comes_before(found, best) then
      best = found
    end
  end
  return best and best.id
end
