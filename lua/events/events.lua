-- The payloads of all events, with the names that ACS gives them.

local function json(value)
  return texts.json(value)
end

-- the id of a job or worker; hardly two calls speak of the same, so that it is not worth remembering for longer
local function id_json(record)
  local text = record.id_json or cjson.encode(record.id)
  record.id_json = text
  return text
end

local OPERATORS = {
  ["="] = "Equal",
  ["!="] = "NotEqual",
  ["<"] = "Less",
  ["<="] = "LessThanOrEqual",
  [">"] = "Greater",
  [">="] = "GreaterThanOrEqual",
}

local function has_expired(selector, job)
  return not selectors.is_active(selector, job.enqueued_at, job.expired_to or 0)
end

local function selector_json(selector, job)
  local expires, expired = selectors.expires_at(selector, job.enqueued_at), has_expired(selector, job)
  return '{"key":'
    .. selector.key
    .. ',"labelOperator":"'
    .. OPERATORS[selector.operator]
    .. '"'
    .. (selector.text == "" and "" or ',"value":' .. selector.text)
    .. (selector.lasts and ',"ttlSeconds":' .. selector.seconds or "")
    .. ',"expedite":'
    .. tostring(selector.expedite)
    .. ',"state":"'
    .. (expired and "expired" or "active")
    .. '"'
    .. (expires and ',"expirationTime":"' .. clock.iso(expires) .. '"' or "")
    .. "}"
end

-- a list of selectors that do not run out is always the same, and remembers its JSON
local function selectors_json(given, job)
  if #given == 0 then
    return "[]"
  elseif given.json then
    return given.json
  end
  local parts, last = {}, false
  for i, selector in ipairs(given) do
    parts[i] = selector_json(selector, job)
    last = last or selector.lasts ~= nil
  end
  local json_text = "[" .. table.concat(parts, ",") .. "]"
  given.json = not last and json_text or nil
  return json_text
end

-- members that every job event has
local function make_base(job, queue)
  return '"jobId":'
    .. id_json(job)
    .. (job.reference and ',"channelReference":' .. cjson.encode(job.reference) or "")
    .. ',"channelId":'
    .. json(job.channel)
    .. (queue and ',"queueId":' .. json(queue) or "")
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
    .. selectors_json(selectors.list(job.selectors or ""), job)
    .. ',"attachedWorkerSelectors":'
    .. selectors_json(selectors.list(job.attached or ""), job)
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

function events.job_received(job)
  -- with a policy, the priority is not known yet
  local policy = job.classification
  job_event(
    "RouterJobReceived",
    job,
    "",
    ',"jobStatus":"'
      .. RECEIVED[job.status]
      .. '"'
      .. (policy and ',"classificationPolicyId":' .. json(policy) or ',"priority":' .. (job.priority or "1"))
      .. ',"requestedWorkerSelectors":'
      .. selectors_json(selectors.list(job.selectors or ""), job)
      .. scheduled_on(job)
      .. ',"unavailableForMatching":'
      .. (UNAVAILABLE[job.status] and "true" or "false")
  )
end

local function queue_details(id)
  local name, labels = queues.details(id)
  return '{"id":'
    .. json(id)
    .. (name and ',"name":' .. json(name) or "")
    .. ',"labels":'
    .. document.object(labels, json(id))
    .. "}"
end

