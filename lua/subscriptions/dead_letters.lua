-- Events of a subscription that were given up, with their payloads: a stream, id <op>-<k>, bounded by age and by count.

-- how many this call has written
local made

--- Starts a call.
function dead_letters.begin()
  made = 0
end

local function write(id, ...)
  made = made + 1
  redis.call("XADD", keys.dead_letters(id), string.format("%.0f-%d", op.number(), made), "at", clock.text, ...)
end

--- An event is given up.
---@param facts string what is known of its tries, in the words of whoever delivers
---@param payload string
function dead_letters.add(id, lane, place, facts, payload)
  write(id, "lane", lane, "place", place, "facts", facts, "event", payload)
end

--- Events are lost: the outbox has not kept them for long enough.
---@param first string the first that may be lost
---@param last string the last that is
function dead_letters.add_lost(id, first, last)
  write(id, "first", first, "last", last)
end

--- Writes down how many there are, for those who look.
function dead_letters.tell(id)
  redis.call("HSET", keys.subscription(id), "dead", redis.call("XLEN", keys.dead_letters(id)))
end

--- Removes one portion of those that are too old or too many.
---@return boolean changed
function dead_letters.trim(id)
  local key, portion = keys.dead_letters(id), limits.setting("batch")
  local surplus = redis.call("XLEN", key) - limits.setting("keep_dead_letters_count")
  if surplus > 0 then
    redis.call("XTRIM", key, "MAXLEN", redis.call("XLEN", key) - math.min(surplus, portion))
  end
  local oldest_kept, old = clock.now - limits.setting("keep_dead_letters_ms"), {}
  for _, entry in ipairs(redis.call("XRANGE", key, "-", "+", "COUNT", portion)) do
    if tonumber(entry[2][2]) > oldest_kept then
      break
    end
    old[#old + 1] = entry[1]
  end
  if old[1] then
    redis.call("XDEL", key, unpack(old))
  end
  return surplus > 0 or old[1] ~= nil
end

--- Refuses what is no id of a dead letter; the empty text is none and goes through.
function dead_letters.check_id(id)
  if type(id) ~= "string" or (id ~= "" and not string.find(id, "^%d+%-%d+$")) or #id > 40 then
    refuse.bad_call("the id of a dead letter is <number>-<number>")
  end
end

-- a row for an entry of the stream
local function show(entry)
  local row = { "id", entry[1] }
  for i = 1, #entry[2] do
    row[i + 2] = entry[2][i]
  end
  return row
end

--- One page, oldest first.
---@param after string exclusive, "" = from the oldest
---@return table rows
---@return string next "" on the last page
function dead_letters.page(id, after, limit)
  local from = after == "" and "-" or "(" .. after
  local entries, rows = redis.call("XRANGE", keys.dead_letters(id), from, "+", "COUNT", limit), {}
  for i, entry in ipairs(entries) do
    rows[i] = show(entry)
  end
  return rows, #entries == limit and entries[#entries][1] or ""
end

--- The entries that are to be replayed: those of the ids, or one portion of those after one and up to another.
---@return table entries
---@return string next after of the next portion, "" when this was the last
function dead_letters.chosen(id, ids, after, last)
  local key, entries = keys.dead_letters(id), {}
  if ids[1] then
    for _, one in ipairs(ids) do
      entries[#entries + 1] = one ~= "" and redis.call("XRANGE", key, one, one)[1] or nil
    end
    return entries, ""
  end
  local from, to = after == "" and "-" or "(" .. after, last == "" and "+" or last
  entries = redis.call("XRANGE", key, from, to, "COUNT", limits.REPLAYED_EVENTS)
  return entries, #entries == limits.REPLAYED_EVENTS and entries[#entries][1] or ""
end

--- Events are delivered once more; what tells of lost ones stays.
---@return number count
function dead_letters.replay(subscription, entries)
  local count = 0
  for _, entry in ipairs(entries) do
    local fields = texts.pairs(entry[2])
    if fields.event and fields.event ~= "" then
      parking.bring_back(subscription.id, fields.lane, fields.place, fields.event)
      redis.call("XDEL", keys.dead_letters(subscription.id), entry[1])
      count = count + 1
    end
  end
  if count > 0 then
    dead_letters.tell(subscription.id)
    subscriptions.ring()
  end
  return count
end
