--- The lanes of a subscription in which events wait, some at a time, in no order.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { id, cursor ("0" begins, then that of the last reply), limit }
--- Replies: next ("0": these were the last), lanes
--- Refuses: BAD_CALL
--- Events: none
op.read("jr_subscription_lanes", { id = op.TEXT, cursor = "0", limit = 500 }, function(given)
  if not string.find(given.cursor, "^%d+$") or #given.cursor > 20 or given.limit < 1 or given.limit > 1000 then
    refuse.bad_call("limit must be between 1 and 1000, and cursor that of a reply")
  end
  local page = redis.call("ZSCAN", keys.parked_due(given.id), given.cursor, "COUNT", given.limit)
  local lanes = {}
  for i = 1, #page[2], 2 do
    lanes[#lanes + 1] = page[2][i]
  end
  return { "next", page[1], "lanes", lanes }
end)
