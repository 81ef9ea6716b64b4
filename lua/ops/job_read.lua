--- Read a job.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { id }
--- Replies: the record
--- Refuses: NOT_FOUND
--- Events: none
op.read("jr_job_read", { id = op.TEXT }, function(given)
  local flat = records.flat(keys.job(given.id), given.id)
  if not flat then
    refuse.not_found("The item was not found.")
  end
  return flat
end)
