--- Create (doc = 0) or replace a queue.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { id, doc, rev, name, distribution, exception }, 3 labels
--- Replies: outcome (created, updated, exists), op, the record
--- Refuses: CHANGED, INVALID (a policy that it names does not exist)
--- Events: none by itself; offers may follow from another distribution policy
op.write("jr_queue_upsert", queue_changes.specification(), queue_changes.apply, true)
