--- What would become of a new job if it were created now, by the code that creates jobs; nothing is written. Of what is due
--- nothing is done first.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { id, channel, queue, classification, priority, reference, disposition, mode,
---   schedule_at, and of slices: cursor (next of the slice before), sampled (workers that those before have told of) }, 3 labels,
---   4 tags, 5 notes, 6 selectors
--- Replies: job, status, queue, channel, priority, selectors, attached, labels, disposition, enqueued_at; selected (the queue
---   that its policy found), unclassified (1 = it is classified when it is activated), failed, message and place (of its
---   classification), pending (places of the rules that others would be asked first, or scoring); while it would wait: position,
---   length, wait_minutes, mode, maximum (of offers); then the numbers and next as jr_job_explain; rows as there, and about =
---   offer (worker, considered, passed, score), rule (exception rules that fire on its way: rule, policy)
--- Refuses: CONFLICT (there is an unfinished job of this id), INVALID, BAD_CALL
--- Events: none

-- the job as it would stand after its call, but for its offers
local function rehearse(given, labels, tags, note_lines, wanted)
  local decided = arrivals.decide(given, labels)
  rehearsals.start()
  op.number()
  local job = jobs.new(given.id, given.queue ~= "" and given.queue or nil, given.channel)
  job_fields.write(job, given, labels, tags, note_lines, wanted)
  jobs.move(job, arrivals.first_status(given.mode, decided))
  arrivals.go_on(job, decided)
  return job, decided or {}
end

local function tell_outcome(reply, job, decided)
  for _, field in ipairs({ "queue", "channel", "priority", "selectors", "attached", "labels" }) do
    reasons.tell(reply, field, job[field])
  end
  reasons.tell(reply, "disposition", job.disposition, "enqueued_at", job.enqueued_at, "selected", decided.selected)
  reasons.tell(reply, "unclassified", job.unclassified)
end

local function tell_failure(reply, job)
  local failed = job.failed
  if failed then
    reasons.tell(reply, "failed", failed.code, "message", failed.message, "place", failed.place)
  end
end

-- where the job would stand, and how long it would wait
local function tell_place(reply, job)
  local order = keys.queue_order(job.queue)
  local position = redis.call("ZCOUNT", order, "-inf", "(" .. string.format("%.0f", queues.score(job))) + 1
  local gap_ms = waits.pace(job.queue)
  local longest = not gap_ms and waits.longest(job.queue) or nil
  reasons.tell(reply, "position", position, "length", redis.call("ZCARD", order) + 1)
  reasons.tell(reply, "wait_minutes", waits.minutes(gap_ms, position, longest))
end

local function add_offers(rows, picks, mode)
  for i, pick in ipairs(picks) do
    local row = { "about", "offer", "worker", pick.worker, "considered", pick.considered }
    reasons.tell(row, "passed", pick.passed)
    if mode == "bestWorker" and pick.score then
      reasons.tell(row, "score", string.format("%.17g", pick.score))
    end
    rows[#rows + 1], picks[i] = row, nil
  end
end

-- whom it would be offered to, and why not to the others
local function tell_match(reply, rows, job, pending, given)
  local plan = queues.plan(job.queue)
  local picks, asks = match.plan(job)
  if asks then
    pending[#pending + 1] = "scoring"
  end
  if given.cursor == "" then
    reasons.add_rows(rows, "change", explanations.changes_of(job))
    tell_place(reply, job)
    reasons.tell(reply, "mode", plan.mode, "maximum", plan.max)
    add_offers(rows, picks, plan.mode)
  end
  return surveys.tell(reply, rows, job, demand.class(demand.class_of(job)), given)
end

local TAKES = job_fields.specification({ cursor = "", sampled = 0 })

op.read("jr_job_preview", TAKES, function(given, labels, tags, note_lines, wanted)
  local stored = jobs.load(given.id)
  if stored and not statuses.FINISHED[stored.status] then
    refuse.conflict("There is a job of this id, which is " .. stored.status .. ".")
  end
  job_fields.check(given, labels, tags, note_lines, wanted)
  surveys.check_cursor(given.cursor)
  local job, decided = rehearse(given, labels, tags, note_lines, wanted)
  local reply, rows, pending, next_cursor = { "job", job.id, "status", job.status }, {}, {}, ""
  if job.asked then
    pending = pipelines.remote_places(pipelines.of_text(policies.pipeline(job.classification).text))
  end
  reasons.add_rows(rows, "rule", given.cursor == "" and job.triggered or {})
  tell_outcome(reply, job, decided)
  tell_failure(reply, job)
  if job.status == "queued" then
    next_cursor = tell_match(reply, rows, job, pending, given)
  end
  reasons.tell(reply, "pending", pending, "next", next_cursor, "rows", rows)
  return reply
end)
