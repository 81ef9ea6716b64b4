--- The subscriptions that a deliverer has.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { holder }
--- Replies: ids (at most as many as there may be)
--- Refuses: BAD_CALL
--- Events: none
op.read("jr_subscription_held", { holder = op.TEXT }, function(given)
  return { "ids", redis.call("ZRANGE", keys.deliverer(given.holder), 0, limits.SUBSCRIPTIONS - 1) }
end)
