--- List subscriptions, newest first.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { limit (at most 100: documents may be long), cursor }
--- Replies: next, rows
--- Refuses: BAD_CALL
--- Events: none
op.read("jr_subscription_list", { limit = 100, cursor = 0 }, function(given)
  if given.limit > limits.LISTED_SUBSCRIPTIONS then
    refuse.bad_call("limit must be at most " .. limits.LISTED_SUBSCRIPTIONS)
  end
  return listings.page(keys.listing("subscriptions"), given.cursor, given.limit, function(id)
    return records.flat(keys.subscription(id), id)
  end)
end)
