--- Replace all client-written fields of an unfinished job; what changes decides what follows.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { id, doc, rev, channel, queue, classification, priority, reference, disposition,
---   mode, schedule_at, request_id }, 3 labels, 4 tags, 5 notes, 6 selectors
--- Replies: outcome (updated, exists), op, the record as it is before its classification and any match
--- Refuses: CHANGED (also when the job is closed or cancelled), INVALID, BAD_CALL
--- Events: OfferRevoked (each), then JobClassified or JobClassificationFailed (when its policy is applied again), JobQueued; or
---   JobWaitingForActivation (none when it is scheduled)

-- fields whose change sends a waiting job back into its queue
local REQUEUES = { "labels", "queue", "channel", "selectors" }

-- jobs that wait for a worker, or would if they could be classified
local WAITING = { queued = true, pendingClassification = true, classificationFailed = true }

local function changes(job, after)
  for _, field in ipairs(REQUEUES) do
    if (job[field] or "") ~= after[field] then
      return true
    end
  end
  return job.classification ~= nil and not after.classification
end

-- does the change ask for a classification?
local function reclassifies(job, after)
  local policy = after.classification
  return policy ~= nil and (policy ~= job.classification or after.labels ~= (job.labels or ""))
end

-- what the change means for a job that waits: nil, "classify", "activate", "schedule", "suspend" or "requeue"
local function meaning_of(job, given, after)
  local aside, anew = statuses.ASIDE[job.status], reclassifies(job, after)
  if not aside and not WAITING[job.status] then
    return nil
  elseif aside and given.mode == "queueAndMatch" then
    return (anew or (after.classification and job.unclassified)) and "classify" or "activate"
  end
  local remoded = given.mode ~= (job.mode or "queueAndMatch") or given.schedule_at ~= (job.schedule_at or 0)
  if remoded and given.mode == "scheduleAndSuspend" then
    return "schedule"
  elseif remoded and given.mode == "suspend" and job.status ~= "waitingForActivation" then
    return "suspend"
  elseif aside then
    return nil
  elseif anew then
    return "classify"
  elseif job.status == "pendingClassification" then
    -- what has no policy any more waits for no answers
    return not after.classification and "requeue" or nil
  elseif job.status == "classificationFailed" then
    -- a queue of its own is what it lacked, or it has no policy any more
    return (after.queue ~= (job.queue or "") or not after.classification) and "requeue" or nil
  end
  return changes(job, after) and "requeue" or nil
end

-- what its policy finds when it is classified now
local function decide(job, meaning, after)
  if after.classification and after.classification ~= job.classification then
    after.policy = job_fields.check_policy(after.classification)
  end
  return meaning == "classify" and classification.decide_job(job, after) or nil
end

local TAKES = job_fields.specification({ doc = 0, rev = -1, request_id = "" })

op.write("jr_job_update", TAKES, function(given, labels, tags, note_lines, wanted)
  -- read
  local job = jobs.load(given.id)
  -- check
  if upsert.check(job, given) then
    return upsert.reply("exists", job)
  end
  if not job or statuses.FINISHED[job.status] then
    refuse.changed("it has changed since it was read")
  end
  job_fields.check(given, labels, tags, note_lines, wanted)
  local after = {
    labels = labels or "",
    -- a job with a policy keeps the queue that it has
    queue = given.queue ~= "" and given.queue or job.queue or "",
    channel = given.channel,
    selectors = job_selectors.started(job, wanted or ""),
    classification = given.classification ~= "" and given.classification or nil,
  }
  local meaning = meaning_of(job, given, after)
  local decided = decide(job, meaning, after)
  note_lines = notes.dated(note_lines or "")
  -- write
  op.number()
  local before, moves = job.status, (job.queue or "") ~= after.queue
  local unclassified = reclassifies(job, after) or before == "classificationFailed" or before == "pendingClassification"
  local was_in_queue = before == "queued" or job.stays ~= nil
  if meaning and before == "queued" then
    stays.dequeue(job)
  elseif meaning then
    schedules.stop(job)
    if not decided then
      classification.forget(job)
    end
  end
  jobs.change_policy(job, after.classification)
  if moves then
    jobs.change_queue(job, after.queue)
  end
  job_fields.write(job, given, labels, tags, note_lines, after.selectors)
  jobs.set(job, "update_request", given.request_id ~= "" and given.request_id or job.update_request)
  jobs.rewrite(job)
  jobs.revise(job)
  match.touch_job(job)
  if decided then
    classification.start(job)
    local reply = upsert.reply("updated", job)
    classification.finish(job, decided, before ~= "queued")
    return reply
  elseif meaning == "suspend" then
    jobs.move(job, "waitingForActivation")
    job_events.waiting_for_activation(job)
  elseif meaning == "schedule" then
    schedules.start(job)
  elseif meaning then
    stays.enqueue(job, meaning == "activate" or not was_in_queue or moves)
  end
  if after.classification and unclassified and statuses.ASIDE[job.status] then
    jobs.set(job, "unclassified", "1")
  end
  return upsert.reply("updated", job)
end)
