--- Read a policy.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { kind, id }
--- Replies: the record
--- Refuses: NOT_FOUND
--- Events: none
op.read("jr_policy_read", { kind = op.TEXT, id = op.TEXT }, function(given)
  local policy = policies.load(given.kind, given.id)
  if not policy then
    refuse.not_found("The item was not found.")
  end
  return records.flat(policy.key, given.id)
end)
