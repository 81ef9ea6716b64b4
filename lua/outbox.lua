-- The outbox: what a call makes known is one stream entry, appended in the same call, id <op>-0.

local list = {}

--- Starts a call.
function outbox.begin()
  if list[1] then
    list = {}
  end
end

--- Adds an event to the entry.
---@param kind string its type without the prefix
---@param subject string JSON text
---@param data string members of its data, as JSON text
---@param job table|nil whose event it is
---@param worker table|nil
function outbox.add(kind, subject, data, job, worker)
  list[#list + 1] = { kind = kind, subject = subject, data = data, job = job, worker = worker }
end

-- the place of the previous event of the job and of the worker, so that history walks back without an index
local function links(event, place)
  local job, worker = event.job, event.worker
  local text = (job and job.event or "-") .. "," .. (worker and worker.event or "-")
  if job then
    jobs.set(job, "event", place)
  end
  if worker then
    workers.set(worker, "event", place)
  end
  return text
end

local frame_root, topic

-- what stands between an event's id and its subject
local function topic_member()
  if frame_root ~= keys.root then
    frame_root = keys.root
    local tenant = string.match(keys.root, "{(.*)}") or keys.root
    topic = '","topic":'
      .. texts.json(
        "/subscriptions/jobrouter/resourcegroups/jobrouter/providers/microsoft.communication/communicationservices/"
          .. tenant
      )
      .. ',"subject":'
  end
  return topic
end

--- Appends the call's events as one entry, id <op>-0.
---@param name string what caused them
---@param request_id string
function outbox.flush(name, request_id)
  if #list == 0 then
    return
  end
  local number = op.number()
  local row, before = { "at", clock.now, "call", name, "previous", op.event, "links", "" }, ""
  if request_id ~= "" then
    row[9], row[10] = "request", request_id
  end
  local n = #row
  local after_id = topic_member()
  local after_type = '","dataVersion":"1.0","metadataVersion":"1","eventTime":"' .. clock.iso(clock.now) .. '"}'
  for k, event in ipairs(list) do
    row[n + 1] = event.kind
    row[n + 2] = '{"id":"'
      .. texts.guid("event", number, k)
      .. after_id
      .. event.subject
      .. ',"data":{'
      .. event.data
      .. '},"eventType":"Microsoft.Communication.'
      .. event.kind
      .. after_type
    n = n + 2
    local place = links(event, number .. "." .. k)
    before = k == 1 and place or before .. " " .. place
  end
  row[8] = before
  redis.call("XADD", keys.events(), number .. "-0", unpack(row))
  op.event = number
  list = {}
end
