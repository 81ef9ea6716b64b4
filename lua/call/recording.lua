-- The log of calls: with the setting `recording` on, each call that may write, and what it found due, is appended to a stream
-- with all that it was given and what it replied. Replayed in order on any model of the router it must give the same replies.
--
-- A table of its own: one key more makes that of `op` grow and shrink with each call, which costs 2 % of a life cycle.

--- Entries that the log keeps; 0 = nothing is recorded. The frame of a call sets it from the state that it reads.
recording.kept = 0

--- What the stored state says of it: nothing when it is off.
function recording.mark()
  return recording.kept > 0 and string.format(" recording=%d", recording.kept) or ""
end

-- entries that one call takes off the head at most; the stream gives them up in nodes of up to 100
local TRIMMED = 200
-- credentials are told nowhere else, so not in the log: arguments by function and place, and fields of rows in replies
local HIDDEN = {
  jr_policy_upsert = { [4] = true },
  jr_policy_update = { [4] = true },
  jr_subscription_upsert = { [4] = true, [5] = true },
  jr_subscription_update = { [4] = true, [5] = true },
  jr_subscription_confirm = { [3] = true },
}
local HIDDEN_FIELDS = { secret = true, code = true }
local IN_PLACE = "(not recorded)"

local function hide(text)
  return text ~= "" and IN_PLACE or text
end

-- a flat reply without credentials
local function shown(reply)
  local rows
  for i = 1, #reply, 2 do
    if reply[i] == "rows" then
      rows = i + 1
    end
  end
  if not rows or #reply[rows] == 0 then
    return reply
  end
  local copy = { unpack(reply) }
  copy[rows] = {}
  for n, row in ipairs(reply[rows]) do
    local told = {}
    for i = 1, #row, 2 do
      told[i], told[i + 1] = row[i], HIDDEN_FIELDS[row[i]] and hide(row[i + 1]) or row[i + 1]
    end
    copy[rows][n] = told
  end
  return copy
end

-- `before` is the last op number when the call (or what is due) began; the entry's id has the last one now
local function add(row)
  row[1], row[2] = "before", op.state and string.match(op.state, "^op=(%d+)") or "0"
  row[3], row[4] = "at", clock.text
  redis.call("XADD", keys.oplog(), "MAXLEN", "~", recording.kept, "LIMIT", TRIMMED, op.text .. "-*", unpack(row))
end

local function add_call(name, ARGV, outcome, text)
  local row, hidden = { "", "", "", "", "call", name, "control", ARGV[2] or "{}" }, HIDDEN[name] or {}
  for i = 3, #ARGV do
    row[#row + 1] = "document" .. i - 2
    row[#row + 1] = hidden[i] and hide(ARGV[i]) or ARGV[i]
  end
  row[#row + 1] = outcome
  row[#row + 1] = text
  add(row)
end

--- Records the rows of the agenda that a call has just done, before its own work.
function recording.due()
  if agenda.done > 0 then
    add({ "", "", "", "", "call", "due", "done", agenda.done })
  end
end

--- Records a call that has done its work.
---@param name string its function
---@param ARGV table its arguments
---@param reply table
function recording.done(name, ARGV, reply)
  add_call(name, ARGV, "reply", cjson.encode(shown(reply)))
end

--- The body of an operation, that also records when it refuses.
---@param name string its function
---@param ARGV table its arguments
---@param body function
---@return function
function recording.watched(name, ARGV, body)
  return function(...)
    local done, reply = pcall(body, ...)
    if done then
      return reply
    end
    -- the server's pcall gives the text alone
    add_call(name, ARGV, "refused", reply)
    error(string.find(reply, "^[A-Z_]+ ") and { err = reply } or reply, 0)
  end
end
