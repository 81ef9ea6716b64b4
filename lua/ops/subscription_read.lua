--- Read a subscription.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { id, secrets (true: with URL and signing secrets, for a merge) }
--- Replies: the record
--- Refuses: NOT_FOUND
--- Events: none
op.read("jr_subscription_read", { id = op.TEXT, secrets = false }, function(given)
  local flat = records.flat(keys.subscription(given.id), given.id)
  if not flat then
    refuse.not_found("The item was not found.")
  end
  return given.secrets and subscriptions.with_secret(flat, given.id) or flat
end)
