-- A subscription, who delivers its events, and those that wait.

-- nobody has it, or one deliverer does
local function check_holder(subscription, name)
  local free = audit.score(keys.deliveries(), subscription.id)
  local taken = subscription.holder and audit.score(keys.deliverer(subscription.holder), subscription.id)
  audit.expect((free or taken) ~= nil == subscriptions.delivers(subscription), name, "delivers wrongly")
  audit.expect(not (free and subscription.holder), name, "is free and taken")
  audit.expect(taken == (subscription.token or nil), name, "is taken by another token")
  audit.expect(
    not taken or audit.score(keys.deliverers(), subscription.holder),
    name,
    "is taken by an unknown deliverer"
  )
  audit.expect((subscription.commits ~= nil) == (taken ~= nil), name, "counts commits of nobody")
end

-- what waits stands in lanes, and each lane comes to its turn
local function check_parked(id, name)
  local lanes, places = {}, {}
  for _, one in ipairs(redis.call("ZRANGE", keys.parked(id), 0, limits.LISTED_ROWS - 1)) do
    local lane, place = parking.parts(one)
    lanes[lane], places[place] = true, true
    audit.expect(audit.score(keys.parked_due(id), lane), name, "has events in lane", lane, "that are never tried")
    audit.expect(
      parking.number_of(place) <= tonumber(op.event),
      name,
      "waits for event",
      place,
      "that is not there yet"
    )
  end
  if parking.size(id) > limits.LISTED_ROWS then
    return
  end
  for _, lane in ipairs(redis.call("ZRANGE", keys.parked_due(id), 0, -1)) do
    audit.expect(lanes[lane], name, "is to try lane", lane, "which is empty")
  end
  for _, key in ipairs({ keys.parked_tries(id), keys.parked_copies(id) }) do
    for _, place in ipairs(redis.call("HKEYS", key)) do
      audit.expect(places[place], name, "remembers event", place, "that does not wait")
    end
  end
end

--- Checks a subscription.
function subscription_checks.one(id)
  local subscription, name = subscriptions.load(id), "subscription " .. id
  local asked = redis.call("EXISTS", keys.secret("validation", id)) == 1
  local row, task = audit.due("validation:" .. id), audit.score(keys.tasks(), "validate:" .. id)
  if not subscription then
    local kept =
      redis.call("EXISTS", keys.parked(id), keys.parked_due(id), keys.parked_tries(id), keys.parked_copies(id))
    audit.expect(kept + redis.call("EXISTS", keys.dead_letters(id)) == 0, name, "is gone but has events that wait")
    audit.expect(not audit.score(keys.deliveries(), id), name, "is gone but delivers")
    audit.expect(not audit.score(keys.listing("subscriptions"), id), name, "is gone but listed")
    audit.expect(subscriptions.secret(id) == "" and not asked, name, "is gone but has a secret")
    audit.expect(not row and not task, name, "is gone but something is to be done for it")
    return
  end
  audit.expect(audit.score(keys.listing("subscriptions"), id) == subscription.created, name, "is listed wrongly")
  audit.expect(subscriptions.secret(id) ~= "", name, "has no secret")
  audit.expect(subscription.cursor <= tonumber(op.event), name, "is ahead of the events")
  local validating = subscription.status == "validating"
  audit.expect((row ~= nil) == validating, name, "is", subscription.status, "and has a wrong end of its handshake")
  audit.expect(asked == validating, name, "is", subscription.status, "and has a wrong code")
  audit.expect((subscription.asked ~= nil) == validating, name, "is", subscription.status, "and has a wrong question")
  audit.expect(validating or not task, name, "is asked although it is", subscription.status)
  local delivers = subscriptions.delivers(subscription)
  audit.expect(not delivers or subscription.agreed == subscription.target, name, "gets events without its consent")
  check_holder(subscription, name)
  check_parked(id, name)
end