--- The policy of a job was applied. The queue and the priority are told where the policy has found them.
---@param outcome table of classification.decide
function events.job_classified(job, outcome)
  outbox.add(
    "RouterJobClassified",
    subject_of(job, "/queue/" .. job.queue),
    job,
    nil,
    outcome.selected and job_base(job) or make_base(job),
    (outcome.selected and ',"queueDetails":' .. queue_details(outcome.selected) or "")
      .. ',"classificationPolicyId":'
      .. json(job.classification)
      .. (outcome.priority and ',"priority":' .. outcome.priority or "")
      .. ',"attachedWorkerSelectors":'
      .. selectors_json(selectors.list(job.attached or ""), job)
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
function events.job_classification_failed(job, failed)
  outbox.add(
    "RouterJobClassificationFailed",
    subject_of(job, "/classificationpolicy/" .. job.classification),
    job,
    nil,
    make_base(job),
    ',"classificationPolicyId":'
      .. json(job.classification)
      .. ',"errors":[{"code":"'
      .. FAILURES[failed.code]
      .. '","message":'
      .. json(failed.message)
      .. (failed.place and ',"target":"' .. rule_target(failed.place) .. '"' or "")
      .. "}]"
  )
end

function events.job_queued(job)
  job_event("RouterJobQueued", job, "/queue/" .. job.queue, waiting_selectors(job))
end

-- of a job's selectors those that have run out
local function expired_json(text, job)
  local expired = {}
  for _, selector in ipairs(selectors.list(text)) do
    if has_expired(selector, job) then
      expired[#expired + 1] = selector
    end
  end
  return selectors_json(expired, job)
end

function events.job_waiting_for_activation(job)
  job_event(
    "RouterJobWaitingForActivation",
    job,
    "",
    waiting_selectors(job)
      .. ',"expiredRequestedWorkerSelectors":'
      .. expired_json(job.selectors or "", job)
      .. ',"expiredAttachedWorkerSelectors":'
      .. expired_json(job.attached or "", job)
      .. scheduled_on(job)
      .. ',"unavailableForMatching":true'
  )
end

--- A rule of the exception policy of the job's queue fires.
function events.job_exception_triggered(job, rule_id)
  local rule = json(rule_id)
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
    ',"assignmentId":"' .. assignment .. '","workerId":' .. json(worker_id) .. (more or ""),
    worker
  )
end

function events.job_completed(job)
  assignment_event("RouterJobCompleted", job, job.assignment, job.worker)
end

---@param worker table that is freed
function events.job_closed(job, worker)
  local disposition = ',"dispositionCode":' .. json(job.disposition)
  assignment_event("RouterJobClosed", job, job.assignment, job.worker, disposition, worker)
end

---@param worker table that is freed
function events.job_unassigned(job, assignment, worker_id, worker)
  assignment_event("RouterJobUnassigned", job, assignment, worker_id, nil, worker)
end

---@param note string JSON string text, or empty
---@param worker table|nil that is freed
function events.job_cancelled(job, note, worker)
  job_event(
    "RouterJobCancelled",
    job,
    "/disposition/" .. job.disposition,
    (note == "" and "" or ',"note":' .. note)
      .. ',"dispositionCode":'
      .. json(job.disposition)
      .. (worker and ',"assignmentId":"' .. job.assignment .. '","workerId":' .. id_json(worker) or ""),
    worker
  )
end

function events.job_deleted(job)
  job_event("RouterJobDeleted", job, "", "")
end

---@param requested table selectors that have just run out
---@param attached table
function events.job_selectors_expired(job, requested, attached)
  local first, second = selectors_json(requested, job), selectors_json(attached, job)
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

-- own: what this event tells of the offer; more, rest: as outbox.add takes them
local function offer_event(kind, job, worker, offer, own, more, rest)
  outbox.add(
    kind,
    cjson.encode("worker/" .. worker.id .. "/job/" .. job.id),
    job,
    worker,
    '"workerId":'
      .. id_json(worker)
      .. ',"jobId":'
      .. id_json(job)
      .. (job.reference and ',"channelReference":' .. cjson.encode(job.reference) or "")
      .. ',"channelId":'
      .. json(offer.channel)
      .. ',"queueId":'
      .. json(offer.queue)
      .. ',"offerId":"'
      .. offer.id
      .. own,
    more,
    rest
  )
end

local function matched_labels(job, worker)
  return ',"jobPriority":'
    .. (job.priority or "1")
    .. ',"jobLabels":{'
    .. (job.labels or "")
    .. '},"jobTags":{'
    .. (job.tags or "")
    .. '},"workerLabels":'
    .. document.object(worker.labels or "", id_json(worker))
    .. ',"workerTags":'
    .. document.object(worker.tags or "")
end

-- numbers as text: making it anew costs as much as all the rest
local digits = {}

local function number_text(number)
  local text = digits[number]
  if not text then
    text = string.format("%.0f", number)
    if number < 1000 then
      digits[number] = text
    end
  end
  return text
end

-- the value by which the mode has ranked the worker, where it has ranked any
local function rank_of(pick, mode)
  if mode == "bestWorker" then
    local has_score = pick.score and pick.score - pick.score == 0
    return (has_score and ',"score":' .. string.format("%.17g", pick.score) or "")
      .. (pick.ranked and ',"ranked":' .. number_text(pick.ranked) or "")
  elseif mode == "roundRobin" and pick.after then
    return ',"after":' .. json(pick.after)
  end
  return ""
end

-- how the offer came about; the worker as it was before
local function decision_json(worker, offer, made)
  local passed = decisions.passed()
  return ',"decision":{"mode":"'
    .. made.mode
    .. (made.pick and '","way":"job","offer":' or '","way":"worker","offer":')
    .. number_text(made.nth)
    .. ',"searched":'
    .. number_text(decisions.searched)
    .. ',"considered":'
    .. number_text(decisions.considered)
    .. (passed and ',"passed":{' .. passed .. "}" or "")
    .. (made.pick and rank_of(made.pick, made.mode) or "")
    .. ',"worker":{"used":'
    .. number_text(worker.used - offer.cost)
    .. ',"capacity":'
    .. number_text(made.capacity)
    .. ',"offers":'
    .. number_text(worker.open - 1)
    .. ',"assignments":'
    .. number_text(worker.assigned)
    .. ',"availableSince":'
    .. worker.avail
    .. "}}"
end

--- An offer is made.
---@param made table the decision: mode, pick (nil where the worker looked for a job), nth (which open offer of the job it is),
---capacity (of the worker)
function events.offer_issued(job, worker, offer, made)
  offer_event(
    "RouterWorkerOfferIssued",
    job,
    worker,
    offer,
    '","offeredOn":"' .. clock.iso(offer.offered_at) .. '","expiresOn":"' .. clock.iso(offer.expires_at) .. '"',
    matched_labels(job, worker),
    decision_json(worker, offer, made)
  )
end

function events.offer_accepted(job, worker, offer, assignment)
  offer_event(
    "RouterWorkerOfferAccepted",
    job,
    worker,
    offer,
    '","assignmentId":"' .. assignment .. '"',
    matched_labels(job, worker)
  )
end

--- An offer has ended without acceptance.
---@param how string Declined, Revoked or Expired
function events.offer_ended(how, job, worker, offer)
  offer_event("RouterWorkerOffer" .. how, job, worker, offer, '"')
end

local function queue_assignments(worker)
  local parts = {}
  for line in texts.lines(worker.queues or "") do
    local id = document.value(line)
    local queue = queues.whole(id)
    parts[#parts + 1] = '{"id":'
      .. line
      .. (queue and queue.name and ',"name":' .. json(queue.name) or "")
      .. ',"labels":'
      .. document.object(queue and queue.labels or "", line)
      .. "}"
  end
  return "[" .. table.concat(parts, ",") .. "]"
end

local function channel_configurations(worker)
  local parts = {}
  for line in texts.lines(worker.channels or "") do
    local id, cost, most = string.match(line, "^([^\t]*)\t([^\t]*)\t([^\t]*)$")
    parts[#parts + 1] = '{"channelId":'
      .. id
      .. ',"capacityCostPerJob":'
      .. cost
      .. (most == "" and "" or ',"maxNumberOfJobs":' .. most)
      .. "}"
  end
  return "[" .. table.concat(parts, ",") .. "]"
end

local function worker_event(kind, worker, more)
  workers.whole(worker)
  outbox.add(
    kind,
    cjson.encode("worker/" .. worker.id),
    nil,
    worker,
    '"workerId":'
      .. id_json(worker)
      .. ',"totalCapacity":'
      .. (worker.capacity or 0)
      .. ',"queueAssignments":'
      .. queue_assignments(worker)
      .. ',"labels":'
      .. document.object(worker.labels or "", id_json(worker))
      .. ',"tags":'
      .. document.object(worker.tags or "")
      .. ',"channelConfigurations":'
      .. channel_configurations(worker),
    more
  )
end

function events.worker_registered(worker)
  worker_event("RouterWorkerRegistered", worker)
end

function events.worker_deleted(worker)
  worker_event("RouterWorkerDeleted", worker)
end

--- Words for the changed properties of a worker, in the order in which they are told.
events.WORKER_PROPERTIES = {
  { "available", "AvailableForOffers" },
  { "capacity", "TotalCapacity" },
  { "queues", "QueueAssignments" },
  { "labels", "Labels" },
  { "tags", "Tags" },
  { "channels", "ChannelConfigurations" },
}

---@param changed table set of field names
function events.worker_updated(worker, changed)
  local words = {}
  for _, property in ipairs(events.WORKER_PROPERTIES) do
    if changed[property[1]] then
      words[#words + 1] = '"' .. property[2] .. '"'
    end
  end
  if #words > 0 then
    worker_event("RouterWorkerUpdated", worker, ',"updatedWorkerProperties":[' .. table.concat(words, ",") .. "]")
  end
end

function events.worker_deregistered(worker)
  outbox.add(
    "RouterWorkerDeregistered",
    cjson.encode("worker/" .. worker.id),
    nil,
    worker,
    '"workerId":' .. id_json(worker)
  )
end
