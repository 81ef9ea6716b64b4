-- How long jobs wait in a queue, and will: the pace of acceptances and the oldest waiting job.

--- Notes an acceptance, for the estimated wait: a moving average of the time between two.
function waits.count_acceptance(id)
  local key = keys.queue(id)
  local last = redis.call("HMGET", key, "accepted_at", "gap_ms", "distribution")
  if not last[1] then
    -- only of a queue that is still there
    if last[3] then
      redis.call("HSET", key, "accepted_at", clock.text)
    end
    return
  end
  local gap = math.max(0, clock.now - last[1])
  local mean = last[2] and last[2] * 0.9 + gap * 0.1 or gap
  redis.call("HSET", key, "accepted_at", clock.text, "gap_ms", mean)
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

--- The mean time between two acceptances of a queue in ms, or nil before the second.
function waits.pace(id)
  return tonumber(redis.call("HGET", keys.queue(id), "gap_ms") or "")
end

--- Minutes that a job at this position will wait: whole, at least 1.
---@param gap_ms number|nil the queue's pace
---@param longest number|nil the longest wait of the queue (ms), where too few acceptances tell the pace
function waits.minutes(gap_ms, position, longest)
  if gap_ms then
    return math.max(1, math.ceil(position * gap_ms / 60000))
  end
  return math.max(1, math.ceil((longest or 0) / 60000))
end
