--- The events of a worker, newest first, as far back as the outbox is kept. The end of an assignment counts among them.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { id, before (place of an event of the worker: those before it; "" = to the
---   present), limit (at most 100) }
--- Replies: now, ends_at (time of the event `before`, 0 = none), next (the `before` of the next page, empty on the last),
---   cut (place of the event at which the outbox is cut off, empty = it is not), oldest (number of the oldest kept entry when
---   it is cut, else 0), state, offers and assignments (how many it holds) while it is
---   stored, rows: place, op, at, call, request,
---   kind, event (the payload)
--- Refuses: NOT_FOUND (it is not stored, and `before` is none of its events that are kept), INVALID (`before` is an event of
---   another), BAD_CALL
--- Events: none
op.read("jr_worker_history", { id = op.TEXT, before = "", limit = 100 }, function(given)
  local row = redis.call("HMGET", keys.worker(given.id), "state", "open", "assigned", "event")
  local present = row[1] and { "state", row[1], "offers", tonumber(row[2] or 0), "assignments", tonumber(row[3] or 0) }
  return history.page("worker", given, row[4] or nil, present or nil)
end)
