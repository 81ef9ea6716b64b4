-- The events of workers, with the names that ACS gives to them and their members.

local function queue_assignments(worker)
  local parts = {}
  for line in texts.lines(worker.queues or "") do
    local id = document.value(line)
    local queue = queues.whole(id)
    parts[#parts + 1] = '{"id":'
      .. line
      .. (queue and queue.name and ',"name":' .. texts.json(queue.name) or "")
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
      .. payloads.id(worker)
      .. ',"totalCapacity":'
      .. (worker.capacity or 0)
      .. ',"queueAssignments":'
      .. queue_assignments(worker)
      .. ',"labels":'
      .. document.object(worker.labels or "", payloads.id(worker))
      .. ',"tags":'
      .. document.object(worker.tags or "")
      .. ',"channelConfigurations":'
      .. channel_configurations(worker),
    more
  )
end

function worker_events.registered(worker)
  worker_event("RouterWorkerRegistered", worker)
end

function worker_events.deleted(worker)
  worker_event("RouterWorkerDeleted", worker)
end

-- words for the changed properties of a worker, in the order in which they are told
local PROPERTIES = {
  { "available", "AvailableForOffers" },
  { "capacity", "TotalCapacity" },
  { "queues", "QueueAssignments" },
  { "labels", "Labels" },
  { "tags", "Tags" },
  { "channels", "ChannelConfigurations" },
}

---@param changed table set of field names
function worker_events.updated(worker, changed)
  local words = {}
  for _, property in ipairs(PROPERTIES) do
    if changed[property[1]] then
      words[#words + 1] = '"' .. property[2] .. '"'
    end
  end
  if #words > 0 then
    worker_event("RouterWorkerUpdated", worker, ',"updatedWorkerProperties":[' .. table.concat(words, ",") .. "]")
  end
end

function worker_events.deregistered(worker)
  outbox.add(
    "RouterWorkerDeregistered",
    cjson.encode("worker/" .. worker.id),
    nil,
    worker,
    '"workerId":' .. payloads.id(worker)
  )
end
