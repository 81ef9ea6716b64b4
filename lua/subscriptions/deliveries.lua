-- Who delivers to which subscription. A worker is a deliverer with a lease, which it renews; it takes subscriptions that nobody
-- has, up to an even share of all. When its lease has run out, they are free again, and others take them.
--
-- Each taking has a number, the token. A commit names it, so that whoever has lost a subscription (to another, or by a change of
-- the subscription itself, which frees it) changes nothing any more.

-- the subscription is nobody's any more; it can be taken at once
local function free(id)
  redis.call("HDEL", keys.subscription(id), "holder", "token", "commits")
  redis.call("ZADD", keys.deliveries(), clock.text, id)
end

local function forget_holder(subscription)
  if subscription.holder then
    redis.call("ZREM", keys.deliverer(subscription.holder), subscription.id)
  end
  records.set(subscription, "holder", nil)
  records.set(subscription, "token", nil)
  records.set(subscription, "commits", nil)
end

--- Begins to deliver to a subscription, or begins anew after it has changed.
function deliveries.start(subscription)
  forget_holder(subscription)
  redis.call("ZADD", keys.deliveries(), clock.text, subscription.id)
end

--- Delivers no more.
function deliveries.stop(subscription)
  forget_holder(subscription)
  redis.call("ZREM", keys.deliveries(), subscription.id)
end

--- Removes all that is kept for a subscription that is deleted.
function deliveries.forget(id)
  redis.call(
    "UNLINK",
    keys.parked(id),
    keys.parked_due(id),
    keys.parked_tries(id),
    keys.parked_copies(id),
    keys.dead_letters(id)
  )
end

--- The subscription if this taking of it still holds, else nil.
---@param token number
function deliveries.held(id, token)
  local subscription = subscriptions.load(id)
  return subscription and subscription.token == token and subscription or nil
end

-- frees a portion of what deliverers have left whose leases have run out
local function free_abandoned()
  local room = limits.TAKEN_SUBSCRIPTIONS
  local gone = redis.call("ZRANGEBYSCORE", keys.deliverers(), "-inf", clock.now, "LIMIT", 0, room)
  for _, holder in ipairs(gone) do
    room = room - deliveries.free_of(holder, room) - 1
    if room <= 0 then
      return
    end
  end
end

--- Frees subscriptions that a deliverer has; it is forgotten when it has none left.
---@param most number
---@return number freed
function deliveries.free_of(holder, most)
  local ids = redis.call("ZRANGE", keys.deliverer(holder), 0, most - 1)
  deliveries.give_back(holder, ids)
  if #ids < most then
    redis.call("ZREM", keys.deliverers(), holder)
  end
  return #ids
end

--- A deliverer gives subscriptions back; those that are not its own are passed over.
---@return number freed
function deliveries.give_back(holder, ids)
  local freed = 0
  for _, id in ipairs(ids) do
    if redis.call("ZREM", keys.deliverer(holder), id) == 1 then
      free(id)
      freed = freed + 1
    end
  end
  return freed
end

-- what each deliverer may have, so that all have about the same
local function share()
  local total, living = redis.call("ZCARD", keys.deliveries()), 0
  local holders = redis.call("ZRANGE", keys.deliverers(), 0, limits.TAKEN_SUBSCRIPTIONS - 1, "WITHSCORES")
  for i = 1, #holders, 2 do
    total = total + redis.call("ZCARD", keys.deliverer(holders[i]))
    living = living + (tonumber(holders[i + 1]) > clock.now and 1 or 0)
  end
  return math.ceil(total / math.max(living, 1))
end

-- what a deliverer has to know of a subscription that it has taken
local function show(id)
  local row = records.flat(keys.subscription(id), id)
  row[#row + 1], row[#row + 2] = "secret", subscriptions.secret(id)
  local n = #row
  row[n + 1], row[n + 2] = "room", parking.room(id)
  row[n + 3], row[n + 4] = "due_in", parking.due_in(id)
  return row
end

-- dead letters go by their age even when nothing happens: those of one subscription a call, of each in its turn
local function trim_one(holder, count)
  local place = count > 0 and math.floor(clock.now / 1000) % count
  local id = place and redis.call("ZRANGE", keys.deliverer(holder), place, place)[1]
  if id and dead_letters.trim(id) then
    dead_letters.tell(id)
  end
end

--- Renews a deliverer's lease, and takes for it what is free, up to its share.
---@param most number subscriptions that are taken at most
---@return table rows what is taken
---@return number share
---@return number count what it has, with what is taken
function deliveries.claim(holder, most, lease_ms)
  if redis.call("EXISTS", keys.listing("subscriptions")) == 0 then
    -- a router without subscriptions is not written to once a second
    return {}, 0, 0
  end
  -- its own first: one that was late keeps what nobody has taken from it
  redis.call("ZADD", keys.deliverers(), clock.now + lease_ms, holder)
  free_abandoned()
  local wanted, count = share(), redis.call("ZCARD", keys.deliverer(holder))
  local room, rows = math.min(most, wanted - count), {}
  if room > 0 then
    local free_ones = redis.call("ZRANGE", keys.deliveries(), 0, room - 1)
    for i, id in ipairs(free_ones) do
      redis.call("ZREM", keys.deliveries(), id)
      redis.call("ZADD", keys.deliverer(holder), op.number(), id)
      redis.call("HSET", keys.subscription(id), "holder", holder, "token", op.text, "commits", 0)
      rows[i] = show(id)
    end
    count = count + #free_ones
  end
  trim_one(holder, count)
  return rows, wanted, count
end
