-- The events of jobs, with the names that ACS gives to them and their members.

-- members that every job event has
local function make_base(job, queue)
  return '"jobId":'
    .. payloads.id(job)
    .. (job.reference and ',"channelReference":' .. cjson.encode(job.reference) or "")
    .. ',"channelId":'
    .. texts.json(job.channel)
    .. (queue and ',"queueId":' .. texts.json(queue) or "")
    .. ',"labels":{'
    .. (job.labels or "")
    .. '},"tags":{'
    .. (job.tags or "")
    .. "}"
end

-- kept while the call does not change them
local function job_base(job)
  job.base = job.base or make_base(job, job.queue)
  return job.base
end

local function subject_of(job, rest)
  return cjson.encode("job/" .. job.id .. "/channel/" .. job.channel .. rest)
end

local function job_event(kind, job, subject, data, worker)
  outbox.add(kind, subject_of(job, subject), job, worker, job_base(job), data)
end

local function waiting_selectors(job)
  return ',"priority":'
    .. (job.priority or "1")
    .. ',"requestedWorkerSelectors":'
    .. payloads.selectors(selectors.list(job.selectors or ""), job)
    .. ',"attachedWorkerSelectors":'
    .. payloads.selectors(selectors.list(job.attached or ""), job)
end

-- where a job that was just received goes
local RECEIVED = {
  created = "Queued",
  pendingClassification = "PendingClassification",
  pendingSchedule = "PendingSchedule",
  waitingForActivation = "WaitingForActivation",
}

local UNAVAILABLE = { pendingSchedule = true, waitingForActivation = true }

local function scheduled_on(job)
  return job.schedule_at and ',"scheduledOn":"' .. clock.iso(job.schedule_at) .. '"' or ""
end

function job_events.received(job)
  -- with a policy, the priority is not known yet
  local policy = job.classification
  job_event(
    "RouterJobReceived",
    job,
    "",
    ',"jobStatus":"'
      .. RECEIVED[job.status]
      .. '"'
      .. (policy and ',"classificationPolicyId":' .. texts.json(policy) or ',"priority":' .. (job.priority or "1"))
      .. ',"requestedWorkerSelectors":'
      .. payloads.selectors(selectors.list(job.selectors or ""), job)
      .. scheduled_on(job)
      .. ',"unavailableForMatching":'
      .. (UNAVAILABLE[job.status] and "true" or "false")
  )
end

local function queue_details(id)
  local name, labels = queues.details(id)
  return '{"id":'
    .. texts.json(id)
    .. (name and ',"name":' .. texts.json(name) or "")
    .. ',"labels":'
    .. document.object(labels, texts.json(id))
    .. "}"
end

--- The policy of a job was applied. The queue and the priority are told where the policy has found them.
---@param outcome table of classification.decide
function job_events.classified(job, outcome)
  outbox.add(
    "RouterJobClassified",
    subject_of(job, "/queue/" .. job.queue),
    job,
    nil,
    outcome.selected and job_base(job) or make_base(job),
    (outcome.selected and ',"queueDetails":' .. queue_details(outcome.selected) or "")
      .. ',"classificationPolicyId":'
      .. texts.json(job.classification)
      .. (outcome.priority and ',"priority":' .. outcome.priority or "")
      .. ',"attachedWorkerSelectors":'
      .. payloads.selectors(selectors.list(job.attached or ""), job)
  )
end

local FAILURES = { rule = "RuleFailed", queue = "QueueNotFound" }

local ATTACHMENTS = { worker = "workerSelectorAttachments", queue = "queueSelectorAttachments" }

-- the place of a rule in its policy
local function rule_target(place)
  local list, index = string.match(place, "^(%a+)%.(%d+)$")
  return list and ATTACHMENTS[list] .. "[" .. index .. "]" or "prioritizationRule"
end

--- The policy of a job could not be applied.
---@param failed table code, message, and place of the rule that failed, if one has
function job_events.classification_failed(job, failed)
  outbox.add(
    "RouterJobClassificationFailed",
    subject_of(job, "/classificationpolicy/" .. job.classification),
    job,
    nil,
    make_base(job),
    ',"classificationPolicyId":'
      .. texts.json(job.classification)
      .. ',"errors":[{"code":"'
      .. FAILURES[failed.code]
      .. '","message":'
      .. texts.json(failed.message)
      .. (failed.place and ',"target":"' .. rule_target(failed.place) .. '"' or "")
      .. "}]"
  )
end

function job_events.queued(job)
  job_event("RouterJobQueued", job, "/queue/" .. job.queue, waiting_selectors(job))
end

function job_events.waiting_for_activation(job)
  job_event(
    "RouterJobWaitingForActivation",
    job,
    "",
    waiting_selectors(job)
      .. ',"expiredRequestedWorkerSelectors":'
      .. payloads.expired(job.selectors or "", job)
      .. ',"expiredAttachedWorkerSelectors":'
      .. payloads.expired(job.attached or "", job)
      .. scheduled_on(job)
      .. ',"unavailableForMatching":true'
  )
end

--- A rule of the exception policy of the job's queue fires.
function job_events.exception_triggered(job, rule_id)
  local rule = texts.json(rule_id)
  job_event(
    "RouterJobExceptionTriggered",
    job,
    "/exceptionrule/" .. rule_id,
    ',"ruleKey":' .. rule .. ',"exceptionRuleId":' .. rule
  )
end

-- worker: where it is one of its events too
local function assignment_event(kind, job, assignment, worker_id, more, worker)
  job_event(
    kind,
    job,
    "/assignment/" .. assignment,
    ',"assignmentId":"' .. assignment .. '","workerId":' .. texts.json(worker_id) .. (more or ""),
    worker
  )
end

function job_events.completed(job)
  assignment_event("RouterJobCompleted", job, job.assignment, job.worker)
end

---@param worker table that is freed
function job_events.closed(job, worker)
  local disposition = ',"dispositionCode":' .. texts.json(job.disposition)
  assignment_event("RouterJobClosed", job, job.assignment, job.worker, disposition, worker)
end

---@param worker table that is freed
function job_events.unassigned(job, assignment, worker_id, worker)
  assignment_event("RouterJobUnassigned", job, assignment, worker_id, nil, worker)
end

---@param note string JSON string text, or empty
---@param worker table|nil that is freed
function job_events.cancelled(job, note, worker)
  job_event(
    "RouterJobCancelled",
    job,
    "/disposition/" .. job.disposition,
    (note == "" and "" or ',"note":' .. note)
      .. ',"dispositionCode":'
      .. texts.json(job.disposition)
      .. (worker and ',"assignmentId":"' .. job.assignment .. '","workerId":' .. payloads.id(worker) or ""),
    worker
  )
end

function job_events.deleted(job)
  job_event("RouterJobDeleted", job, "", "")
end

---@param requested table selectors that have just run out
---@param attached table
function job_events.selectors_expired(job, requested, attached)
  local first, second = payloads.selectors(requested, job), payloads.selectors(attached, job)
  job_event(
    "RouterJobWorkerSelectorsExpired",
    job,
    "/queue/" .. job.queue,
    ',"requestedWorkerSelectorsExpired":'
      .. first
      .. ',"attachedWorkerSelectorsExpired":'
      .. second
      .. ',"expiredRequestedWorkerSelectors":'
      .. first
      .. ',"expiredAttachedWorkerSelectors":'
      .. second
  )
end
