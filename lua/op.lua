-- The only way to register a function: frame of every call (tenant, clock, arguments, what is due, the writes at its end).

--- Markers of required control fields; any other value in a specification is the default of an optional one.
op.TEXT = { kind = "string" }
op.NUMBER = { kind = "number" }

--- The version of the stored data that this library writes.
op.DATA_VERSION = 1

-- control fields against their specification: everything named, nothing unknown, each of the right type
local function arguments(text, specification)
  local decoded, given = pcall(cjson.decode, text or "{}")
  if not decoded or type(given) ~= "table" then
    refuse.bad_call("the control argument must be a JSON object")
  end
  for name, value in pairs(given) do
    local wanted = specification[name]
    if wanted == nil then
      refuse.bad_call("unknown field " .. tostring(name))
    end
    local kind = (wanted == op.TEXT or wanted == op.NUMBER) and wanted.kind or type(wanted)
    if type(value) ~= kind then
      refuse.bad_call(name .. " must be a " .. kind)
    end
    if kind == "number" and (value ~= math.floor(value) or math.abs(value) >= 2 ^ 53) then
      refuse.bad_call(name .. " must be an integer")
    end
    if kind == "string" and string.find(value, "\0", 1, true) then
      refuse.bad_call(name .. " must not contain NUL")
    end
  end
  for name, wanted in pairs(specification) do
    if given[name] == nil then
      if wanted == op.TEXT or wanted == op.NUMBER then
        refuse.bad_call(name .. " is missing")
      end
      given[name] = wanted
    end
  end
  return given
end

-- swept: when the last sweep was, and the last outage it has found (from, to)
local ROOT_FIELDS = { "op", "data_version", "settings", "swept", "alarm", "event", "round_robin" }

local function begin(KEYS, ARGV)
  if #KEYS ~= 1 or KEYS[1] == "" then
    refuse.bad_call("KEYS must be the tenant's root alone, as jr:{main}")
  end
  keys.use(KEYS[1])
  clock.use(ARGV[1])
  local root = redis.call("HMGET", KEYS[1], unpack(ROOT_FIELDS))
  if tonumber(root[2] or op.DATA_VERSION) > op.DATA_VERSION then
    refuse.version("the data of this router were written by a newer version")
  end
  op.last = tonumber(root[1]) or 0
  op.fresh = not root[2]
  limits.use(root[3] or nil)
  op.swept = root[4]
  op.alarm = tonumber(root[5]) or 0
  op.event = tonumber(root[6]) or 0
  op.round_robin = tonumber(root[7]) or 0
  op.root = {}
  op.current = nil
  op.made = 0
  jobs.begin()
  workers.begin()
  queues.begin()
  supply.begin()
  demand.begin()
  match.begin()
  outbox.begin()
  agenda.begin()
end

--- When the last sweep was, and between which times the last outage lay (0 = never). Epoch ms.
function op.sweeps()
  local at, from, to = string.match(op.swept or "", "^(%d+) (%d+) (%d+)$")
  return tonumber(at or 0), tonumber(from or 0), tonumber(to or 0)
end

--- The number of this call (or due item): one more than the last. Taken when the writing begins, never by a refusal.
function op.number()
  if not op.current then
    op.last = op.last + 1
    op.current = op.last
    op.made = 0
    op.root.op = op.last
  end
  return op.current
end

--- A GUID for an offer or an assignment: the same commands at the same times give the same one.
---@param kind string "offer" or "assignment"
function op.guid(kind, job_id, worker_id)
  op.made = op.made + 1
  return texts.guid(
    keys.root .. "\0" .. kind .. "\0" .. job_id .. "\0" .. worker_id .. "\0" .. op.number() .. "." .. op.made
  )
end

--- Ends one call or one due item: matches what it touched and writes what it changed.
---@param name string what the event entry names as its cause
---@param request_id string
function op.finish(name, request_id)
  match.settle()
  outbox.flush(name, request_id)
  workers.save_all()
  jobs.save_all()
  agenda.save()
  op.current = nil
end

local function write_root()
  if op.fresh and next(op.root) then
    op.root.data_version = op.DATA_VERSION
  end
  local row = {}
  for name, value in pairs(op.root) do
    row[#row + 1] = name
    row[#row + 1] = value
  end
  if #row > 0 then
    redis.call("HSET", keys.root, unpack(row))
    op.root = {}
  end
end

--- Registers a function that writes. It first does a batch of what is due.
---@param name string jr_<noun>_<verb>
---@param specification table control fields
---@param body fun(given: table, ...: string): table the reply, as flat name-value list
---@param creates boolean|nil true when it may add an entity: then it is refused when the server is out of memory
function op.write(name, specification, body, creates)
  redis.register_function({
    function_name = name,
    callback = function(KEYS, ARGV)
      begin(KEYS, ARGV)
      local given = arguments(ARGV[2], specification)
      if agenda.run_due() then
        write_root()
      end
      local reply = body(given, unpack(ARGV, 3))
      if op.current then
        op.finish(name, given.request_id or "")
      end
      write_root()
      return reply
    end,
    flags = creates and {} or { "allow-oom" },
  })
end

--- Registers a function that only reads (FCALL_RO works on it).
function op.read(name, specification, body)
  redis.register_function({
    function_name = name,
    callback = function(KEYS, ARGV)
      begin(KEYS, ARGV)
      return body(arguments(ARGV[2], specification), unpack(ARGV, 3))
    end,
    flags = { "no-writes", "allow-stale" },
  })
end
