--- Cancel an unfinished job.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { id, disposition, request_id }, 3 note as JSON string
--- Replies: op
--- Refuses: NOT_FOUND, CONFLICT (the job is closed or cancelled)
--- Events: OfferRevoked (each), JobCancelled
op.write("jr_job_cancel", { id = op.TEXT, disposition = "", request_id = "" }, function(given, note)
  -- read
  local job = jobs.need(given.id)
  if given.request_id ~= "" and job.cancel_request == given.request_id then
    return { "op", op.last }
  end
  -- check
  formats.note(note)
  if statuses.FINISHED[job.status] then
    refuse.conflict("The job is already " .. job.status .. ".")
  end
  -- write
  op.number()
  endings.cancel(job, given.disposition, note or "")
  jobs.set(job, "cancel_request", given.request_id ~= "" and given.request_id or job.cancel_request)
  return { "op", op.number() }
end)
