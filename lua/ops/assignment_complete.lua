--- Complete an assigned job: the worker's wrap-up begins, its capacity stays used.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { job, assignment, request_id }, 3 note as JSON string
--- Replies: op
--- Refuses: NOT_FOUND, CONFLICT (the job is not assigned)
--- Events: JobCompleted
op.write("jr_assignment_complete", { job = op.TEXT, assignment = op.TEXT, request_id = "" }, function(given, note)
  -- read
  local job = assignments.need(given.job, given.assignment)
  if given.request_id ~= "" and job.complete_request == given.request_id then
    return { "op", op.last }
  end
  -- check
  formats.note(note)
  if job.status ~= "assigned" then
    refuse.conflict("The job is " .. job.status .. ": only an assigned job can be completed.")
  end
  -- write
  op.number()
  jobs.move(job, "completed")
  jobs.set(job, "completed_at", clock.text)
  jobs.set(job, "complete_request", given.request_id ~= "" and given.request_id or job.complete_request)
  if note and note ~= "" then
    notes.add(job, note)
    jobs.rewrite(job)
  end
  job_events.completed(job)
  return { "op", op.number() }
end)
