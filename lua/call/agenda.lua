-- Everything that is due at a time: one sorted set, which is the truth, and one alarm key, which only wakes the workers.

-- what this call (or due item) has put on (due, row, due, row, …) and taken off
local added, gone = {}, {}

--- Starts a call.
function agenda.begin()
  if added[1] or gone[1] then
    added, gone = {}, {}
  end
  agenda.done = 0
end

--- Puts a row on the agenda, or moves it.
---@param row string its kind, a colon, and what it is about
---@param due number epoch ms
function agenda.add(row, due)
  local n = #added
  added[n + 1], added[n + 2] = due, row
end

--- Takes a row off. The alarm is left: an early one finds nothing and is set anew.
function agenda.remove(row)
  gone[#gone + 1] = row
  -- one that the same call has put on
  for i = #added, 2, -2 do
    if added[i] == row then
      table.remove(added, i)
      table.remove(added, i - 1)
    end
  end
end

--- Writes what this call (or due item) has put on and taken off.
function agenda.save()
  if gone[1] then
    redis.call("ZREM", keys.agenda(), unpack(gone))
    gone = {}
  end
  if added[1] then
    redis.call("ZADD", keys.agenda(), unpack(added))
    local earliest = added[1]
    for i = 3, #added, 2 do
      earliest = added[i] < earliest and added[i] or earliest
    end
    added = {}
    if op.alarm == 0 or earliest < op.alarm then
      agenda.ring_at(earliest)
    end
  end
end

--- The due time of the first row, or nil.
function agenda.first()
  local row = redis.call("ZRANGE", keys.agenda(), 0, 0, "WITHSCORES")
  return tonumber(row[2])
end

--- Sets the alarm to a time. The root hash has it too: it is never later than the first row, so a call that comes before it
--- need not look at the agenda at all.
---@param due number|nil nil when nothing is due any more
function agenda.ring_at(due)
  op.alarm = due or 0
  op.alarm_text = string.format("%.0f", op.alarm)
  if due then
    redis.call("SET", keys.alarm(), op.alarm_text, "PX", string.format("%.0f", math.max(1, due - clock.now)))
  end
end

-- what each kind of row does; each is complete in itself
local DO = {
  close = function(rest)
    assignments.close_due(rest)
  end,
  exception = function(rest)
    exceptions.due(rest)
  end,
  fill = function()
    fillings.due()
  end,
  idle = function(rest)
    workers.idle_due(rest)
  end,
  life = function(rest)
    endings.life_due(rest)
  end,
  offer = function(rest)
    offers.due(rest)
  end,
  open = function(rest)
    closures.due(rest)
  end,
  retry = function(rest)
    bars.retry_due(rest)
  end,
  review = function(rest)
    review.due(rest)
  end,
  revoke = function(rest)
    revocations.due(rest)
  end,
  schedule = function(rest)
    schedules.due(rest)
  end,
  selector = function(rest)
    job_selectors.due(rest)
  end,
  validation = function(rest)
    handshakes.due(rest)
  end,
}

local function act(kind, rest)
  DO[kind](rest)
  op.finish(kind, "")
end

-- does one row. Where that fails, which is a fault of the library, the row is neither lost nor in the way of the others.
local function do_row(row)
  local colon = string.find(row, ":", 1, true)
  local done, failure = pcall(act, string.sub(row, 1, colon - 1), string.sub(row, colon + 1))
  if not done then
    redis.call("ZADD", keys.agenda(), clock.now + limits.FAILED_DUE_MS, row)
    op.give_up()
    refuse.rethrow(failure)
  end
end

--- Does at most one batch of what is due now, in the order of time and then of the row's text. All of it together makes
--- at most one portion of offers and takes back one: the rows after that wait for the next call.
---@return boolean looked
function agenda.run_due()
  if op.alarm == 0 or clock.now < op.alarm then
    return false
  end
  local due = redis.call("ZRANGEBYSCORE", keys.agenda(), "-inf", clock.now, "LIMIT", 0, op.batch)
  for _, row in ipairs(due) do
    if op.has_spent_portion() then
      break
    end
    -- an earlier row of the batch may have taken it off
    if redis.call("ZREM", keys.agenda(), row) == 1 then
      do_row(row)
      agenda.done = agenda.done + 1
    end
  end
  agenda.ring_at(agenda.first())
  return true
end
