-- Everything that is due at a time: one sorted set, which is the truth, and one alarm key, which only wakes the workers.

local planned = {}

--- Starts a call.
function agenda.begin()
  if next(planned) then
    planned = {}
  end
  agenda.done = 0
end

--- Puts a row on the agenda, or moves it.
---@param row string its kind, a colon, and what it is about
---@param due number epoch ms
function agenda.add(row, due)
  planned[row] = due
end

--- Takes a row off. The alarm is left: an early one finds nothing and is set anew.
function agenda.remove(row)
  planned[row] = false
end

--- Writes what this call (or due item) has put on and taken off.
function agenda.save()
  if next(planned) == nil then
    return
  end
  local added, gone, earliest
  for row, due in pairs(planned) do
    if due then
      added = added or {}
      added[#added + 1] = due
      added[#added + 1] = row
      earliest = earliest and earliest < due and earliest or due
    else
      gone = gone or {}
      gone[#gone + 1] = row
    end
  end
  planned = {}
  if gone then
    redis.call("ZREM", keys.agenda(), unpack(gone))
  end
  if added then
    redis.call("ZADD", keys.agenda(), unpack(added))
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
  if due then
    redis.call(
      "SET",
      keys.alarm(),
      string.format("%.0f", due),
      "PX",
      string.format("%.0f", math.max(1, due - clock.now))
    )
  end
end

-- what each kind of row does; each is complete in itself
local DO = {
  close = function(rest)
    assignments.close_due(rest)
  end,
  idle = function(rest)
    workers.idle_due(rest)
  end,
  life = function(rest)
    jobs.life_due(rest)
  end,
  offer = function(rest)
    offers.due(rest)
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
}

--- Does at most one batch of what is due now, in the order of time and then of the row's text. All of it together takes back at
--- most one batch of offers: the rows after that wait for the next call.
---@return boolean looked
function agenda.run_due()
  if op.alarm == 0 or clock.now < op.alarm then
    return false
  end
  local due = redis.call("ZRANGEBYSCORE", keys.agenda(), "-inf", clock.now, "LIMIT", 0, op.batch)
  for _, row in ipairs(due) do
    if revocations.are_spent() then
      break
    end
    -- an earlier row of the batch may have taken it off
    if redis.call("ZREM", keys.agenda(), row) == 1 then
      local colon = string.find(row, ":", 1, true)
      local kind = string.sub(row, 1, colon - 1)
      DO[kind](string.sub(row, colon + 1))
      op.finish(kind, "")
      agenda.done = agenda.done + 1
    end
  end
  agenda.ring_at(agenda.first())
  return true
end
