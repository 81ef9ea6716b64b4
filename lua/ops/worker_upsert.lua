--- Create (doc = 0) or replace a worker; registers or deregisters it by `available`.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { id, doc, rev, capacity, available, max_offers }, 3 queues, 4 channels,
---   5 labels, 6 tags
--- Replies: outcome (created, updated, exists), op, the record
--- Refuses: CHANGED, INVALID (a negative capacity), BAD_CALL
--- Events: OfferRevoked (each offer that no longer holds), WorkerUpdated, WorkerRegistered or WorkerDeregistered
op.write("jr_worker_upsert", worker_changes.specification(), worker_changes.apply, true)
