--- Replace a subscription, also when the server is out of memory and refuses what may add one.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { id, doc, rev, enabled, after, target, origin }, 3 document, 4 secret, 5 code
--- Replies: outcome (updated), op, the record
--- Refuses: CHANGED, BAD_CALL
--- Events: none
op.write("jr_subscription_update", subscription_changes.specification(), function(given, ...)
  -- check
  if given.doc == 0 then
    refuse.bad_call("doc is missing: this replaces what is there")
  end
  return subscription_changes.apply(given, ...)
end)
