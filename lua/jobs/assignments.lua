-- Assignments: completed, closed, unassigned. A job has at most one; it holds capacity until it is closed.

--- The job with this assignment; refuses when there is none.
function assignments.need(job_id, assignment_id)
  local job = jobs.need(job_id)
  if job.assignment ~= assignment_id then
    refuse.not_found("Assignment not found. AssignmentId: " .. assignment_id .. ", JobId: " .. job_id)
  end
  return job
end

--- Gives the worker back what the job's assignment used.
---@return table|nil worker
function assignments.release(job)
  local worker = workers.load(job.worker, "a:" .. job.assignment)
  local assignment = worker and held.assignment(worker, job.assignment)
  if assignment then
    held.write(worker, "a:" .. assignment.id, nil)
    workers.set(worker, "assigned", worker.assigned - 1)
    capacity.use(worker, assignment.channel, assignment.cost, -1)
    workers.freed(worker)
  end
  return worker
end

--- Closes a completed job now.
function assignments.close(job)
  jobs.move(job, "closed")
  if not job.disposition then
    jobs.set(job, "disposition", "Closed")
  end
  jobs.set(job, "closed_at", clock.text)
  job_events.closed(job, assignments.release(job))
  endings.finish(job)
end

--- A due row: the wrap-up of a job is over.
function assignments.close_due(job_id)
  local job = jobs.load(job_id)
  if job and job.status == "completed" and job.close_at then
    op.number()
    jobs.set(job, "close_at", nil)
    assignments.close(job)
  end
end

--- Takes a job away from its worker.
---@param suspend boolean whether it waits for activation instead of going back to its queue
---@return number count how often this job was unassigned
function assignments.unassign(job, suspend)
  local assignment, worker_id = job.assignment, job.worker
  local worker = assignments.release(job)
  jobs.set(job, "unassigned", (job.unassigned or 0) + 1)
  jobs.set(job, "unassigned_life", (job.unassigned_life or 0) + 1)
  for _, field in ipairs({ "assignment", "worker", "assigned_at", "accepted_offer", "accept_request" }) do
    jobs.set(job, field, nil)
  end
  job_events.unassigned(job, assignment, worker_id, worker)
  if suspend then
    jobs.move(job, "waitingForActivation")
    jobs.set(job, "mode", "suspend")
    jobs.set(job, "schedule_at", nil)
    jobs.rewrite(job)
    match.touch_job(job)
  else
    stays.enqueue(job, true)
  end
  return job.unassigned
end
