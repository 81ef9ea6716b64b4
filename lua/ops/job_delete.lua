--- Delete a closed or cancelled job, or one whose classification has failed.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { id }
--- Replies: outcome (deleted, absent), op
--- Refuses: IN_USE (active: neither closed nor cancelled, nor failed)
--- Events: JobDeleted
op.write("jr_job_delete", { id = op.TEXT }, function(given)
  -- read
  local job = jobs.load(given.id)
  if not job then
    return { "outcome", "absent", "op", op.last }
  end
  -- check
  local failed = job.status == "classificationFailed"
  if not statuses.FINISHED[job.status] and not failed then
    refuse.in_use("active")
  end
  -- write
  op.number()
  if failed then
    endings.uncount(job)
  end
  job_events.deleted(job)
  jobs.remove(job)
  return { "outcome", "deleted", "op", op.number() }
end)
