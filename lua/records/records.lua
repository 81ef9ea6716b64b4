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
  local record = { id = id, key = key, stored = true, row = {} }
  for i = 1, #flat, 2 do
    local field, value = flat[i], flat[i + 1]
    record[field] = numeric[field] and tonumber(value) or value
  end
  return record
end

--- A record that is not stored yet.
function records.new(key, id)
  return { id = id, key = key, stored = false, row = {} }
end

-- takes a field out of what is to be written
local function strike(list, field, step)
  for i = #list - step + 1, 1, -step do
    if list[i] == field then
      for _ = 1, step do
        table.remove(list, i)
      end
    end
  end
end

--- Writes a field at the end of the call; nil removes it.
function records.put(record, field, value)
  if value ~= nil then
    local row = record.row
    local n = #row
    row[n + 1], row[n + 2] = field, value
    if record.gone then
      strike(record.gone, field, 1)
    end
  else
    strike(record.row, field, 2)
    local gone = record.gone or {}
    gone[#gone + 1] = field
    record.gone = gone
  end
end

--- Changes a field; nil removes it.
function records.set(record, field, value)
  if record[field] ~= value then
    record[field] = value
    records.put(record, field, value)
  end
end

--- Lays what is not written yet over stored fields.
---@param stored table field to value
---@return table stored
function records.overlay(record, stored)
  local row = record.row
  for i = 1, #row, 2 do
    stored[row[i]] = row[i + 1]
  end
  for _, field in ipairs(record.gone or {}) do
    stored[field] = nil
  end
  return stored
end

--- Writes what has changed.
function records.save(record)
  local row, gone = record.row, record.gone
  -- the place of its last event
  if record.told then
    local n = #row
    row[n + 1], row[n + 2] = "event", record.event
    record.told = nil
  end
  if row[1] then
    redis.call("HSET", record.key, unpack(row))
    record.row = {}
  end
  if gone then
    if record.stored and gone[1] then
      redis.call("HDEL", record.key, unpack(gone))
    end
    record.gone = nil
  end
  record.stored = true
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
