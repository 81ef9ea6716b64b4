-- How a job's life in the router ends.

--- A job counts no more as an active one of its queue and its classification policy.
function endings.uncount(job)
  queues.count_active(job.queue, -1)
  policies.count_active(job.classification, -1)
end

--- Ends a job's life in the router: it is kept for a while, then removed.
function endings.finish(job)
  endings.uncount(job)
  if not rehearsals.on then
    redis.call("ZADD", keys.listing("finished"), clock.now, job.id)
  end
end

--- Cancels a job in whatever unfinished state it is.
---@param note string JSON string text, or empty
function endings.cancel(job, disposition, note)
  local before, worker = job.status, nil
  schedules.stop(job)
  classification.forget(job)
  if before == "queued" then
    stays.dequeue(job)
  elseif job.assignment and (before == "assigned" or before == "completed") then
    jobs.set(job, "closed_at", clock.text)
    worker = assignments.release(job)
    if job.close_at then
      agenda.remove("close:" .. job.id)
      jobs.set(job, "close_at", nil)
    end
  end
  notes.add(job, note)
  jobs.set(job, "disposition", disposition ~= "" and disposition or "Cancelled")
  jobs.rewrite(job)
  jobs.move(job, "cancelled")
  match.touch_job(job)
  job_events.cancelled(job, note, worker)
  endings.finish(job)
end

--- A due row: the job is too old, unless it has finished in time.
function endings.life_due(id)
  local job = jobs.load(id)
  if job and not statuses.FINISHED[job.status] then
    op.number()
    endings.cancel(job, "Expired", "")
  end
end
