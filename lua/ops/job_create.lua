--- Create a job (doc = 0), or give a closed or cancelled one a new life (doc = its counter).
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { id, doc, rev, channel, queue, classification, priority, reference, disposition,
---   mode, schedule_at, request_id }, 3 labels, 4 tags, 5 notes, 6 selectors
--- Replies: outcome (created, updated; exists, also of a finished job whose life this very request has begun or changed last),
---   op, the record as it is before classification and enqueue; of a new job only what the router has made: status,
---   created_at, notes (where some were given); doc and rev are 1, created is op, modified_at is created_at
--- Refuses: CHANGED, INVALID (neither queue nor classification policy, or an unknown one), BAD_CALL
--- Events: JobReceived, then JobClassified or JobClassificationFailed (with a policy), JobExceptionTriggered (each rule),
---   JobQueued; or JobWaitingForActivation of a schedule in the past

-- what belongs to a former life
local FORMER = {
  "seq",
  "enqueued_at",
  "entered_at",
  "expired_to",
  "fired",
  "attached",
  "unclassified",
  "assignment",
  "worker",
  "assigned_at",
  "completed_at",
  "closed_at",
  "accepted_offer",
  "accept_request",
  "complete_request",
  "close_request",
  "cancel_request",
  "unassign_request",
  "update_request",
  "reclassify_request",
  "unassigned_life",
  "declined",
}

-- is this the request that has begun the life which is over, or was the last to change it? Then it has lost its answer, and the
-- job is not to begin anew. The beginning is known as long as the outbox keeps its entry.
local function is_repeated(job, given)
  local id = given.request_id
  return id ~= "" and (job.update_request == id or outbox.request(job.created) == id)
end

local function forget_former_life(job)
  for _, field in ipairs(FORMER) do
    jobs.set(job, field, nil)
  end
  redis.call("ZREM", keys.listing("finished"), job.id)
  if job.queue then
    redis.call("ZREM", keys.queue_jobs(job.queue), job.id)
  end
  job.status = nil
end

local TAKES = job_fields.specification({ doc = 0, rev = -1, request_id = "" })

op.write("jr_job_create", TAKES, function(given, labels, tags, note_lines, wanted)
  -- read
  local job = jobs.load(given.id)
  -- check
  if upsert.check(job, given) then
    return upsert.reply("exists", job)
  end
  if job and not statuses.FINISHED[job.status] then
    refuse.changed("it has changed since it was read")
  end
  if job and is_repeated(job, given) then
    return upsert.reply("exists", job)
  end
  job_fields.check(given, labels, tags, note_lines, wanted)
  local decided = arrivals.decide(given, labels)
  note_lines = note_lines and note_lines ~= "" and notes.dated(note_lines)
  -- write
  local outcome = job and "updated" or "created"
  local number, queue = op.number(), given.queue ~= "" and given.queue or nil
  if job then
    forget_former_life(job)
    jobs.set(job, "created", op.text)
    jobs.set(job, "created_at", clock.text)
    jobs.set(job, "queue", queue)
    jobs.set(job, "channel", given.channel)
    jobs.rewrite(job)
  else
    job = jobs.new(given.id, queue, given.channel)
  end
  listings.add("jobs", job.id, number)
  if queue then
    redis.call("ZADD", keys.queue_jobs(queue), number, job.id)
    queues.count_active(queue, 1)
  end
  job_fields.write(job, given, labels, tags, note_lines, wanted)
  policies.count_active(job.classification, 1)
  agenda.add("life:" .. job.id, clock.now + limits.LIFETIME_MS)
  jobs.move(job, arrivals.first_status(given.mode, decided))
  job_events.received(job)
  local reply
  if outcome == "created" then
    reply = { "outcome", outcome, "op", number, "status", job.status, "created_at", clock.text }
    if note_lines then
      reply[9], reply[10] = "notes", note_lines
    end
  else
    reply = upsert.reply(outcome, job)
  end
  arrivals.go_on(job, decided)
  return reply
end, true)
