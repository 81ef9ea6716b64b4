--- Classify a job again by its classification policy.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { id, request_id }
--- Replies: op
--- Refuses: NOT_FOUND, CONFLICT (the job is past its queue), INVALID (it has no classification policy)
--- Events: none
op.write("jr_job_reclassify", { id = op.TEXT, request_id = "" }, function(given)
  -- read
  local job = jobs.need(given.id)
  -- check
  if jobs.FINISHED[job.status] or job.status == "assigned" or job.status == "completed" then
    refuse.conflict("The job is " .. job.status .. ": it cannot be reclassified.")
  end
  refuse.invalid("The job has no classification policy.")
end)
