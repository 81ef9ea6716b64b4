--- Why a job is not offered: to anybody of its queue, in slices, or to one worker.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { job_id, worker_id (empty = the whole queue), cursor (next of the slice before),
---   sampled (workers that those before have told of) }
--- Replies: job, status, queue, channel, position (from 1) and length while it waits, next (empty = this was the last slice);
---   of a worker its worker and state, and later where selectors run out that it does not fit (1 = it then does); of the queue:
---   workers and on_queue (of router and queue), registered, fitting, ready, admits, admits_ready (those of the slice; admits =
---   how many more fit when the next selectors run out); rows: about = job, worker, queue
---   (counted: workers, and alone = for how many it is all that is missing), sample (of a worker, of_state) or change (kind,
---   at, and of an offer that ends next: nobody, worker, scores or nothing = not worked out; scored = by how many, if counted);
---   code, and what it tells
--- Refuses: NOT_FOUND (the job, or the worker)
--- Events: none

op.read("jr_job_explain", { job_id = op.TEXT, worker_id = "", cursor = "", sampled = 0 }, function(given)
  local job, worker = jobs.load(given.job_id), workers.load(given.worker_id)
  if not job then
    refuse.not_found("The item was not found.")
  elseif not worker and given.worker_id ~= "" then
    refuse.not_found("The worker was not found.")
  end
  surveys.check_cursor(given.cursor)
  local reply, rows, next_cursor = explanations.head_of(job), {}, ""
  local wanted = explanations.wanted_of(job)
  if given.cursor == "" then
    reasons.add_rows(rows, "job", explanations.of_job(job))
    reasons.add_rows(rows, "change", explanations.changes_of(job))
  end
  if worker then
    reasons.add_rows(rows, "worker", wanted and explanations.of_pair(job, wanted, worker, true) or {})
    reasons.tell(reply, "worker", worker.id, "state", worker.state)
    reasons.tell(reply, "later", wanted and surveys.admits_later(job, wanted, worker))
  elseif wanted then
    next_cursor = surveys.tell(reply, rows, job, wanted, given)
  end
  reasons.tell(reply, "next", next_cursor, "rows", rows)
  return reply
end)
