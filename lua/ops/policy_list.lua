--- List the policies of a kind, newest first.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { kind, limit, cursor }
--- Replies: next, rows
--- Refuses: BAD_CALL
--- Events: none
op.read("jr_policy_list", { kind = op.TEXT, limit = 100, cursor = 0 }, function(given)
  policies.check_kind(given.kind)
  return listings.page(keys.listing("policies." .. given.kind), given.cursor, given.limit, function(id)
    return records.flat(keys.policy(given.kind, id), id)
  end)
end)
