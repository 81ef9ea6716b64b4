--- Place of a waiting job in its queue.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { id }
--- Replies: job, position (from 1), queue, length, wait_minutes
--- Refuses: NOT_FOUND, CONFLICT (the job does not wait in a queue)
--- Events: none
op.read("jr_job_position", { id = op.TEXT }, function(given)
  local job = jobs.need(given.id)
  if job.status ~= "queued" then
    refuse.conflict("The job is " .. job.status .. ": it has no position in a queue.")
  end
  local key = keys.queue_order(job.queue)
  local position = redis.call("ZRANK", key, job.id) + 1
  local gap_ms = waits.pace(job.queue)
  local longest = not gap_ms and waits.longest(job.queue) or nil
  return {
    "job",
    job.id,
    "position",
    position,
    "queue",
    job.queue,
    "length",
    redis.call("ZCARD", key),
    "wait_minutes",
    waits.minutes(gap_ms, position, longest),
  }
end)
