-- Work that is done outside of Redis: rules that others answer, endpoints that are asked whether they want events. One sorted
-- set of tasks by the time at which each is to be taken.
--
-- A worker takes a task by a lease: the time is moved ahead, so that another worker takes it when the first has died. The answer
-- removes it. A task says only what it is about, as "classify:<job>": what is asked is read when it is leased, and numbered, so
-- that the answer to an outdated question does nothing.

--- Asks for a worker, at once. The bell is a key of its own: its SET is the notification.
---@param task string its kind, a colon, and what it is about
function tasks.add(task)
  if not rehearsals.on then
    redis.call("ZADD", keys.tasks(), clock.text, task)
    redis.call("SET", keys.bell(), clock.text)
  end
end

--- Asks no more.
function tasks.remove(task)
  if not rehearsals.on then
    redis.call("ZREM", keys.tasks(), task)
  end
end

--- Asks for a worker again, but later.
---@param pause_ms number
function tasks.put_off(task, pause_ms)
  redis.call("ZADD", keys.tasks(), clock.now + pause_ms, task)
end

-- of each kind: what it asks, as flat list (nil = nothing any more); its answers from their text (refuses those that are
-- malformed); what takes them, which gives false when the question is outdated
local KINDS = {
  classify = {
    question = function(rest)
      return classification.question(rest)
    end,
    read = function(text)
      return pipelines.answers(text)
    end,
    answer = function(rest, given, answers)
      return classification.answer(rest, given, answers)
    end,
  },
  validate = {
    question = function(rest)
      return handshakes.question(rest)
    end,
    read = function(text)
      return handshakes.read(text)
    end,
    answer = function(rest, given, answers)
      return handshakes.answer(rest, given, answers)
    end,
  },
  score = {
    question = function(rest)
      return scorings.question(rest)
    end,
    read = function(text)
      return scorings.read(text)
    end,
    answer = function(rest, given, ranking)
      return scorings.answer(rest, given, ranking)
    end,
  },
}

local function parts(task)
  local name, rest = string.match(task, "^(%l+):(.*)$")
  return KINDS[name], rest
end

--- The first tasks that wait, each moved ahead; what asks nothing any more is taken off.
---@param count number at most so many
---@param lease_ms number ahead by this
---@return table rows task, and what it asks
function tasks.lease(count, lease_ms)
  local rows, leased = {}, {}
  for _, task in ipairs(redis.call("ZRANGEBYSCORE", keys.tasks(), "-inf", clock.now, "LIMIT", 0, count)) do
    local kind, rest = parts(task)
    local row = kind.question(rest)
    if row then
      row[#row + 1] = "task"
      row[#row + 1] = task
      rows[#rows + 1] = row
      leased[#leased + 1] = clock.now + lease_ms
      leased[#leased + 1] = task
    else
      tasks.remove(task)
    end
  end
  if leased[1] then
    redis.call("ZADD", keys.tasks(), unpack(leased))
  end
  return rows
end

--- The answers to a task from their text. Refuses what is no task, and malformed answers.
---@param text string|nil
function tasks.read(task, text)
  local kind = parts(task)
  if not kind then
    refuse.bad_call("task is classify:<job>, score:<job> or validate:<subscription>")
  end
  return kind.read(text or "")
end

--- Does what the answers to a task mean.
---@param given table asked, revision: as they were leased
---@param answers table as read
---@return boolean done false when the question is outdated
function tasks.answer(task, given, answers)
  local kind, rest = parts(task)
  return kind.answer(rest, given, answers)
end
