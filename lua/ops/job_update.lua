--- Replace all client-written fields of an unfinished job; what changes decides what follows.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { id, doc, rev, channel, queue, classification, priority, reference, disposition,
---   mode, schedule_at, request_id }, 3 labels, 4 tags, 5 notes, 6 selectors
--- Replies: outcome (updated, exists), op, the record as it is before any match
--- Refuses: CHANGED (also when the job is closed or cancelled), INVALID, UNSUPPORTED, BAD_CALL
--- Events: OfferRevoked (each), JobQueued or JobWaitingForActivation (none when it is scheduled)

-- fields whose change sends a waiting job back into its queue
local REQUEUES = { "labels", "queue", "channel", "selectors" }

local function changes(job, after)
  for _, field in ipairs(REQUEUES) do
    if (job[field] or "") ~= after[field] then
      return true
    end
  end
  return false
end

-- jobs outside the order of their queue that a client may activate
local ASIDE = { scheduled = true, waitingForActivation = true }

-- does it wait, or will it: then its queue's policies must act
local function will_wait(job, given)
  return ASIDE[job.status] or (job.status == "queued" and job.queue ~= given.queue)
end

-- what the change means for a job that waits: nil, "activate", "schedule", "suspend" or "requeue"
local function meaning_of(job, given, after)
  local aside = ASIDE[job.status]
  if not aside and job.status ~= "queued" then
    return nil
  elseif aside and given.mode == "queueAndMatch" then
    return "activate"
  end
  local remoded = given.mode ~= (job.mode or "queueAndMatch") or given.schedule_at ~= (job.schedule_at or 0)
  if remoded and given.mode == "scheduleAndSuspend" then
    return "schedule"
  elseif remoded and given.mode == "suspend" and job.status ~= "waitingForActivation" then
    return "suspend"
  end
  return not aside and changes(job, after) and "requeue" or nil
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
  job_fields.check(given, labels, tags, note_lines, wanted)
  if given.queue ~= job.queue then
    job_fields.need_queue(given)
  end
  if will_wait(job, given) then
    job_fields.check_queue(given)
  end
  note_lines = notes.dated(note_lines or "")
  -- write
  op.number()
  local after = {
    labels = labels or "",
    queue = given.queue,
    channel = given.channel,
    selectors = job_selectors.started(job, wanted or ""),
  }
  local meaning, moves = meaning_of(job, given, after), job.queue ~= given.queue
  if meaning and job.status == "queued" then
    jobs.dequeue(job)
  elseif meaning then
    schedules.stop(job)
  end
  jobs.change_queue(job, given.queue)
  job_fields.write(job, given, labels, tags, note_lines, after.selectors)
  jobs.rewrite(job)
  jobs.revise(job)
  if meaning == "suspend" then
    jobs.move(job, "waitingForActivation")
    events.job_waiting_for_activation(job)
  elseif meaning == "schedule" then
    schedules.start(job)
  elseif meaning then
    jobs.enqueue(job, meaning == "activate" or moves)
  end
  match.touch_job(job)
  return upsert.reply("updated", job)
end)
