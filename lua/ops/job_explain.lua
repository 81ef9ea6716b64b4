--- Why a job is not offered: to anybody, and to one worker.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { job_id, worker_id (empty = of the job alone) }
--- Replies: job, status, queue, channel, position (from 1) and length while it waits; worker and state when one is named; rows
---   (reasons: about = job or worker, code, and what the code tells)
--- Refuses: NOT_FOUND (the job, or the worker)
--- Events: none

-- adds reasons to the rows of the reply
local function add_rows(rows, about, list)
  for _, reason in ipairs(list) do
    reasons.tell(reason, "about", about)
    rows[#rows + 1] = reason
  end
end

op.read("jr_job_explain", { job_id = op.TEXT, worker_id = "" }, function(given)
  local job, worker = jobs.load(given.job_id), workers.load(given.worker_id)
  if not job then
    refuse.not_found("The job was not found.")
  elseif not worker and given.worker_id ~= "" then
    refuse.not_found("The worker was not found.")
  end
  local reply, rows = explanations.head_of(job), {}
  add_rows(rows, "job", explanations.of_job(job))
  if worker then
    local wanted = explanations.wanted_of(job)
    add_rows(rows, "worker", wanted and explanations.of_pair(job, wanted, worker, true) or {})
    reasons.tell(reply, "worker", worker.id, "state", worker.state)
  end
  reasons.tell(reply, "rows", rows)
  return reply
end)
