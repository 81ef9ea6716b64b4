-- What an upsert of a worker changes: its fields, its registration, its class, its offers.

local FIELDS = { "capacity", "max_offers", "queues", "channels", "labels", "tags" }

-- what matters to the class a worker belongs to
local IN_CLASS = { capacity = true, max_offers = true, queues = true, channels = true, labels = true }

-- a value as it is kept: none at its default
local function kept(value)
  return value ~= "" and value ~= 0 and value or nil
end

local function differences(worker, given)
  local changed = {}
  for _, field in ipairs(FIELDS) do
    if worker[field] ~= kept(given[field]) then
      changed[field] = true
    end
  end
  if (worker.available == "1") ~= given.available then
    changed.available = true
  end
  return changed
end

local function list_queues(worker, before, after)
  local had, has = {}, {}
  for line in texts.lines(before or "") do
    had[line] = true
  end
  for line in texts.lines(after or "") do
    has[line] = true
    if not had[line] then
      redis.call("ZADD", keys.queue_workers(document.value(line)), worker.created, worker.id)
    end
  end
  for line in pairs(had) do
    if not has[line] then
      redis.call("ZREM", keys.queue_workers(document.value(line)), worker.id)
    end
  end
end

local function channel_costs(text)
  local channels = {}
  for line in texts.lines(text or "") do
    local id, cost, most = string.match(line, "^([^\t]*)\t(%d+)\t(%d*)$")
    channels[document.value(id)] = { cost = tonumber(cost), text = cost .. " " .. most, max = tonumber(most) }
  end
  return channels
end

-- offers that do not hold any more: all on changed labels; those of lost queues and of channels whose cost or maximum has
-- changed; then the newest while the worker is over its capacity
local function broken_offers(worker, before, changed)
  local open, broken, rest = held.offers(worker), {}, {}
  if changed.labels then
    return open
  end
  local queues_left, channels = {}, channel_costs(worker.channels)
  local channels_before = channel_costs(before.channels)
  for line in texts.lines(worker.queues or "") do
    queues_left[document.value(line)] = true
  end
  local used = worker.used
  for _, one in ipairs(open) do
    local offer = held.parse_offer(one.id, one.text)
    local now, then_ = channels[offer.channel], channels_before[offer.channel]
    if not queues_left[offer.queue] or not now or (then_ and then_.text ~= now.text) then
      broken[#broken + 1] = one
      used = used - offer.cost
    else
      rest[#rest + 1] = { one = one, cost = offer.cost }
    end
  end
  for i = #rest, 1, -1 do
    if used <= (worker.capacity or 0) then
      break
    end
    broken[#broken + 1] = rest[i].one
    used = used - rest[i].cost
  end
  return broken
end

local function write_fields(worker, given)
  local before = { channels = worker.channels }
  list_queues(worker, worker.queues, given.queues)
  for _, field in ipairs(FIELDS) do
    workers.set(worker, field, kept(given[field]))
  end
  return before
end

-- a worker that stays active: offers that do not hold are revoked, and it changes its class
local function change_active(worker, before, changed)
  local moves = false
  for field in pairs(changed) do
    moves = moves or IN_CLASS[field]
  end
  if not moves then
    return
  end
  revocations.of_worker(worker, broken_offers(worker, before, changed))
  supply.leave(worker)
  supply.join(worker)
  match.touch_worker(worker)
end

local function verify(given)
  if given.capacity < 0 or given.max_offers < 0 then
    refuse.invalid("capacity and maxConcurrentOffers must not be negative")
  end
  formats.strings(given.queues)
  formats.channels(given.channels)
  formats.members(given.labels)
  formats.members(given.tags)
  local served, more = texts.count(given.queues), texts.count(given.labels) + texts.count(given.channels)
  if served * more > limits.REACH then
    refuse.invalid(
      string.format(
        "a worker has at most %d combinations of its queues with its labels and channels: %d queues times %d are %d",
        limits.REACH,
        served,
        more,
        served * more
      )
    )
  end
end

--- Control fields of both operations.
function worker_changes.specification()
  return {
    id = op.TEXT,
    doc = 0,
    rev = -1,
    capacity = 0,
    available = false,
    max_offers = 0,
  }
end

--- The body of both operations.
function worker_changes.apply(given, queue_lines, channel_lines, labels, tags)
  -- read
  local worker = workers.load(given.id)
  if worker then
    workers.whole(worker)
  end
  given.queues, given.channels, given.labels, given.tags =
    queue_lines or "", channel_lines or "", labels or "", tags or ""
  -- check
  if upsert.check(worker, given) then
    return revocations.hide(upsert.reply("exists", worker))
  end
  verify(given)
  -- write
  op.number()
  local outcome = worker and "updated" or "created"
  if not worker then
    worker = workers.new(given.id)
    worker.placed = {}
    workers.set(worker, "created", op.number())
    workers.set(worker, "state", "inactive")
    listings.add("workers", given.id, op.number())
  end
  local changed = differences(worker, given)
  local was_active = worker.state == "active"
  if was_active and not given.available then
    workers.deregister(worker)
  end
  local before = write_fields(worker, given)
  upsert.count(worker)
  if outcome == "updated" then
    worker_events.updated(worker, changed)
  end
  if was_active and given.available then
    change_active(worker, before, changed)
  elseif given.available then
    workers.register(worker)
  end
  return revocations.hide(upsert.reply(outcome, worker))
end
