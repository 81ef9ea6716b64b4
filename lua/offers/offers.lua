-- Offers: issued, accepted, declined, expired, revoked. An offer reserves capacity from its issue on.

-- open offers of a job up to which they are looked through one by one
local FEW = 8

-- the open offers of a job: id of 36 characters and sized worker, one after the other
local function parse(text)
  local list, from = {}, 1
  while from <= #text do
    local id = string.sub(text, from, from + 35)
    local worker
    worker, from = texts.read_sized(text, from + 36)
    list[#list + 1] = { id = id, worker = worker }
  end
  return list
end

--- The open offers of a job: id and worker, oldest first.
function offers.of_job(job)
  if not job.offered then
    job.offered = parse(job.offers or "")
  end
  return job.offered
end

--- How many open offers a job has.
function offers.open_of(job)
  return job.offers and job.offers ~= "" and #offers.of_job(job) or 0
end

--- Has the job an open offer to this worker?
function offers.is_offered(job, worker_id)
  if not job.offers or job.offers == "" then
    return false
  end
  local list = offers.of_job(job)
  if job.asked then
    return job.asked[worker_id] ~= nil
  elseif #list > FEW then
    job.asked = {}
  end
  for i = 1, #list do
    if job.asked then
      job.asked[list[i].worker] = true
    elseif list[i].worker == worker_id then
      return true
    end
  end
  return job.asked ~= nil and job.asked[worker_id] ~= nil
end

-- one call may change it many times: only the last text is written
local function write_of_job(job, text)
  job.offers, job.dealt = text, true
end

--- Issues an offer of a job to a worker.
---@param plan table how the queue distributes
---@param pick table|nil the choice of a mode; nil where the worker looked for a job
function offers.issue(job, worker, plan, pick)
  local class = classes.get(worker.class)
  local channel = class.channels[job.channel]
  local offer = {
    id = op.guid("offer"),
    cost = channel.cost,
    offered_at = clock.now,
    expires_at = clock.now + plan.expires_ms,
    queue = job.queue,
    channel = job.channel,
    job = job.id,
  }
  held.write(worker, "o:" .. offer.id, held.offer_text(offer))
  capacity.use(worker, offer.channel, offer.cost, 1)
  workers.set(worker, "open", worker.open + 1)
  workers.set(worker, "seen_at", clock.text)
  local list = offers.of_job(job)
  list[#list + 1] = { id = offer.id, worker = worker.id }
  if job.asked then
    job.asked[worker.id] = true
  end
  write_of_job(job, (job.offers or "") .. offer.id .. texts.sized(worker.id))
  agenda.add("offer:" .. offer.id .. ":" .. worker.id, offer.expires_at)
  offer_events.issued(job, worker, offer, { mode = plan.mode, pick = pick, nth = #list, capacity = class.capacity })
end

local NO_OFFER = "00000000-0000-4000-8000-000000000000"

--- Counts an offer of a job that is only supposed: nothing is saved of it.
function offers.suppose(job, worker_id)
  local list = offers.of_job(job)
  list[#list + 1] = { id = NO_OFFER, worker = worker_id }
  if job.asked then
    job.asked[worker_id] = true
  end
  job.offers = (job.offers or "") .. NO_OFFER .. texts.sized(worker_id)
end

-- the job counts an offer no more; false when it did not count it before
local function leave_job(job, offer_id)
  if not string.find(job.offers or "", offer_id, 1, true) then
    return false
  end
  local list, rest, parts = offers.of_job(job), {}, {}
  for i = 1, #list do
    local open = list[i]
    if open.id ~= offer_id then
      local n = #rest + 1
      rest[n], parts[2 * n - 1], parts[2 * n] = open, open.id, texts.sized(open.worker)
    end
  end
  if #rest == #list then
    return false
  end
  job.offered, job.asked = rest, nil
  write_of_job(job, table.concat(parts))
  return true
end

--- The job counts none of its offers any more.
function offers.leave_all(job)
  job.offered, job.asked = {}, nil
  write_of_job(job, "")
end

-- the worker holds an offer no more; what it used stays used
local function leave_worker(worker, offer)
  held.write(worker, "o:" .. offer.id, nil)
  workers.set(worker, "open", worker.open - 1)
  workers.set(worker, "seen_at", clock.text)
end

-- takes an offer out of the job, the worker and the agenda; what it used stays used
local function take_out(job, worker, offer)
  leave_job(job, offer.id)
  leave_worker(worker, offer)
  agenda.remove("offer:" .. offer.id .. ":" .. worker.id)
end

-- ends an offer without acceptance (Declined, Revoked or Expired): its capacity is free, job and worker are to be matched again
local function undo(job, worker, offer, how)
  take_out(job, worker, offer)
  capacity.use(worker, offer.channel, offer.cost, -1)
  offer_events.ended(how, job, worker, offer)
  match.touch_job(job)
  match.touch_worker(worker)
end

local function remember_lost(worker, offer_id)
  workers.whole(worker)
  local lost = (worker.lost and worker.lost .. " " or "") .. offer_id
  local most = limits.REMEMBERED_OFFERS * 37 - 1
  workers.set(worker, "lost", string.sub(lost, -most))
end

--- Has another worker taken the job of this offer, which is not open any more?
function offers.was_lost(worker, offer_id)
  if held.offer(worker, offer_id) then
    return revocations.reason(offer_id) == "lost"
  end
  return string.find(workers.whole(worker).lost or "", offer_id, 1, true) ~= nil
end

-- stands in an event for a job or worker that is gone
local function gone(id)
  return { id = id }
end

--- Revokes an offer. Its job may count it no more, its job and its worker may be gone.
---@param lost boolean whether another worker has taken the job: then this one remembers it
function offers.revoke(worker_id, offer, lost)
  local job, worker = jobs.load(offer.job), workers.load(worker_id)
  if job and leave_job(job, offer.id) then
    match.touch_job(job)
  end
  if worker and held.offer(worker, offer.id) then
    if lost then
      remember_lost(worker, offer.id)
    end
    leave_worker(worker, offer)
    capacity.use(worker, offer.channel, offer.cost, -1)
    match.touch_worker(worker)
  end
  agenda.remove("offer:" .. offer.id .. ":" .. worker_id)
  offer_events.ended("Revoked", job or gone(offer.job), worker or gone(worker_id), offer)
end

--- A worker and its offer of this id, each nil when there is none.
function offers.find(worker_id, offer_id)
  local worker = workers.load(worker_id, "o:" .. offer_id)
  return worker, worker and held.offer(worker, offer_id)
end

--- Refuses when there is no such offer, or its time is over, or it is void.
---@param offer table|nil
---@param given table the worker and the offer that a caller speaks of
---@param handler string what the real service calls the handler in its message
function offers.check_open(offer, given, handler)
  if not offer or offer.expires_at <= clock.now or revocations.reason(given.offer) then
    refuse.not_found(handler .. ": Offer not found. OfferId: " .. given.offer .. ", WorkerId: " .. given.worker)
  end
end

--- Accepts: the reserved capacity becomes that of an assignment.
---@return string assignment
function offers.accept(job, worker, offer, request_id)
  local assignment = op.guid("assignment")
  take_out(job, worker, offer)
  held.write(worker, "a:" .. assignment, offer.cost .. " " .. clock.text .. " " .. texts.sized(offer.channel) .. job.id)
  workers.set(worker, "assigned", worker.assigned + 1)
  offer_events.accepted(job, worker, offer, assignment)
  stays.dequeue(job, true)
  jobs.move(job, "assigned")
  jobs.set(job, "assignment", assignment)
  jobs.set(job, "worker", worker.id)
  jobs.set(job, "assigned_at", clock.text)
  jobs.set(job, "accepted_offer", offer.id)
  jobs.set(job, "accept_request", request_id ~= "" and request_id or nil)
  match.touch_job(job)
  if worker.open + 1 >= classes.offer_limit(classes.get(worker.class)) then
    match.touch_worker(worker)
  else
    match.keep_worker(worker)
  end
  waits.count_acceptance(offer.queue)
  return assignment
end

-- the last refusals with their request ids, so that a repeated request is known
local function remember_refused(worker, entry)
  local kept, text = {}, workers.whole(worker).refused or ""
  for line in texts.lines(text) do
    kept[#kept + 1] = line .. "\n"
  end
  kept[#kept + 1] = entry
  local from = math.max(1, #kept - limits.REMEMBERED_OFFERS + 1)
  workers.set(worker, "refused", table.concat(kept, "", from))
end

--- Declines: the worker is not asked again before its retry time, or not in this registration.
---@param retry_at number epoch ms, 0 = never
function offers.decline(job, worker, offer, retry_at, request_id)
  undo(job, worker, offer, "Declined")
  bars.put(job, worker, retry_at)
  if request_id ~= "" then
    remember_refused(worker, offer.id .. request_id .. "\n")
  end
end

-- was nobody there to sweep when this time passed? Then the worker is not to blame.
local function in_outage(time)
  local outage = limits.setting("outage_ms")
  if outage == 0 then
    return false
  end
  local swept_at, from, to = op.sweeps()
  -- one that ends later than now is of a clock that was set back
  return (from < time and time <= to and to <= clock.now) or (clock.now - swept_at > outage and time > swept_at)
end

--- A due row: an offer has run out. Its worker is deregistered, unless the router itself was away.
function offers.due(rest)
  local offer_id, worker_id = string.sub(rest, 1, 36), string.sub(rest, 38)
  local worker = workers.load(worker_id, "o:" .. offer_id)
  local offer = worker and held.offer(worker, offer_id)
  if not offer or revocations.reason(offer_id) then
    return
  end
  op.number()
  local job = jobs.load(offer.job)
  if in_outage(offer.expires_at) then
    undo(job, worker, offer, "Revoked")
    return
  end
  undo(job, worker, offer, "Expired")
  workers.deregister(worker)
end
