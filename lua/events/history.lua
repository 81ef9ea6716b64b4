-- History: the events of one job or worker, newest first. Each entry of the outbox links an event to the previous one of its
-- job and of its worker, and their records hold the place of the last: so no index is kept.

local SIDES = { job = 1, worker = 2 }

-- an entry that is still kept, with the links of each of its events; nil when it is not
local function read(number)
  local id = number .. "-0"
  local found = redis.call("XRANGE", keys.events(), id, id)[1]
  if not found then
    return nil
  end
  local entry = texts.pairs(outbox.show(found))
  entry.number, entry.of = number, {}
  for job, worker in string.gmatch(entry.links, "([^, ]+),([^, ]+)") do
    entry.of[#entry.of + 1] = { job, worker }
  end
  return entry
end

local function split(place)
  local number, k = string.match(place, "^(%d+)%.(%d+)$")
  return number, tonumber(k)
end

-- the place of the event before one that the caller names, and its time; false when it is not kept any more
local function begin_before(kind, id, place)
  local number, k = split(place)
  if not number or #number > 15 then
    refuse.bad_call("before must be the place of an event, as 17.2")
  end
  local entry = read(number)
  if not entry then
    return false
  end
  if not entry.of[k] or not outbox.is_about(entry.events[2 * k], kind, id) then
    refuse.invalid("before is no event of this " .. kind)
  end
  return entry.of[k][SIDES[kind]], tonumber(entry.at)
end

-- from a place on: the events, the place of the first that is not kept any more (or nil), whether there may be more
local function walk(kind, place, limit)
  local rows, bytes, entry = {}, 0, nil
  while place ~= "-" do
    if #rows == limit or bytes > limits.HISTORY_BYTES then
      return rows, nil, true
    end
    local number, k = split(place)
    if not entry or entry.number ~= number then
      entry = read(number)
    end
    if not entry then
      return rows, place, false
    end
    local event = entry.events[2 * k]
    rows[#rows + 1] = {
      "place",
      place,
      "op",
      entry.op,
      "at",
      entry.at,
      "call",
      entry.call,
      "request",
      entry.request or "",
      "kind",
      entry.events[2 * k - 1],
      "event",
      event,
    }
    bytes, place = bytes + #event, entry.of[k][SIDES[kind]]
  end
  return rows, nil, false
end

--- One page of the life of a job or a worker, as reply.
---@param kind string "job" or "worker"
---@param given table id, before (place of the event that follows the page, "" = the page ends now), limit
---@param last string|nil the place of its last event, when it is stored
---@param present table what its record says of the present, as flat list
function history.page(kind, given, last, present)
  if given.limit < 1 or given.limit > limits.HISTORY_ROWS then
    refuse.bad_call("limit must be between 1 and " .. limits.HISTORY_ROWS)
  end
  local place, ends_at = last, nil
  if given.before ~= "" then
    place, ends_at = begin_before(kind, given.id, given.before)
  end
  if not present and not place then
    refuse.not_found("The item was not found.")
  end
  local rows, cut, more = {}, given.before, false
  if place ~= false then
    rows, cut, more = walk(kind, place or "-", given.limit)
  end
  local oldest = cut and redis.call("XRANGE", keys.events(), "-", "+", "COUNT", 1)[1]
  local reply = {
    "now",
    clock.now,
    "ends_at",
    ends_at or 0,
    "next",
    more and rows[#rows][2] or "",
    "cut",
    cut or "",
    "oldest",
    oldest and tonumber(string.match(oldest[1], "^(%d+)")) or 0,
    "rows",
    rows,
  }
  for _, value in ipairs(present or {}) do
    reply[#reply + 1] = value
  end
  return reply
end
