-- The stay of a job in its queue: how it begins, and how it ends.

--- Puts a job into its queue: at its first enqueue it takes its number and time, later it keeps them.
---@param stay boolean whether a new stay in the queue begins: then exception rules may send it elsewhere, or cancel it
function stays.enqueue(job, stay)
  if stay then
    if not exceptions.admit(job) then
      return
    end
    jobs.set(job, "fired", nil)
  end
  if job.status ~= "queued" then
    jobs.move(job, "queued")
  end
  if not job.enqueued_at then
    -- the usual numbers are left out: seq is that of the creation, the stay begins with the first enqueue
    op.number()
    jobs.set(job, "seq", op.text ~= job.created and op.number() or nil)
    jobs.set(job, "enqueued_at", clock.text)
  elseif stay then
    jobs.set(job, "entered_at", clock.text)
  end
  job_events.queued(job)
  job_selectors.expire(job)
  job_selectors.arm(job)
  match.touch_job(job)
end

--- Takes a job out of its queue; its offers are revoked.
---@param lost boolean|nil whether another worker has taken it
function stays.dequeue(job, lost)
  revocations.of_job(job, lost)
  scorings.withdraw(job)
  exceptions.disarm(job)
  if job.selector_at then
    agenda.remove("selector:" .. job.id)
    jobs.set(job, "selector_at", nil)
  end
end
