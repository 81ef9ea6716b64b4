--- Classify a job again by its classification policy; a job that is to be activated first is classified then.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { id, request_id }
--- Replies: op
--- Refuses: NOT_FOUND, CONFLICT (the job is past its queue), INVALID (it has no classification policy)
--- Events: OfferRevoked (each), JobClassified or JobClassificationFailed, JobQueued
op.write("jr_job_reclassify", { id = op.TEXT, request_id = "" }, function(given)
  -- read
  local job = jobs.need(given.id)
  if given.request_id ~= "" and job.reclassify_request == given.request_id then
    return { "op", op.last }
  end
  -- check
  if statuses.FINISHED[job.status] or job.status == "assigned" or job.status == "completed" then
    refuse.conflict("The job is " .. job.status .. ": it cannot be reclassified.")
  end
  if not job.classification then
    refuse.invalid("The job has no classification policy.")
  end
  local aside, was_queued, decided = statuses.ASIDE[job.status], job.status == "queued", nil
  if not aside then
    decided = classification.decide_job(job)
  end
  -- write
  op.number()
  if aside then
    jobs.set(job, "unclassified", "1")
  else
    classification.start(job)
    classification.finish(job, decided, not was_queued)
  end
  jobs.set(job, "reclassify_request", given.request_id ~= "" and given.request_id or job.reclassify_request)
  return { "op", op.number() }
end)
