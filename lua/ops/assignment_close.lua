--- Close a completed job: the worker's capacity is free, at once or at close_at.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { job, assignment, disposition, close_at (epoch ms), request_id }, 3 note
--- Replies: op
--- Refuses: NOT_FOUND, CONFLICT (the job is not completed)
--- Events: JobClosed (none before close_at)
op.write("jr_assignment_close", {
  job = op.TEXT,
  assignment = op.TEXT,
  disposition = "",
  close_at = 0,
  request_id = "",
}, function(given, note)
  -- read
  local job = assignments.need(given.job, given.assignment)
  if given.request_id ~= "" and job.close_request == given.request_id then
    return { "op", op.last }
  end
  -- check
  formats.note(note)
  if job.status ~= "completed" then
    refuse.conflict("The job is " .. job.status .. ": only a completed job can be closed.")
  end
  -- write
  op.number()
  jobs.set(job, "disposition", given.disposition ~= "" and given.disposition or "Closed")
  notes.add(job, note)
  jobs.rewrite(job)
  jobs.set(job, "close_request", given.request_id ~= "" and given.request_id or job.close_request)
  if given.close_at > clock.now then
    jobs.set(job, "close_at", given.close_at)
    jobs.revise(job)
    agenda.add("close:" .. job.id, given.close_at)
  else
    if job.close_at then
      jobs.set(job, "close_at", nil)
      agenda.remove("close:" .. job.id)
    end
    assignments.close(job)
  end
  return { "op", op.number() }
end)
