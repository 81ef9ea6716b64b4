--- Take an assigned job away from its worker: back into its queue, or suspended.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { job, assignment, suspend, request_id }
--- Replies: op, job, count (how often this job was unassigned)
--- Refuses: NOT_FOUND, CONFLICT (the job is not assigned), LIMIT (unassigned too often)
--- Events: JobUnassigned, JobQueued
op.write("jr_assignment_unassign", {
  job = op.TEXT,
  assignment = op.TEXT,
  suspend = false,
  request_id = "",
}, function(given)
  -- read
  local job = jobs.need(given.job)
  if given.request_id ~= "" and job.unassign_request == given.request_id .. " " .. given.assignment then
    return { "op", op.last, "job", job.id, "count", job.unassigned }
  end
  -- check
  assignments.need(given.job, given.assignment)
  if job.status ~= "assigned" then
    refuse.conflict("The job is " .. job.status .. ": only an assigned job can be unassigned.")
  end
  if (job.unassigned_life or 0) >= limits.setting("unassign_limit") then
    refuse.limit("The job was unassigned " .. job.unassigned_life .. " times, which is the most a job can be.")
  end
  -- write
  op.number()
  local count = assignments.unassign(job, given.suspend)
  jobs.set(
    job,
    "unassign_request",
    given.request_id ~= "" and given.request_id .. " " .. given.assignment or job.unassign_request
  )
  return { "op", op.number(), "job", job.id, "count", count }
end)
