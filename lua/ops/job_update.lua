--- Replace all client-written fields of an unfinished job; what changes decides what follows.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { id, doc, rev, channel, queue, classification, priority, reference, disposition,
---   mode, schedule_at, request_id }, 3 labels, 4 tags, 5 notes, 6 selectors
--- Replies: outcome (updated, exists), op, the record as it is before any match
--- Refuses: CHANGED (also when the job is closed or cancelled), INVALID, UNSUPPORTED, BAD_CALL
--- Events: OfferRevoked (each), JobQueued or JobWaitingForActivation

-- fields whose change sends a waiting job back into its queue
local REQUEUES = { "labels", "queue", "channel", "selectors" }

local function values_of(job, fields)
  local values = {}
  for _, field in ipairs(fields) do
    values[field] = job[field] or ""
  end
  return values
end

-- does it wait, or will it: then its queue's policies must act
local function will_wait(job, given)
  if job.status == "waitingForActivation" then
    return true
  end
  return job.status == "queued" and job.queue ~= given.queue
end

local function activate_or_suspend(job, given, before)
  if job.status == "waitingForActivation" and given.mode == "queueAndMatch" then
    jobs.enqueue(job, true)
  elseif job.status == "queued" and given.mode == "suspend" then
    jobs.dequeue(job)
    jobs.move(job, "waitingForActivation")
    events.job_waiting_for_activation(job)
    match.touch_job(job)
  elseif job.status == "queued" then
    local after, requeue = values_of(job, REQUEUES), false
    for _, field in ipairs(REQUEUES) do
      requeue = requeue or before[field] ~= after[field]
    end
    if requeue then
      offers.revoke_all(job)
      jobs.enqueue(job, before.queue ~= after.queue)
    else
      match.touch_job(job)
    end
  end
end

op.write("jr_job_update", job_fields.specification(), function(given, labels, tags, note_lines, wanted)
  -- read
  local job = jobs.load(given.id)
  -- check
  if upsert.check(job, given) then
    return upsert.reply("exists", job)
  end
  if not job or jobs.FINISHED[job.status] then
    refuse.changed("it has changed since it was read")
  end
  job_fields.check(given, wanted or "")
  if given.queue ~= job.queue then
    job_fields.need_queue(given)
  end
  if will_wait(job, given) then
    job_fields.check_queue(given)
  end
  note_lines = notes.dated(note_lines or "")
  -- write
  op.number()
  local before = values_of(job, REQUEUES)
  jobs.change_queue(job, given.queue)
  job_fields.write(job, given, labels, tags, note_lines, job_selectors.started(job, wanted or ""))
  jobs.rewrite(job)
  jobs.revise(job)
  activate_or_suspend(job, given, before)
  return upsert.reply("updated", job)
end)
