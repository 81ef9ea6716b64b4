-- Room of a worker: what its offers and assignments use; the only writer of used capacity and of counts per channel.

--- The load level of a worker: 13 bits, equal levels count as equal load.
---@param used number
---@param capacity number
function capacity.level(used, total)
  if total <= 0 then
    return 0
  end
  return math.floor(used * 8191 / total)
end

--- The three parts of room; what a worker lacks is told by the same (see obstacles). First: is as much free as a job takes?
function capacity.has_units(worker, class, channel)
  return worker.used + channel.cost <= class.capacity
end

--- Has it fewer jobs on the channel than the channel's maximum?
function capacity.is_below_maximum(worker, channel)
  return not channel.max or capacity.count(worker, channel.id) < channel.max
end

--- Has it fewer open offers than it may have?
function capacity.takes_offers(worker, class)
  return worker.open < classes.offer_limit(class)
end

--- Has a worker of this class room for one more job of a channel?
---@param class table
---@param channel table of the class: cost, max
function capacity.fits(worker, class, channel)
  return capacity.has_units(worker, class, channel)
    and capacity.is_below_maximum(worker, channel)
    and capacity.takes_offers(worker, class)
end

-- counts per channel: lines of sized channel and number, kept only for classes with a maximum
local function counts(worker)
  if not worker.by_channel then
    local by_channel, from = {}, 1
    local text = worker.stored and redis.call("HGET", worker.key, "counts") or ""
    while from <= #text do
      local id, after = texts.read_sized(text, from)
      local stop = string.find(text, "\n", after, true)
      by_channel[id] = tonumber(string.sub(text, after, stop - 1))
      from = stop + 1
    end
    worker.by_channel = by_channel
  end
  return worker.by_channel
end

local function write_counts(worker)
  local ids, rows = {}, {}
  for id, number in pairs(worker.by_channel) do
    if number > 0 then
      ids[#ids + 1] = id
    end
  end
  table.sort(ids)
  for i, id in ipairs(ids) do
    rows[i] = texts.sized(id) .. worker.by_channel[id] .. "\n"
  end
  records.put(worker, "counts", #rows > 0 and table.concat(rows) or nil)
end

--- Open offers and assignments of a worker on a channel with a maximum.
function capacity.count(worker, channel_id)
  return counts(worker)[channel_id] or 0
end

--- Changes what a worker uses.
---@param cost number as it was when the job was offered
---@param by number 1 to take, -1 to give back
function capacity.use(worker, channel_id, cost, by)
  workers.set(worker, "used", worker.used + cost * by)
  local class = worker.class and classes.get(worker.class)
  if class and class.channels[channel_id] and class.channels[channel_id].max then
    counts(worker)[channel_id] = (counts(worker)[channel_id] or 0) + by
    write_counts(worker)
  end
end

--- Counts from what it holds, where nothing is counted: the worker is not active, or its class has changed.
---@param class table
function capacity.tally(worker, class)
  worker.by_channel = {}
  for _, one in ipairs(class.limited and held.all(worker) or {}) do
    local channel = class.channels[one.channel]
    if channel and channel.max then
      worker.by_channel[one.channel] = (worker.by_channel[one.channel] or 0) + 1
    end
  end
end

--- Counts anew after the class has changed.
---@param class table
function capacity.recount(worker, class)
  capacity.tally(worker, class)
  if class.limited then
    write_counts(worker)
  end
end

--- A worker leaves its class: nothing is counted any more.
---@param class table
function capacity.forget(worker, class)
  worker.by_channel = nil
  if class.limited then
    records.put(worker, "counts", nil)
  end
end
