--- Delete a subscription, with all that is kept for it. An event that is on its way may still arrive.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { id }
--- Replies: outcome (deleted, absent), op
--- Refuses: BAD_CALL
--- Events: none
op.write("jr_subscription_delete", { id = op.TEXT }, function(given)
  -- read
  local subscription = subscriptions.load(given.id)
  if not subscription then
    return { "outcome", "absent", "op", op.last }
  end
  -- write
  op.number()
  handshakes.stop(subscription)
  subscriptions.stop(subscription)
  redis.call("DEL", subscription.key, keys.secret("subscription", given.id))
  deliveries.forget(given.id)
  listings.remove("subscriptions", given.id)
  return { "outcome", "deleted", "op", op.number() }
end)
