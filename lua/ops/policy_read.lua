--- Read a policy.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { kind, id, secrets (true: with the credentials of its rules, for a merge) }
--- Replies: the record
--- Refuses: NOT_FOUND
--- Events: none
op.read("jr_policy_read", { kind = op.TEXT, id = op.TEXT, secrets = false }, function(given)
  local policy = policies.load(given.kind, given.id)
  if not policy then
    refuse.not_found("The item was not found.")
  end
  local flat = records.flat(policy.key, given.id)
  return given.secrets and policies.with_secret(flat, given.kind, given.id) or flat
end)
