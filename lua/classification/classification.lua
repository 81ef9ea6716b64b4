-- Classification: a job's policy finds its priority, the selectors that are attached to it, and its queue.
--
-- First it is decided, which only reads; then the outcome is written. So an operation may still refuse in between.
--
-- A policy with rules that others answer decides nothing at once: the job waits for their answers (see tasks), outside the order
-- of its queue, and all is decided when they come, as everything is then.

-- bytes of labels for which what they give takes one place in its memo
local PLACE = 256

-- numbers from 0 to below 1 that the same job gets in the same call again
local function dice(job_id, number)
  local drawn = 0
  return function()
    drawn = drawn + 1
    local name = table.concat({ keys.root, "draw", job_id, string.format("%.0f", number), drawn }, "\0")
    return tonumber(string.sub(redis.sha1hex(name), 1, 13), 16) / 2 ^ 52
  end
end

local function failure(code, message, place)
  return { failed = { code = code, message = message, place = place } }
end

-- without its fraction, and within the range of priorities
local function whole_priority(number)
  local whole = number < 0 and math.ceil(number) or math.floor(number)
  return math.max(-100, math.min(100, whole)) + 0
end

-- the queue of a job: what the policy selects goes before the job's own, and that before the fallback
local function choose_queue(outcome, subject, wanted, fallback)
  local found = wanted ~= "" and label_sets.find(wanted, subject.stands_in) or nil
  if not found and not subject.queue then
    found = fallback
  end
  outcome.selected = found
  outcome.queue = found or subject.queue
end

-- what the rules of a pipeline give: priority, attached and wanted (selectors); or failed
local function rules_give(pipeline, labels, draw)
  local found = {}
  local reason, place
  if pipeline.priority then
    found.priority, reason = rule_values.number(pipeline.priority, labels)
    if reason then
      return failure("rule", reason, "priority")
    end
    found.priority = whole_priority(found.priority)
  end
  found.attached, reason, place = attachments.selectors(pipeline.workers, labels, draw)
  if reason then
    return failure("rule", reason, "worker." .. place)
  end
  found.wanted, reason, place = attachments.selectors(pipeline.queues, labels, draw)
  if reason then
    return failure("rule", reason, "queue." .. place)
  end
  return found
end

