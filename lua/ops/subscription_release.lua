--- Give back subscriptions that a deliverer has, or all of them at its end: others can take them at once.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { holder, ids (some), leaves (true: one portion of all; again
---   while any are left) }
--- Replies: op, freed, left (subscriptions it still has)
--- Refuses: BAD_CALL
--- Events: none
op.write("jr_subscription_release", { holder = op.TEXT, ids = {}, leaves = false }, function(given)
  -- check
  if #given.ids > limits.TAKEN_SUBSCRIPTIONS then
    refuse.bad_call("ids are at most " .. limits.TAKEN_SUBSCRIPTIONS)
  end
  for _, id in ipairs(given.ids) do
    if type(id) ~= "string" then
      refuse.bad_call("ids are texts")
    end
  end
  -- write
  local freed = deliveries.give_back(given.holder, given.ids)
  if given.leaves then
    freed = freed + deliveries.free_of(given.holder, limits.TAKEN_SUBSCRIPTIONS)
  end
  return { "op", op.last, "freed", freed, "left", redis.call("ZCARD", keys.deliverer(given.holder)) }
end)
