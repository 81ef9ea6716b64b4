-- Events of a subscription that could not be delivered, and those of the same lane (its job) that wait behind them.
--
-- A lane's events stand in `parked` by their places, as `<lane> NUL <place>`, without their payloads, which the outbox has. The
-- lane's next try is due at its time in `parked.due`, and tries the first of them. `parked.tries` keeps, in the words of whoever
-- delivers, what is known of the tries of an event; `parked.copies` the events that a replay has brought back, which the outbox
-- may not have any more. A lane is in `parked.due` while it has an event in `parked`.

-- places in the order of their numbers
local function member(lane, place)
  local number, k = string.match(place, "^(%d+)%.(%d+)$")
  return lane .. "\0" .. string.format("%016.0f.%05d", tonumber(number), tonumber(k))
end

--- Lane and place of a member of `parked`.
function parking.parts(text)
  local lane, number, k = string.match(text, "^(.*)%z(%d+)%.(%d+)$")
  return lane, string.format("%.0f.%d", tonumber(number), tonumber(k))
end

--- The number of the entry that a place is in.
---@param place string <op>.<k>
function parking.number_of(place)
  return tonumber(string.match(place, "^%d+"))
end

--- The first places of a lane.
---@param count number none when it is 0
function parking.first(id, lane, count)
  local found = redis.call("ZRANGEBYLEX", keys.parked(id), "[" .. lane .. "\0", "(" .. lane .. "\1", "LIMIT", 0, count)
  for i = 1, #found do
    local _, place = parking.parts(found[i])
    found[i] = place
  end
  return found
end

--- How many events wait.
function parking.size(id)
  return redis.call("ZCARD", keys.parked(id))
end

--- How many more may.
function parking.room(id)
  return math.max(0, limits.setting("parked_events") - parking.size(id))
end

--- In how many ms the next try is due, 0 when one is; -1 when nothing waits.
function parking.due_in(id)
  local row = redis.call("ZRANGE", keys.parked_due(id), 0, 0, "WITHSCORES")
  return row[1] and math.max(0, tonumber(row[2]) - clock.now) or -1
end

--- An event waits in its lane; the lane is tried at once when nothing else waits there.
function parking.add(id, lane, place)
  redis.call("ZADD", keys.parked(id), 0, member(lane, place))
  redis.call("ZADD", keys.parked_due(id), "NX", clock.text, lane)
end

--- The try of an event has failed: the lane waits.
---@param delay_ms number for so long
---@param tries string what is known of its tries
function parking.put_off(id, lane, place, delay_ms, tries)
  redis.call("ZADD", keys.parked(id), 0, member(lane, place))
  redis.call("ZADD", keys.parked_due(id), clock.now + delay_ms, lane)
  redis.call("HSET", keys.parked_tries(id), place, tries)
end

--- An event waits no more: the next of its lane is tried at once.
---@return boolean empty true when there is none
function parking.remove(id, lane, place)
  local was_there = redis.call("ZREM", keys.parked(id), member(lane, place)) == 1
  redis.call("HDEL", keys.parked_tries(id), place)
  redis.call("HDEL", keys.parked_copies(id), place)
  if #parking.first(id, lane, 1) == 0 then
    redis.call("ZREM", keys.parked_due(id), lane)
    return true
  end
  if was_there then
    redis.call("ZADD", keys.parked_due(id), "XX", clock.text, lane)
  end
  return false
end

--- An event that was given up is tried once more, at once, before the others of its lane.
---@param copy string its payload
function parking.bring_back(id, lane, place, copy)
  redis.call("ZADD", keys.parked(id), 0, member(lane, place))
  redis.call("ZADD", keys.parked_due(id), clock.text, lane)
  redis.call("HSET", keys.parked_copies(id), place, copy)
end

--- The payload of an event, and when it happened (epoch ms): from the outbox, or from its copy; nil when neither is there.
---@return string|nil payload
---@return number|nil at of an event of the outbox
function parking.payload(id, place)
  local copy = redis.call("HGET", keys.parked_copies(id), place)
  if copy then
    return copy, nil
  end
  local number, k = string.match(place, "^(%d+)%.(%d+)$")
  local entry = redis.call("XRANGE", keys.events(), number .. "-0", number .. "-0")[1]
  if entry then
    return outbox.event(entry[2], tonumber(k))
  end
  return nil
end

--- The lanes that are due, with their first events.
---@param count number at most so many
---@return table rows lane, place, tries, payload and at; without payload when it is not kept any more
function parking.due(id, count)
  local rows = {}
  for i, lane in ipairs(redis.call("ZRANGEBYSCORE", keys.parked_due(id), "-inf", clock.now, "LIMIT", 0, count)) do
    local place = parking.first(id, lane, 1)[1]
    local row = { "lane", lane, "place", place }
    local tries = redis.call("HGET", keys.parked_tries(id), place)
    local payload, at = parking.payload(id, place)
    row[5], row[6], row[7], row[8] = "tries", tries or "", "payload", payload or ""
    row[9], row[10] = "at", at or 0
    rows[i] = row
  end
  return rows
end
