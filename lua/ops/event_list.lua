--- Entries of the outbox after one, oldest first.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { after (entry number, exclusive), limit }
--- Replies: next (number of the last entry shown, or after), oldest (number of the oldest kept entry, 0 = none),
---   last (number of the last entry ever made), rows: op, at,
---   call, request, prev, events (type, payload …)
--- Refuses: BAD_CALL
--- Events: none

op.read("jr_event_list", { after = 0, limit = 100 }, function(given)
  if given.limit < 1 or given.limit > 1000 then
    refuse.bad_call("limit must be between 1 and 1000")
  end
  if given.after < 0 then
    refuse.bad_call("after must not be negative")
  end
  local from = "(" .. string.format("%.0f", given.after) .. "-0"
  local rows, last = {}, given.after
  for _, entry in ipairs(redis.call("XRANGE", keys.events(), from, "+", "COUNT", given.limit)) do
    rows[#rows + 1] = outbox.show(entry)
    last = rows[#rows][2]
  end
  local oldest = redis.call("XRANGE", keys.events(), "-", "+", "COUNT", 1)[1]
  return {
    "next",
    last,
    "oldest",
    oldest and tonumber(string.match(oldest[1], "^(%d+)")) or 0,
    "last",
    tonumber(op.event),
    "rows",
    rows,
  }
end)
