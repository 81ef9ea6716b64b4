--- Delete a closed or cancelled job.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { id }
--- Replies: outcome (deleted, absent), op
--- Refuses: IN_USE (active: neither closed nor cancelled)
--- Events: JobDeleted
op.write("jr_job_delete", { id = op.TEXT }, function(given)
  -- read
  local job = jobs.load(given.id)
  if not job then
    return { "outcome", "absent", "op", op.last }
  end
  -- check
  if not jobs.FINISHED[job.status] then
    refuse.in_use("active")
  end
  -- write
  op.number()
  events.job_deleted(job)
  jobs.remove(job)
  return { "outcome", "deleted", "op", op.number() }
end)
