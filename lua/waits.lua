-- How long jobs wait in a queue, and will: the pace of acceptances and the oldest waiting job.

--- Notes an acceptance, for the estimated wait: a moving average of the time between two.
function waits.count_acceptance(id)
  local queue = queues.load(id)
  if not queue then
    return
  end
  local row = { "accepted_at", clock.now }
  if queue.accepted_at then
    local gap = math.max(0, clock.now - queue.accepted_at)
    queue.gap_ms = queue.gap_ms and queue.gap_ms * 0.9 + gap * 0.1 or gap
    row[3], row[4] = "gap_ms", string.format("%.17g", queue.gap_ms)
  end
  queue.accepted_at = clock.now
  redis.call("HSET", queue.key, unpack(row))
end

--- The longest wait of a queue in ms, or nil. The oldest job of each rank is its first, so one look per rank is enough.
---@return number|nil longest
---@return table ranks present, in order
function waits.longest(id)
  local longest, ranks, from = nil, {}, "-inf"
  while true do
    local row = redis.call("ZRANGEBYSCORE", keys.queue_order(id), from, "+inf", "WITHSCORES", "LIMIT", 0, 1)
    if #row == 0 then
      return longest, ranks
    end
    local rank = queues.rank(tonumber(row[2]))
    ranks[#ranks + 1] = rank
    local waited = clock.now - tonumber(redis.call("HGET", keys.job(row[1]), "enqueued_at"))
    longest = math.max(longest or 0, waited)
    from = queues.rank_start(rank + 1)
  end
end

--- Minutes that a job at this position will wait: whole, at least 1.
---@param longest number|nil the longest wait of the queue (ms), where too few acceptances tell the pace
function waits.minutes(queue, position, longest)
  if queue.gap_ms then
    return math.max(1, math.ceil(position * tonumber(queue.gap_ms) / 60000))
  end
  return math.max(1, math.ceil((longest or 0) / 60000))
end