-- the same; remembered with the pipeline, under the labels, where nothing else decides
local function found_by(pipeline, subject)
  if not pipeline.given then
    return rules_give(pipeline, subject.labels, dice(subject.id, op.upcoming()))
  end
  local labels = subject.labels
  return pipeline.given.of[labels]
    or memos.put(pipeline.given, labels, rules_give(pipeline, labels), math.ceil(#labels / PLACE))
end

--- What the policy of a job finds. Reads only.
---@param subject table id, classification, policy (when it was read already), labels, queue (nil = none), stands_in (the queue in
---whose order it is, or nil), answers (of others to the policy's rules, or nil)
---@return table outcome priority (nil = none is set), attached (lines), queue, selected (the queue, when the policy found it); or
---failed: code, message, place (of the rule: priority, worker.<n>, queue.<n>); or asks: others have to be asked first
function classification.decide(subject)
  local policy = subject.policy or policies.pipeline(subject.classification)
  local pipeline = pipelines.of_text(policy.text)
  if pipeline.remote and not subject.answers then
    return { asks = true }
  elseif pipeline.remote then
    pipeline = pipelines.answered(pipeline, subject.answers)
  end
  local found = found_by(pipeline, subject)
  if found.failed then
    return found
  end
  local outcome = { priority = found.priority, attached = found.attached }
  choose_queue(outcome, subject, found.wanted, policy.fallback)
  if not outcome.queue then
    return failure("queue", "no queue fits, the job has none, and the policy has no fallback queue")
  end
  return outcome
end

--- The same of a stored job, with what is about to be changed of it.
---@param changed table|nil classification (and policy, when it was read already), labels, queue: each instead of the job's own;
---answers
function classification.decide_job(job, changed)
  changed = changed or {}
  local queue = changed.queue or job.queue
  return classification.decide({
    id = job.id,
    classification = changed.classification or job.classification,
    policy = changed.policy,
    labels = changed.labels or job.labels or "",
    queue = queue ~= "" and queue or nil,
    stands_in = job.in_queue,
    answers = changed.answers,
  })
end

--- A job waits for its classification: it leaves its queue, and its offers are revoked.
function classification.start(job)
  if job.status == "queued" then
    stays.dequeue(job)
  end
  if job.status ~= "pendingClassification" then
    jobs.move(job, "pendingClassification")
  end
  match.touch_job(job)
end

-- selectors of a job that was in a queue before run from now on, those of another from its enqueue
local function started(job, lines)
  if not job.enqueued_at then
    return lines
  end
  local list = {}
  for line in texts.lines(lines) do
    list[#list + 1] = line .. clock.now
  end
  return table.concat(list, "\n")
end

-- ---- rules that others answer -----------------------------------------------------------------------------------

local function task_of(job_id)
  return "classify:" .. job_id
end

--- A job does not wait for answers any more.
function classification.forget(job)
  if job.asked then
    tasks.remove(task_of(job.id))
    jobs.set(job, "asked", nil)
    jobs.set(job, "stays", nil)
    jobs.set(job, "way", nil)
  end
end

--- The question of a job that waits for answers, as flat list, for whoever asks it.
function classification.question(id)
  local job = jobs.load(id)
  local policy = policies.pipeline(job.classification)
  return {
    "asked",
    job.asked,
    "revision",
    policy.doc,
    "labels",
    job.labels or "",
    "pipeline",
    policy.text,
    "secret",
    policies.secret("classification", job.classification),
  }
end

--- Classifies a job by answers, unless its question has changed since: then that stands anew.
---@param given table asked, revision (the policy's doc): as they were told with the question
---@param answers table by the places of their rules
---@return boolean done
function classification.answer(id, given, answers)
  local job = jobs.load(id)
  if not job or job.asked ~= given.asked then
    return false
  end
  if policies.pipeline(job.classification).doc ~= given.revision then
    tasks.add(task_of(id))
    return false
  end
  local decided = classification.decide_job(job, { answers = answers })
  op.number()
  match.touch_job(job)
  classification.finish(job, decided, not job.stays)
  return true
end

-- ---- what was decided -------------------------------------------------------------------------------------------

local function ask(job)
  jobs.set(job, "asked", op.number())
  tasks.add(task_of(job.id))
end

local function answered(job)
  if job.asked then
    tasks.remove(task_of(job.id))
    jobs.set(job, "asked", nil)
  end
end

--- Gives a job that waits for it what was decided, all but its place in the queue.
---@return boolean found false when its classification has failed, or others have to be asked
function classification.apply(job, outcome)
  jobs.set(job, "unclassified", nil)
  if outcome.asks then
    ask(job)
    return false
  end
  answered(job)
  if outcome.failed then
    -- kept in this call only, for who previews it
    job.failed = outcome.failed
    jobs.move(job, "classificationFailed")
    job_events.classification_failed(job, outcome.failed)
    return false
  end
  local priority = outcome.priority or job.priority or 1
  if outcome.queue ~= job.queue or priority ~= (job.priority or 1) then
    jobs.rewrite(job)
  end
  jobs.set(job, "priority", priority ~= 1 and priority or nil)
  jobs.set(job, "attached", outcome.attached ~= "" and started(job, outcome.attached) or nil)
  jobs.change_queue(job, outcome.queue)
  job_events.classified(job, outcome)
  return true
end

--- The same, and puts it into its queue.
---@param new_stay boolean|nil whether a new stay begins even in the queue that it is in
function classification.finish(job, outcome, new_stay)
  local moves = outcome.queue ~= job.queue
  if classification.apply(job, outcome) then
    jobs.set(job, "stays", nil)
    stays.enqueue(job, new_stay or moves)
  elseif outcome.failed then
    jobs.set(job, "stays", nil)
  elseif not new_stay then
    jobs.set(job, "stays", "1")
  end
  if not job.asked then
    jobs.set(job, "way", nil)
  end
end
