--- Replace a queue, also when the server is out of memory and refuses what may add one.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { id, doc, rev, name, distribution, exception }, 3 labels
--- Replies: outcome (updated), op, the record
--- Refuses: CHANGED, INVALID (a policy that it names does not exist)
--- Events: none by itself; offers may follow from another distribution policy
op.write("jr_queue_update", queue_changes.specification(), function(given, ...)
  -- check
  if given.doc == 0 then
    refuse.bad_call("doc is missing: this replaces what is there")
  end
  return queue_changes.apply(given, ...)
end)
