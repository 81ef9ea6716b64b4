--- The events of a subscription whose next try is due, the first of each lane.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { id, limit }
--- Replies: due_in (ms to the next try, 0 = now, -1 = none), rows: lane, place, tries (as they were committed), payload and at
---   (epoch ms; without payload: it is not kept any more; at 0: it was a dead letter)
--- Refuses: BAD_CALL
--- Events: none
op.read("jr_subscription_due", { id = op.TEXT, limit = 100 }, function(given)
  if given.limit < 1 or given.limit > 1000 then
    refuse.bad_call("limit must be between 1 and 1000")
  end
  return { "due_in", parking.due_in(given.id), "rows", parking.due(given.id, given.limit) }
end)
