--- Why a job is not offered: to anybody of its queue, in slices, or to one worker.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { job_id, worker_id (empty = the whole queue), cursor (next of the slice before),
---   sampled (workers that those before have told of) }
--- Replies: job, status, queue, channel, position (from 1) and length while it waits, next (empty = this was the last slice);
---   of a worker its worker and state; of the queue: workers and on_queue (of router and queue), registered, fitting, ready,
---   admits, admits_ready (those of the slice; admits = when the next selectors run out); rows: about = job, worker, queue
---   (counted: workers, and alone = for how many it is all that is missing), sample (of a worker, of_state) or change (kind,
---   at); code, and what it tells
--- Refuses: NOT_FOUND (the job, or the worker)
--- Events: none

-- adds reasons to the rows of the reply
local function add_rows(rows, about, list, ...)
  for _, reason in ipairs(list) do
    reasons.tell(reason, "about", about, ...)
    rows[#rows + 1] = reason
  end
end

local function add_sample(rows, job, wanted, ids, most)
  for _, one in ipairs(explanations.sample_of(job, wanted, ids, most)) do
    add_rows(rows, "sample", one.reasons, "of", one.worker.id, "of_state", one.worker.state)
  end
end

-- a slice of the queue
local function survey(reply, rows, job, wanted, given)
  local most = math.max(0, limits.SAMPLE - math.max(0, given.sampled))
  local slice, next_cursor = surveys.slice(job, wanted, given.cursor == "" and "0" or given.cursor)
  local is_last = next_cursor == "0"
  add_rows(rows, "queue", slice.counts)
  local ids = surveys.ready_sample(slice, most)
  if is_last and #ids < most then
    for _, id in ipairs(surveys.listed_sample(job.queue)) do
      ids[#ids + 1] = id
    end
  end
  add_sample(rows, job, wanted, ids, most)
  for _, name in ipairs({ "registered", "fitting", "ready", "admits", "admits_ready" }) do
    reasons.tell(reply, name, slice[name])
  end
  return is_last and "" or next_cursor
end

op.read("jr_job_explain", { job_id = op.TEXT, worker_id = "", cursor = "", sampled = 0 }, function(given)
  local job, worker = jobs.load(given.job_id), workers.load(given.worker_id)
  if not job then
    refuse.not_found("The job was not found.")
  elseif not worker and given.worker_id ~= "" then
    refuse.not_found("The worker was not found.")
  elseif string.find(given.cursor, "%D") or #given.cursor > 20 then
    refuse.bad_call("cursor is the next of another slice")
  end
  local reply, rows, next_cursor = explanations.head_of(job), {}, ""
  local wanted = explanations.wanted_of(job)
  if given.cursor == "" then
    add_rows(rows, "job", explanations.of_job(job))
    add_rows(rows, "change", explanations.changes_of(job))
  end
  if worker then
    add_rows(rows, "worker", wanted and explanations.of_pair(job, wanted, worker, true) or {})
    reasons.tell(reply, "worker", worker.id, "state", worker.state)
  elseif wanted then
    for _, part in ipairs(explanations.staff_of(job.queue)) do
      reply[#reply + 1] = part
    end
    next_cursor = survey(reply, rows, job, wanted, given)
  end
  reasons.tell(reply, "next", next_cursor, "rows", rows)
  return reply
end)
