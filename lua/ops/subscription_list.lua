--- List subscriptions, newest first.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { limit, cursor }
--- Replies: next, rows
--- Refuses: BAD_CALL
--- Events: none
op.read("jr_subscription_list", { limit = 100, cursor = 0 }, function(given)
  return listings.page(keys.listing("subscriptions"), given.cursor, given.limit, function(id)
    return records.flat(keys.subscription(id), id)
  end)
end)
