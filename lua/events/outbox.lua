-- The outbox: what a call makes known is one stream entry, appended in the same call, id <op>-0.

-- the events of this call (or due item), then the entry that is made of them, and its number
local list = {}
local made, made_number

--- Starts a call.
function outbox.begin()
  if list[1] then
    list = {}
  end
  made = nil
end

--- Adds an event to the entry.
---@param kind string its type without the prefix
---@param subject string JSON text
---@param job table|nil whose event it is
---@param worker table|nil
---@param data string members of its data, as JSON text
---@param more string|nil what comes after that: payloads are long, and each text that is made on the way costs by its length
---@param rest string|nil
function outbox.add(kind, subject, job, worker, data, more, rest)
  list[#list + 1] =
    { kind = kind, subject = subject, job = job, worker = worker, data = data, more = more or "", rest = rest or "" }
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

-- the places of a call's first events: .1, .2, …
local places = {}

--- Starts what may tell one portion of labels and tags: all that is due at the beginning of a call.
function outbox.begin_portion()
  outbox.told = 0
end

--- Is the portion spent?
function outbox.is_spent()
  return outbox.told >= limits.TOLD_BYTES
end

--- Makes one entry of the call's events, id <op>-0, and tells their places to jobs and workers.
---@param name string what caused them
---@param request_id string
function outbox.prepare(name, request_id)
  local n = #list
  if n == 0 then
    return
  end
  local number, number_text = op.number(), op.text
  local row, links = { "at", clock.text, "call", name, "previous", op.event, "links", "" }, ""
  if request_id ~= "" then
    row[9], row[10] = "request", request_id
  end
  local at, after_id = #row, topic_member()
  local after_type = '","dataVersion":"1.0","metadataVersion":"1","eventTime":"' .. clock.iso(clock.now) .. '"}'
  for k = 1, n do
    local event = list[k]
    local job, worker = event.job, event.worker
    row[at + 1] = event.kind
    row[at + 2] = '{"id":"'
      .. texts.guid("event", number, k)
      .. after_id
      .. event.subject
      .. ',"data":{'
      .. event.data
      .. event.more
      .. event.rest
      .. '},"eventType":"Microsoft.Communication.'
      .. event.kind
      .. after_type
    at = at + 2
    -- the place of the previous event of the job and of the worker, so that history walks back without an index
    links = links .. (k == 1 and "" or " ") .. (job and job.event or "-") .. "," .. (worker and worker.event or "-")
    if not places[k] then
      places[k] = "." .. k
    end
    if job then
      job.event, job.told = number_text .. places[k], true
      outbox.told = outbox.told + #(job.labels or "") + #(job.tags or "")
    end
    if worker then
      worker.event, worker.told = number_text .. places[k], true
    end
  end
  row[8] = links
  made, made_number = row, number_text
  list = {}
end

--- Appends the entry. Last of all: were something to fail after it, the next call could not append one under its number.
function outbox.append()
  if made then
    redis.call("XADD", keys.events(), made_number .. "-0", unpack(made))
    op.event, made = made_number, nil
  end
end

-- ---- reading ---------------------------------------------------------------------------------------------------------

local FRAME = { at = true, call = true, request = true, links = true }

--- An entry as it is replied: op, at, call, request, links, prev, events (type, payload …).
---@param entry table id and fields, as XRANGE gives it
function outbox.show(entry)
  local row, shown = { "op", tonumber(string.match(entry[1], "^(%d+)")) }, {}
  local fields = entry[2]
  for i = 1, #fields, 2 do
    local name, value = fields[i], fields[i + 1]
    if FRAME[name] then
      row[#row + 1], row[#row + 2] = name, value
    elseif name == "previous" then
      row[#row + 1], row[#row + 2] = "prev", tonumber(value)
    else
      shown[#shown + 1], shown[#shown + 2] = name, value
    end
  end
  row[#row + 1], row[#row + 2] = "events", shown
  return row
end

local ABOUT = { job = "jobId", worker = "workerId" }

--- Does an event speak of this job or worker?
---@param payload string
---@param kind string "job" or "worker"
function outbox.is_about(payload, kind, id)
  return cjson.decode(payload).data[ABOUT[kind]] == id
end

--- One event of an entry that was read.
---@param fields table of the entry, flat
---@param k number its place in it
---@return string|nil payload nil when there are not so many
---@return number at epoch ms
function outbox.event(fields, k)
  local before = fields[9] == "request" and 10 or 8
  return fields[before + 2 * k], tonumber(fields[2])
end

--- The request id of an entry; nil when it had none, or is not kept any more.
---@param number string|number
function outbox.request(number)
  local id = string.format("%.0f-0", number)
  local entry = redis.call("XRANGE", keys.events(), id, id)[1]
  return entry and texts.pairs(entry[2]).request
end

--- The number of the last entry that is not kept any more, or of the last at all when none is.
function outbox.before_oldest()
  local oldest = redis.call("XRANGE", keys.events(), "-", "+", "COUNT", 1)[1]
  return oldest and tonumber(texts.pairs(oldest[2]).previous) or tonumber(op.event)
end
