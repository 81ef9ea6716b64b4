-- What is kept of the past: finished jobs and events, by age and by count. Each call trims at most one batch.

-- events older than they are to be kept; the stream's ids are numbers, so the entries themselves tell their time
local function old_events()
  local oldest_kept = clock.now - limits.setting("keep_events_ms")
  local rows = redis.call("XRANGE", keys.events(), "-", "+", "COUNT", limits.setting("batch"))
  local last, count = nil, 0
  for _, entry in ipairs(rows) do
    if tonumber(entry[2][2]) > oldest_kept then
      break
    end
    last, count = entry[1], count + 1
  end
  if last then
    redis.call("XTRIM", keys.events(), "MINID", (tonumber(string.match(last, "^(%d+)")) + 1) .. "-0")
  end
  return count == limits.setting("batch")
end

local function surplus_events()
  local length = redis.call("XLEN", keys.events())
  local surplus = length - limits.setting("keep_events_count")
  if surplus <= 0 then
    return false
  end
  redis.call("XTRIM", keys.events(), "MAXLEN", length - math.min(surplus, limits.setting("batch")))
  return surplus > limits.setting("batch")
end

local function old_jobs()
  local oldest_kept = clock.now - limits.setting("keep_finished_ms")
  local ids =
    redis.call("ZRANGEBYSCORE", keys.listing("finished"), "-inf", oldest_kept, "LIMIT", 0, limits.setting("batch"))
  for _, id in ipairs(ids) do
    jobs.remove(jobs.load(id))
  end
  return #ids == limits.setting("batch")
end

local function surplus_jobs()
  local surplus = redis.call("ZCARD", keys.listing("finished")) - limits.setting("keep_finished_count")
  if surplus <= 0 then
    return false
  end
  local last = math.min(surplus, limits.setting("batch")) - 1
  for _, id in ipairs(redis.call("ZRANGE", keys.listing("finished"), 0, last)) do
    jobs.remove(jobs.load(id))
  end
  return surplus > limits.setting("batch")
end

--- Trims one batch of each.
---@return boolean more whether there is more to trim
function retention.trim()
  local events_left, surplus_left = old_events(), surplus_events()
  local jobs_left, more_left = old_jobs(), surplus_jobs()
  agenda.save()
  return events_left or surplus_left or jobs_left or more_left
end

--- The earlier of a due time and the end of keeping the oldest finished job.
---@param due number|nil epoch ms
function retention.earlier(due)
  local oldest = tonumber(redis.call("ZRANGE", keys.listing("finished"), 0, 0, "WITHSCORES")[2])
  local ends = oldest and oldest + limits.setting("keep_finished_ms")
  return ends and (not due or ends < due) and ends or due
end
