-- The only way to register a function: frame of every call (tenant, clock, arguments, what is due, the writes at its end).

--- Markers of required control fields; any other value in a specification is the default of an optional one.
op.TEXT = { kind = "string" }
op.NUMBER = { kind = "number" }

--- The version of the stored data that this library writes.
op.DATA_VERSION = 2

-- what an operation takes, made of its specification at its first call: the type of each field, the required ones, the defaults
local function prepare(specification)
  local takes = { kinds = {}, required = {}, defaults = { __index = {} } }
  for name, wanted in pairs(specification) do
    if wanted == op.TEXT or wanted == op.NUMBER then
      takes.kinds[name] = wanted.kind
      takes.required[#takes.required + 1] = name
    else
      takes.kinds[name] = type(wanted)
      takes.defaults.__index[name] = wanted
    end
  end
  return takes
end

local function refuse_nul(given)
  for name, value in pairs(given) do
    if type(value) == "string" and string.find(value, "\0", 1, true) then
      refuse.bad_call(name .. " must not contain NUL")
    end
  end
end

-- control fields against their specification: everything named, nothing unknown, each of the right type
local function arguments(text, takes)
  local decoded, given = pcall(cjson.decode, text or "{}")
  if not decoded or type(given) ~= "table" then
    refuse.bad_call("the control argument must be a JSON object")
  end
  local kinds = takes.kinds
  for name, value in pairs(given) do
    local kind = kinds[name]
    if type(value) ~= kind then
      refuse.bad_call(kind and name .. " must be a " .. kind or "unknown field " .. tostring(name))
    end
    if kind == "number" and (value % 1 ~= 0 or value >= 2 ^ 53 or value <= -2 ^ 53) then
      refuse.bad_call(name .. " must be an integer")
    end
  end
  -- cjson takes NUL only when it is escaped
  if text and string.find(text, "\\u0000", 1, true) then
    refuse_nul(given)
  end
  local required = takes.required
  for i = 1, #required do
    if given[required[i]] == nil then
      refuse.bad_call(required[i] .. " is missing")
    end
  end
  return setmetatable(given, takes.defaults)
end

-- arguments of a call, the time and the control argument among them: no operation takes as many, and Lua cannot unpack thousands
local MOST_ARGUMENTS = 16

-- the root hash's field `state` holds what every call reads, in one text: reading and writing one field costs a fraction of five.
-- What seldom changes stands at its end and is kept as text.
local rest_memo = { size = 0, of = {} }

local function parse_rest(text)
  local values = { void = 0, filling = 0, selecting = 0, closed = 0, recording = 0 }
  for name, value in string.gmatch(text, " ([%l_]+)=(%d+)") do
    values[name] = tonumber(value)
  end
  return values
end

local function read_state(state)
  local last, event, alarm, rest = string.match(state, "^op=(%d+) event=(%d+) alarm=(%d+)( .*)$")
  op.last, op.text, op.event = tonumber(last), last, event
  op.alarm, op.alarm_text = tonumber(alarm), alarm
  local values = rest_memo.of[rest] or memos.put(rest_memo, rest, parse_rest(rest))
  op.round_robin, op.worker_offers, op.batch = values.round_robin, values.worker_offers, values.batch
  op.portion = math.ceil(op.batch / limits.ROWS_PER_OFFER)
  op.void, op.filling = values.void, values.filling
  op.selecting, op.closed = values.selecting, values.closed
  recording.kept = values.recording
  if values.data ~= op.DATA_VERSION then
    refuse.version(
      "the data of this router were written by "
        .. (values.data > op.DATA_VERSION and "a newer version" or "an earlier version before the first release")
    )
  end
  op.rest = rest
end

--- Starts what may make one portion of offers (`op.portion`), take back one, and do one of the work of exception rules: all that
--- is due, then the operation itself.
function op.begin_portion()
  revocations.begin()
  fillings.begin()
  exceptions.begin()
  outbox.begin_portion()
end

--- Is one of the portions spent?
function op.has_spent_portion()
  return revocations.are_spent() or fillings.are_spent() or exceptions.are_spent() or outbox.is_spent()
end

local function begin(KEYS, ARGV)
  -- the first call since the library was loaded
  if not string then
    bind()
  end
  if #KEYS ~= 1 or (KEYS[1] ~= keys.root and not keys.is_root(KEYS[1])) then
    refuse.bad_call("KEYS must be the tenant's root alone, as jr:{main}")
  end
  if #ARGV > MOST_ARGUMENTS then
    refuse.bad_call("a call has at most " .. MOST_ARGUMENTS .. " arguments")
  end
  keys.use(KEYS[1])
  clock.use(ARGV[1])
  limits.forget()
  op.state = redis.call("HGET", KEYS[1], "state")
  if op.state then
    read_state(op.state)
  else
    op.last, op.text, op.event, op.alarm, op.alarm_text = 0, "0", "0", 0, "0"
    op.round_robin, op.void, op.filling, op.selecting, op.closed = 0, 0, 0, 0, 0
    op.worker_offers, op.batch = limits.setting("worker_offers"), limits.setting("batch")
    op.portion = math.ceil(op.batch / limits.ROWS_PER_OFFER)
    recording.kept = limits.setting("recording")
    op.rest = nil
  end
  op.swept = nil
  op.current = nil
  op.made = 0
  rehearsals.begin()
  jobs.begin()
  workers.begin()
  queues.begin()
  supply.begin()
  demand.begin()
  closures.begin()
  match.begin()
  outbox.begin()
  agenda.begin()
  dead_letters.begin()
  op.begin_portion()
end

--- When the last sweep was, and between which times the last outage lay (0 = never). Epoch ms.
function op.sweeps()
  op.swept = op.swept or redis.call("HGET", keys.root, "swept") or "0 0 0"
  local at, from, to = string.match(op.swept, "^(%d+) (%d+) (%d+)$")
  return tonumber(at), tonumber(from), tonumber(to)
end

--- The number of this call (or due item): one more than the last. Taken when the writing begins, never by a refusal.
--- `op.text` is the same as text: making text of a number costs as much as a small redis.call.
function op.number()
  if not op.current then
    op.last = op.last + 1
    op.current, op.text = op.last, tostring(op.last)
    op.made = 0
  end
  return op.current
end

--- The number that this call (or due item) has, or will have once it takes one.
function op.upcoming()
  return op.current or op.last + 1
end

--- A GUID for an offer or an assignment of this call.
---@param kind string "offer" or "assignment"
function op.guid(kind)
  op.made = op.made + 1
  return texts.guid(kind, op.number(), op.made)
end

--- Ends one call or one due item: matches what it touched and writes what it changed.
---@param name string what the event entry names as its cause
---@param request_id string
function op.finish(name, request_id)
  match.settle()
  outbox.prepare(name, request_id)
  workers.save_all()
  jobs.save_all()
  agenda.save()
  outbox.append()
  op.current = nil
end

--- What seldom changes in the state has changed: it is written anew.
function op.change_rest()
  op.rest = nil
end

local function write_state()
  op.rest = op.rest
    or string.format(
      " round_robin=%d worker_offers=%d batch=%d void=%d filling=%d selecting=%d closed=%d data=%d%s",
      op.round_robin,
      op.worker_offers,
      op.batch,
      op.void,
      op.filling,
      op.selecting,
      op.closed,
      op.DATA_VERSION,
      recording.mark()
    )
  local state = "op=" .. op.text .. " event=" .. op.event .. " alarm=" .. op.alarm_text .. op.rest
  if state ~= op.state then
    redis.call("HSET", keys.root, "state", state)
    op.state = state
  end
end

--- Something due has failed: the call ends here, but its numbers are used up, since what was done before it stands.
function op.give_up()
  op.current = nil
  write_state()
end

--- Registers a function that writes. It first does a batch of what is due.
---@param name string jr_<noun>_<verb>
---@param specification table control fields
---@param body fun(given: table, ...: string): table the reply, as flat name-value list
---@param creates boolean|nil true when it may add an entity: then it is refused when the server is out of memory
function op.write(name, specification, body, creates)
  local takes
  redis.register_function({
    function_name = name,
    callback = function(KEYS, ARGV)
      begin(KEYS, ARGV)
      takes = takes or prepare(specification)
      local given = arguments(ARGV[2], takes)
      if agenda.run_due() then
        if recording.kept > 0 then
          recording.due()
        end
        op.begin_portion()
        write_state()
      end
      local act = recording.kept > 0 and recording.watched(name, ARGV, body) or body
      local reply = act(given, unpack(ARGV, 3))
      if op.current then
        op.finish(name, given.request_id or "")
      end
      if recording.kept > 0 then
        recording.done(name, ARGV, reply)
      end
      write_state()
      return reply
    end,
    flags = creates and {} or { "allow-oom" },
  })
end

--- Registers a function that only reads (FCALL_RO works on it).
function op.read(name, specification, body)
  local takes
  redis.register_function({
    function_name = name,
    callback = function(KEYS, ARGV)
      begin(KEYS, ARGV)
      takes = takes or prepare(specification)
      return body(arguments(ARGV[2], takes), unpack(ARGV, 3))
    end,
    flags = { "no-writes", "allow-stale" },
  })
end
