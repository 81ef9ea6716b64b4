-- Obstacles: what stands between a job and a worker, told by the predicates with which the matcher decides. Only reads.

-- what a worker holds, read once in a call
local function held_by(worker)
  worker.holding = worker.holding or held.all(worker)
  return worker.holding
end

-- what uses a worker's room, oldest first: job, kind and cost of some, and how many there are
local function holding(worker, matches)
  local found, shown = {}, {}
  for _, one in ipairs(held_by(worker)) do
    if matches(one) then
      found[#found + 1] = one
      -- one text to sort by, see held.offers
      one.order = string.format("%016.0f", one.offered_at or one.assigned_at) .. one.id
    end
  end
  table.sort(found, function(a, b)
    return a.order < b.order
  end)
  for i = 1, math.min(#found, limits.EXPLAINED_JOBS) do
    local one, n = found[i], #shown
    shown[n + 1], shown[n + 2], shown[n + 3] = one.job, one.offered_at and "offer" or "assignment", one.cost
  end
  return shown, #found
end

-- adds a reason of room, with what uses it where that is wanted
local function add_held(list, worker, in_full, matches, code, ...)
  local reason = reasons.add(list, code, ...)
  if in_full then
    local shown, count = holding(worker, matches)
    reasons.tell(reason, "held", shown, "holds", count)
  end
end

local function add_channel(list, worker, class, channel, in_full)
  if not capacity.has_units(worker, class, channel) then
    local free = class.capacity - worker.used
    add_held(list, worker, in_full, function(one)
      return one.cost > 0
    end, "capacity_full", "channel", channel.id, "needed", channel.cost, "free", free, "capacity", class.capacity)
  end
  if not capacity.is_below_maximum(worker, channel) then
    add_held(list, worker, in_full, function(one)
      return one.channel == channel.id
    end, "channel_maximum", "channel", channel.id, "maximum", channel.max)
  end
end

local function add_limit(list, worker, class, in_full)
  if not capacity.takes_offers(worker, class) then
    add_held(list, worker, in_full, function(one)
      return one.offered_at ~= nil
    end, "offer_limit", "open", worker.open, "limit", classes.offer_limit(class))
  end
end

local function add_presence(list, worker, class)
  if worker.state ~= "active" then
    reasons.add(list, "not_registered", "state", worker.state)
    capacity.tally(worker, class)
  elseif worker.filling then
    reasons.add(list, "worker_set_aside")
  end
end

-- when the selectors of a job stop asking, by their cores: the last one of a kind runs out; false where one of them never does
local function ends_of(job)
  local ends = {}
  for _, selector in ipairs(job_selectors.active(job)) do
    local expires = selectors.expires_at(selector, job.enqueued_at)
    local known = ends[selector.core]
    ends[selector.core] = expires and known ~= false and math.max(known or 0, expires)
  end
  return ends
end

--- Adds that a selector does not hold.
---@param has string|nil the worker's value as JSON text, when it is about one
function obstacles.add_selector(list, job, selector, has)
  job.ends = job.ends or ends_of(job)
  return reasons.add(
    list,
    "selector_failed",
    "key",
    selector.key,
    "operator",
    selector.operator,
    "value",
    selector.text,
    "has",
    has,
    "expires_at",
    job.ends[selector.core] or nil
  )
end

local function add_selectors(list, job, wanted, worker, class)
  for _, selector in ipairs(wanted.selectors) do
    if not selectors.holds(selector, class.labels, worker.id) then
      local is_id = selector.key == '"Id"'
      local has = is_id and texts.json(worker.id) or document.text_of(worker.labels or "", selector.key)
      obstacles.add_selector(list, job, selector, has)
    end
  end
end

-- the offer that a worker has of a job
local function add_offer(list, job, worker)
  for _, open in ipairs(offers.of_job(job)) do
    if open.worker == worker.id then
      local expires = redis.call("ZSCORE", keys.agenda(), "offer:" .. open.id .. ":" .. worker.id)
      reasons.add(list, "already_offered", "offer", open.id, "expires_at", expires or nil)
      return
    end
  end
end

--- Why a worker is not asked for a job, whatever the job itself waits for; nothing when it might be.
---@param job table stored, or one that could be: id, queue, channel, selectors, attached, bypass
---@param wanted table its demand class
---@param in_full boolean|nil whether to tell what a worker without room holds
---@return table reasons in the order in which they are told
function obstacles.between(job, wanted, worker, in_full)
  local list, class = {}, classes.of(worker)
  local channel = class.channels[job.channel]
  add_presence(list, worker, class)
  if not class.serves[job.queue] then
    reasons.add(list, "not_on_queue", "queue", job.queue)
  end
  if not channel then
    reasons.add(list, "channel_missing", "channel", job.channel)
  end
  add_selectors(list, job, wanted, worker, class)
  if offers.is_offered(job, worker.id) then
    add_offer(list, job, worker)
  end
  if bars.holds(job, worker.id) then
    local retry = redis.call("ZSCORE", keys.agenda(), "retry:" .. texts.sized(job.id) .. worker.id)
    reasons.add(list, "declined", "until", retry or nil)
  end
  if channel then
    add_channel(list, worker, class, channel, in_full)
  end
  add_limit(list, worker, class, in_full)
  return list
end

--- Why a worker gets nothing, or nothing on some of its channels, whatever the job.
---@return table reasons
function obstacles.of_worker(worker)
  local list, class, ids = {}, classes.of(worker), {}
  add_presence(list, worker, class)
  for id in pairs(class.channels) do
    ids[#ids + 1] = id
  end
  table.sort(ids, texts.before)
  for _, id in ipairs(ids) do
    -- what it holds is sorted anew for each reason
    add_channel(list, worker, class, class.channels[id], #list < limits.REASONS_IN_FULL)
  end
  add_limit(list, worker, class, true)
  return list
end

-- what a worker lacks for a time only
local BUSY = { capacity_full = true, channel_maximum = true, offer_limit = true }

--- Is want of room the only obstacle, so that the worker may be asked when it is free?
---@param list table reasons of obstacles.between
function obstacles.are_of_room(list)
  for _, reason in ipairs(list) do
    if not BUSY[reason[2]] then
      return false
    end
  end
  return #list > 0
end

--- A worker as if it held nothing.
function obstacles.freed(worker)
  return setmetatable({ used = 0, open = 0, by_channel = {} }, { __index = worker })
end
