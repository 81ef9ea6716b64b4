-- The record of a subscription: who gets events, whether it wants them, and how far that has come.
--
-- `status` is one of:
--   validating  the endpoint is asked whether it wants events (see handshakes); none is sent yet
--   refused     it has not agreed in time; asked again by the next change of the subscription
--   enabled     events are delivered
--   failing     they are, but too many wait for their turn: the cursor waits
--   lagged      they are, but some were not kept for long enough
--   disabled    by its owner
-- The last three that deliver change among each other as the deliveries go; all else is decided here and in handshakes.

local NUMERIC = {
  doc = true,
  rev = true,
  created = true,
  cursor = true,
  asked = true,
  token = true,
  commits = true,
  lagged_at = true,
  delivered = true,
  parked = true,
  dead = true,
}

local DELIVERS = { enabled = true, failing = true, lagged = true }

--- The subscription of this id, or nil.
function subscriptions.load(id)
  return records.load(keys.subscription(id), id, NUMERIC)
end

--- The same; refuses when there is none.
function subscriptions.need(id)
  local subscription = subscriptions.load(id)
  if not subscription then
    refuse.not_found("The item was not found.")
  end
  return subscription
end

--- A subscription that is not stored yet.
function subscriptions.new(id)
  return records.new(keys.subscription(id), id)
end

--- Are events delivered to it?
function subscriptions.delivers(subscription)
  return DELIVERS[subscription.status] or false
end

--- Its URL and its signing secrets, as text; empty when there is none.
function subscriptions.secret(id)
  return redis.call("GET", keys.secret("subscription", id)) or ""
end

--- A reply with that added: only for a merge.
---@param reply table flat name-value list
function subscriptions.with_secret(reply, id)
  reply[#reply + 1] = "secret"
  reply[#reply + 1] = subscriptions.secret(id)
  return reply
end

--- Begins to deliver, from its cursor on.
function subscriptions.deliver(subscription)
  records.set(subscription, "status", "enabled")
  deliveries.start(subscription)
  subscriptions.ring()
end

--- Delivers no more, for now or for ever.
---@param status string|nil what it is instead, nil when it is deleted
function subscriptions.stop(subscription, status)
  if status then
    records.set(subscription, "status", status)
  end
  deliveries.stop(subscription)
end

--- Wakes the workers: there is something new to deliver to.
function subscriptions.ring()
  redis.call("SET", keys.deliveries_bell(), clock.text)
end

--- The number of the last entry that a new subscription does not get. Refuses what is not kept any more or not there yet.
---@param after number of an entry: it gets those after it; 0 = from the oldest kept, -1 = from now on
function subscriptions.first_cursor(after)
  local last = tonumber(op.event)
  if after == -1 then
    return last
  end
  local oldest = redis.call("XRANGE", keys.events(), "-", "+", "COUNT", 1)[1]
  local before = oldest and tonumber(texts.pairs(oldest[2]).previous) or last
  if after == 0 then
    return before
  end
  if after < before then
    refuse.invalid("the entries after " .. string.format("%.0f", after) .. " are not kept any more")
  elseif after > last then
    refuse.invalid("there is no entry " .. string.format("%.0f", after) .. " yet")
  end
  return after
end
