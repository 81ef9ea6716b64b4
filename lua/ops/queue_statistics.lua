--- Statistics of a queue: length, longest wait, and for each priority present the minutes a new job would wait.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { id }
--- Replies: id, rev, modified_at, length, longest_ms (-1 = none), wait:<priority> …
--- Refuses: NOT_FOUND
--- Events: none

op.read("jr_queue_statistics", { id = op.TEXT }, function(given)
  local queue = queues.whole(given.id)
  if not queue then
    refuse.not_found("The item was not found.")
  end
  local key = keys.queue_order(given.id)
  local longest, ranks = waits.longest(given.id)
  local reply = {
    "id",
    given.id,
    "rev",
    queue.rev,
    "modified_at",
    queue.modified_at,
    "length",
    redis.call("ZCARD", key),
    "longest_ms",
    longest or -1,
  }
  local shown = {}
  for _, rank in ipairs(ranks) do
    local priority = queues.priority_of(rank)
    if not shown[priority] then
      shown[priority] = true
      local ahead = redis.call("ZCOUNT", key, "-inf", "(" .. string.format("%.0f", queues.rank_start(2 - priority)))
      reply[#reply + 1] = "wait:" .. priority
      reply[#reply + 1] = waits.minutes(queue.gap_ms, ahead + 1, longest)
    end
  end
  return reply
end)
