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
  local record = { id = id, key = key, stored = true, row = false, n = 0 }
  for i = 1, #flat, 2 do
    local field = flat[i]
    record[field] = numeric[field] and tonumber(flat[i + 1]) or flat[i + 1]
  end
  return record
end

--- A record that is not stored yet.
function records.new(key, id)
  return { id = id, key = key, stored = false, row = false, n = 0 }
end

--- What is to be written: field, value, field, value, …, of one field the last; `n` tells how many.
---@return table row
function records.row(record)
  -- with room for what most calls write: a list that grows is made anew again and again
  local row = record.row
    or { nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil }
  record.row = row
  return row
end

-- takes a field out of what is to be written, and of what is to be removed
local function strike(record, field)
  local row, n = record.row, 0
  for i = 1, record.n, 2 do
    if row[i] ~= field then
      row[n + 1], row[n + 2] = row[i], row[i + 1]
      n = n + 2
    end
  end
  record.n = n
  local gone = record.gone
  for i = gone and #gone or 0, 1, -1 do
    if gone[i] == field then
      table.remove(gone, i)
    end
  end
end

--- Writes a field at the end of the call; nil removes it.
function records.put(record, field, value)
  if value == nil then
    strike(record, field)
    local gone = record.gone or {}
    gone[#gone + 1] = field
    record.gone = gone
    return
  end
  for i = 1, record.gone and #record.gone or 0 do
    if record.gone[i] == field then
      strike(record, field)
      break
    end
  end
  local row, n = record.row or records.row(record), record.n
  row[n + 1], row[n + 2] = field, value
  record.n = n + 2
end

--- Changes a field; nil removes it.
function records.set(record, field, value)
  if record[field] ~= value then
    record[field] = value
    records.put(record, field, value)
  end
end

-- puts into what is to be written what is kept for the end, as one call may change it several times: `moved` (status and ETag),
-- `dealt` (the open offers of a job), `told` (the place of its last event)
local function settle(record)
  local row, n = record.row or records.row(record), record.n
  if record.moved then
    row[n + 1], row[n + 2] = "status", record.status
    row[n + 3], row[n + 4] = "rev", record.rev
    row[n + 5], row[n + 6] = "modified_at", record.modified_at
    n, record.moved = n + 6, nil
  end
  if record.dealt then
    row[n + 1], row[n + 2] = "offers", record.offers
    n, record.dealt = n + 2, nil
  end
  if record.told then
    row[n + 1], row[n + 2] = "event", record.event
    n, record.told = n + 2, nil
  end
  record.n = n
end

--- Lays what is not written yet over stored fields.
---@param stored table field to value
---@return table stored
function records.overlay(record, stored)
  settle(record)
  local row = record.row
  for i = 1, record.n, 2 do
    stored[row[i]] = row[i + 1]
  end
  for _, field in ipairs(record.gone or {}) do
    stored[field] = nil
  end
  return stored
end

--- Writes what has changed.
function records.save(record)
  if record.moved or record.dealt or record.told then
    settle(record)
  end
  local gone = record.gone
  if record.n > 0 then
    redis.call("HSET", record.key, unpack(record.row, 1, record.n))
    record.row, record.n = false, 0
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
