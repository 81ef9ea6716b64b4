--- Replace a worker, also when the server is out of memory and refuses what may add one.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { id, doc, rev, capacity, available, max_offers }, 3 queues, 4 channels,
---   5 labels, 6 tags
--- Replies: outcome (updated), op, the record
--- Refuses: CHANGED, INVALID (a negative capacity), BAD_CALL
--- Events: OfferRevoked (each offer that no longer holds), WorkerUpdated, WorkerRegistered or WorkerDeregistered
op.write("jr_worker_update", worker_changes.specification(), function(given, ...)
  -- check
  if given.doc == 0 then
    refuse.bad_call("doc is missing: this replaces what is there")
  end
  return worker_changes.apply(given, ...)
end)
