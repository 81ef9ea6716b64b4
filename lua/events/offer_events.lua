-- The events of offers, with the names that ACS gives to them and their members. They are events of job and worker.

-- own: what this event tells of the offer; more, rest: as outbox.add takes them
local function offer_event(kind, job, worker, offer, own, more, rest)
  outbox.add(
    kind,
    cjson.encode("worker/" .. worker.id .. "/job/" .. job.id),
    job,
    worker,
    '"workerId":'
      .. payloads.id(worker)
      .. ',"jobId":'
      .. payloads.id(job)
      .. (job.reference and ',"channelReference":' .. cjson.encode(job.reference) or "")
      .. ',"channelId":'
      .. texts.json(offer.channel)
      .. ',"queueId":'
      .. texts.json(offer.queue)
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
    .. document.object(worker.labels or "", payloads.id(worker))
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
    return ',"after":' .. texts.json(pick.after)
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
function offer_events.issued(job, worker, offer, made)
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

function offer_events.accepted(job, worker, offer, assignment)
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
function offer_events.ended(how, job, worker, offer)
  offer_event("RouterWorkerOffer" .. how, job, worker, offer, '"')
end
