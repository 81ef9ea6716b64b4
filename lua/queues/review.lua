-- Review: a policy of a queue has changed, so its waiting jobs are looked at again, a batch at a time.

--- A policy of a queue has changed: its waiting jobs are looked at again, a batch at a time.
function review.start(id)
  redis.call("HSET", keys.queue(id), "review", "-inf")
  closures.ease(id)
  review.batch(id, "-inf")
end

--- Looks at one batch of waiting jobs; the rest goes on the agenda, due at once.
function review.batch(id, from)
  local batch = limits.setting("batch")
  local rows = redis.call("ZRANGEBYSCORE", keys.queue_order(id), from, "+inf", "WITHSCORES", "LIMIT", 0, batch)
  local plan = queues.plan(id)
  for i = 1, #rows, 2 do
    local job = jobs.load(rows[i])
    exceptions.arm(job)
    if job.scoring and not plan.remote then
      scorings.withdraw(job)
      match.touch_job(job)
    end
    if (job.max or 1) ~= plan.max or (job.bypass == "1") ~= plan.bypass then
      match.touch_job(job)
    end
  end
  if #rows == 2 * batch then
    redis.call("HSET", keys.queue(id), "review", "(" .. rows[#rows])
    agenda.add("review:" .. id, clock.now)
  else
    redis.call("HDEL", keys.queue(id), "review")
    agenda.remove("review:" .. id)
  end
end

--- A due row: the next batch of a review.
function review.due(id)
  local queue = queues.load(id)
  if queue then
    op.number()
    review.batch(id, redis.call("HGET", queue.key, "review") or "-inf")
  end
end
