--- List the events of a subscription that were given up, oldest first.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { id, after (exclusive, "" = from the oldest), limit }
--- Replies: next (after of the next page, "" on the last), rows: id, at (epoch ms), and of an event lane, place, facts (as they
---   were committed), event (its payload); of what the outbox has not kept for long enough first, last
--- Refuses: NOT_FOUND, BAD_CALL
--- Events: none
op.read("jr_dead_letter_list", { id = op.TEXT, after = "", limit = 100 }, function(given)
  dead_letters.check_id(given.after)
  if given.limit < 1 or given.limit > 1000 then
    refuse.bad_call("limit must be between 1 and 1000")
  end
  subscriptions.need(given.id)
  local rows, more_from = dead_letters.page(given.id, given.after, given.limit)
  return { "next", more_from, "rows", rows }
end)
