-- What a deliverer has done for a subscription since its last commit: how far it is, and what waits or is given up.

local KINDS = { parked = 2, failed = 4, done = 2, dead = 3, lost = 1 }
local TYPES = { "string", "string", "string", "string" }
local FAILED_TYPES = { "string", "string", "number", "string" }

local function check_change(kind, change)
  local wanted = kind == "failed" and FAILED_TYPES or TYPES
  if type(change) ~= "table" or #change ~= KINDS[kind] then
    refuse.bad_call(kind .. " must be a list of lists of " .. KINDS[kind])
  end
  for i = 1, KINDS[kind] do
    if type(change[i]) ~= wanted[i] then
      refuse.bad_call(kind .. " holds something that is no " .. wanted[i])
    end
  end
  if string.find(change[1], "\0", 1, true) then
    refuse.bad_call("a lane must not contain NUL")
  end
  local place = change[2]
  if place and not (string.find(place, "^%d+%.%d+$") and #place <= 20) then
    refuse.bad_call("a place is <op>.<k>")
  end
  if kind == "failed" and not (change[3] >= 0 and change[3] % 1 == 0 and change[3] < 2 ^ 50) then
    refuse.bad_call("a delay is a whole number of ms")
  end
end

--- The changes of a commit from their text: a JSON object of lists, `parked` and `done` of lane and place, `failed` of lane,
--- place, delay (ms) and tries, `dead` of lane, place and facts, `lost` of lanes. Refuses anything else.
---@param text string|nil
function commits.read(text)
  local decoded, changes = pcall(cjson.decode, text or "{}")
  if not decoded or type(changes) ~= "table" then
    refuse.bad_call("changes must be a JSON object")
  end
  local count = 0
  for kind, list in pairs(changes) do
    if not KINDS[kind] or type(list) ~= "table" then
      refuse.bad_call("changes are parked, failed, done, dead and lost")
    end
    for _, change in ipairs(list) do
      check_change(kind, change)
    end
    count = count + #list
  end
  local given_up = #(changes.dead or {}) + #(changes.lost or {})
  if count > limits.COMMITTED_EVENTS or given_up > limits.GIVEN_UP_EVENTS then
    refuse.bad_call(
      "a commit speaks of at most "
        .. limits.COMMITTED_EVENTS
        .. " events, and of "
        .. limits.GIVEN_UP_EVENTS
        .. " that are given up"
    )
  end
  return changes
end

-- The lane's first event is not kept any more: neither are those before the oldest entry. At most so many are looked at; what is
-- left then comes to its turn again.
local function lose(id, lane, most)
  local oldest = outbox.before_oldest()
  local first, last
  local places = parking.first(id, lane, most)
  for _, place in ipairs(places) do
    if parking.number_of(place) <= oldest and not parking.payload(id, place) then
      first, last = first or place, place
      parking.remove(id, lane, place)
    end
  end
  if first then
    dead_letters.add_lost(id, first, last)
  end
  return first ~= nil, #places
end

--- Does what a commit says.
---@param subscription table
---@param changes table as read
---@return table empty lanes in which nothing waits any more
function commits.apply(subscription, changes)
  local id, empty = subscription.id, {}
  local function leave(lane, place)
    if parking.remove(id, lane, place) then
      empty[#empty + 1] = lane
    end
  end
  -- those that wait behind a failed one must find its lane put off
  for _, change in ipairs(changes.failed or {}) do
    parking.put_off(id, change[1], change[2], change[3], change[4])
  end
  for _, change in ipairs(changes.parked or {}) do
    parking.add(id, change[1], change[2])
  end
  for _, change in ipairs(changes.done or {}) do
    leave(change[1], change[2])
  end
  for _, change in ipairs(changes.dead or {}) do
    dead_letters.add(id, change[1], change[2], change[3], parking.payload(id, change[2]) or "")
    leave(change[1], change[2])
  end
  local room = limits.setting("batch")
  for _, change in ipairs(changes.lost or {}) do
    local any, looked = lose(id, change[1], room)
    room = room - looked
    if any then
      records.set(subscription, "lagged_at", clock.now)
    end
    if #parking.first(id, change[1], 1) == 0 then
      empty[#empty + 1] = change[1]
    end
  end
  if changes.dead or changes.lost then
    dead_letters.trim(id)
  end
  return empty
end

--- The cursor has fallen behind the oldest entry of the outbox: what is between them is lost.
function commits.skip_lost(subscription)
  local oldest = outbox.before_oldest()
  if oldest > subscription.cursor then
    dead_letters.add_lost(
      subscription.id,
      string.format("%.0f-0", subscription.cursor + 1),
      string.format("%.0f-0", oldest)
    )
    dead_letters.trim(subscription.id)
    records.set(subscription, "cursor", oldest)
    records.set(subscription, "lagged_at", clock.now)
  end
end

--- Says how it goes, for those who look: `failing` while too many events wait, so that the cursor has to; `lagged` since events
--- were lost, for as long as a dead letter tells of that; counts, and the last failure.
function commits.tell(subscription, delivered, failure)
  local id = subscription.id
  if subscription.lagged_at and clock.now - subscription.lagged_at > limits.setting("keep_dead_letters_ms") then
    records.set(subscription, "lagged_at", nil)
  end
  local waiting = parking.size(id)
  local is_full = waiting >= limits.setting("parked_events")
  records.set(subscription, "status", is_full and "failing" or subscription.lagged_at and "lagged" or "enabled")
  records.set(subscription, "parked", waiting)
  records.set(subscription, "dead", redis.call("XLEN", keys.dead_letters(id)))
  if delivered > 0 then
    records.set(subscription, "delivered", (subscription.delivered or 0) + delivered)
    records.set(subscription, "last_delivered_at", clock.now)
  end
  if failure ~= "" then
    records.set(subscription, "last_error", failure)
    records.set(subscription, "last_error_at", clock.now)
  end
end
