-- Records kept as hashes: loaded once per call, written once at its end, only the fields that have changed.

--- Loads a hash as a record, or nil.
---@param key string
---@param id string
---@param numeric table names of the fields that are numbers
function records.load(key, id, numeric)
  local flat = redis.call("HGETALL", key)
  if #flat == 0 then
    return nil
  end
  -- a table that grows field by field is made anew again and again: these take the room that the fields then use
  local record = {
    id = id,
    key = key,
    stored = true,
    changes = {},
    placed = false,
    status = false,
    channel = false,
    queue = false,
    created = false,
    created_at = false,
    enqueued_at = false,
    modified_at = false,
    doc = false,
    rev = false,
    event = false,
    offers = false,
  }
  for i = 1, #flat, 2 do
    local field = flat[i]
    record[field] = numeric[field] and tonumber(flat[i + 1]) or flat[i + 1]
  end
  return record
end

--- A record that is not stored yet.
function records.new(key, id)
  return { id = id, key = key, stored = false, changes = {} }
end

--- Changes a field; nil removes it.
function records.set(record, field, value)
  if record[field] == value then
    return
  end
  record[field] = value
  if value == nil then
    value = false
  end
  record.changes[field] = value
end

--- Writes what has changed.
function records.save(record)
  local changes = record.changes
  if next(changes) == nil then
    return
  end
  local row, gone, n = {}, nil, 0
  for field, value in pairs(changes) do
    if value == false then
      gone = gone or {}
      gone[#gone + 1] = field
    else
      row[n + 1] = field
      row[n + 2] = value
      n = n + 2
    end
  end
  if n > 0 then
    redis.call("HSET", record.key, unpack(row))
  end
  if gone and record.stored then
    redis.call("HDEL", record.key, unpack(gone))
  end
  record.stored = true
  record.changes = {}
end

--- The stored hash as flat list with the id in front: what a read replies.
function records.flat(key, id)
  local flat = redis.call("HGETALL", key)
  if #flat == 0 then
    return nil
  end
  flat[#flat + 1] = "id"
  flat[#flat + 1] = id
  return flat
end
