--- List workers, newest first, by state, channel, queue and free capacity.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { limit, cursor, state, channel, queue, has_capacity }
--- Replies: next, rows
--- Refuses: BAD_CALL
--- Events: none

-- has the worker room for this channel (for any, when it is empty)? Its state does not matter here.
local function has_room(worker, channel_id)
  for line in texts.lines(worker.channels or "") do
    local id, cost, most = string.match(line, "^([^\t]*)\t([^\t]*)\t([^\t]*)$")
    id, cost, most = document.value(id), tonumber(cost), tonumber(most)
    if channel_id == "" or id == channel_id then
      local taken = 0
      for _, one in ipairs(held.all(worker)) do
        if one.channel == id then
          taken = taken + 1
        end
      end
      if worker.used + cost <= (worker.capacity or 0) and (not most or taken < most) then
        return true
      end
    end
  end
  return false
end

local function serves_channel(worker, channel_id)
  for line in texts.lines(worker.channels or "") do
    if document.value(string.match(line, "^[^\t]*")) == channel_id then
      return true
    end
  end
  return false
end

local function serves_queue(worker, queue_id)
  for line in texts.lines(worker.queues or "") do
    if document.value(line) == queue_id then
      return true
    end
  end
  return false
end

local function fits(worker, given)
  return (given.state == "" or worker.state == given.state)
    and (given.channel == "" or serves_channel(worker, given.channel))
    and (given.queue == "" or serves_queue(worker, given.queue))
    and (not given.has_capacity or has_room(worker, given.channel))
end

op.read("jr_worker_list", {
  limit = 100,
  cursor = 0,
  state = "",
  channel = "",
  queue = "",
  has_capacity = false,
}, function(given)
  local key = given.queue ~= "" and keys.queue_workers(given.queue) or keys.listing("workers")
  return listings.page(key, given.cursor, given.limit, function(id)
    local worker = workers.load(id)
    worker = worker and workers.whole(worker)
    return worker and fits(worker, given) and revocations.hide(records.flat(worker.key, id)) or nil
  end)
end)
