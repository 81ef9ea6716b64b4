--- Delete a policy that nothing uses.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { kind, id }
--- Replies: outcome (deleted, absent), op
--- Refuses: IN_USE (distribution, exception: a queue uses it; classification: an active job does)
--- Events: none
op.write("jr_policy_delete", { kind = op.TEXT, id = op.TEXT }, function(given)
  -- read
  local policy = policies.load(given.kind, given.id)
  if not policy then
    return { "outcome", "absent", "op", op.last }
  end
  -- check
  if redis.call("EXISTS", keys.policy_queues(given.kind, given.id)) == 1 or (policy.active or 0) > 0 then
    refuse.in_use(given.kind)
  end
  -- write
  op.number()
  redis.call("DEL", policy.key, keys.secret(given.kind, given.id))
  listings.remove("policies." .. given.kind, given.id)
  if policy.fallback then
    queues.count_fallback(policy.fallback, -1)
  end
  if policies.asks_for_queues(policy) then
    label_sets.change_asking(-1)
  end
  return { "outcome", "deleted", "op", op.number() }
end)
