-- Best worker: the ready worker with the best default score, of equal ones the longest available.

-- is a better than b?
local function better(a, b, descending)
  if a.score ~= b.score then
    return (a.score > b.score) == descending
  end
  if a.raw ~= b.raw then
    return (a.raw > b.raw) == descending
  end
  return nil
end

-- the earliest available worker of a lane over all its load levels; one look per level
local function earliest_of(job, wanted, lane, class, channel, before)
  local best, from, top = nil, 0, supply.top(class, channel)
  while true do
    local offset, level = 0, nil
    while true do
      local row = redis.call("ZRANGEBYSCORE", keys.class_ready(lane), from, top, "WITHSCORES", "LIMIT", offset, 1)
      if #row == 0 then
        return best
      end
      local score = tonumber(row[2])
      local at = supply.level_of(score)
      if level and at ~= level then
        break
      end
      level = at
      local avail = score - supply.level_start(at)
      if (best and avail >= best.avail) or (before and avail >= before) then
        break
      end
      if modes.may_ask(job, wanted, class, channel, row[1]) then
        best = { worker = row[1], avail = avail }
        break
      end
      offset = offset + 1
    end
    from = supply.level_start(level + 1)
  end
end

local memo = { size = 0, of = {}, most = 64 }

-- the classes of a queue that fit, in groups of equal score, best first
local function ranked_classes(job, wanted, active, descending)
  local version = redis.call("GET", keys.queue_version(wanted.queue)) or ""
  local cores = {}
  for i, selector in ipairs(active) do
    cores[i] = selector.core
  end
  local key = wanted.name
    .. "\0"
    .. (job.labels or "")
    .. "\0"
    .. table.concat(cores, "\n")
    .. "\0"
    .. tostring(descending)
  local known = memo.of[key]
  if known and known.version == version then
    return known.groups
  end
  local asked, rows = document.members(job.labels or ""), {}
  for _, class in ipairs(supply.candidates(wanted)) do
    if class.channels[wanted.channel] and selectors.class_fits(wanted.selectors, class.labels) then
      local score, raw = scores.of(asked, active, class.labels, nil)
      rows[#rows + 1] = { class = class, score = score, raw = raw }
    end
  end
  table.sort(rows, function(a, b)
    return better(a, b, descending) or false
  end)
  local groups = {}
  for i, row in ipairs(rows) do
    if i == 1 or better(rows[i - 1], row, descending) ~= nil then
      groups[#groups + 1] = {}
    end
    table.insert(groups[#groups], row.class)
  end
  memos.put(memo, key, { version = version, groups = groups })
  return groups
end

-- where the score can see the worker's own Id, every ready worker is scored
local function best_by_worker(job, wanted, active, descending)
  local asked, best = document.members(job.labels or ""), nil
  for _, class in ipairs(supply.candidates(wanted)) do
    local lane, channel = supply.lane(class, wanted.channel)
    if lane and selectors.class_fits(wanted.selectors, class.labels) then
      local top = supply.top(class, channel)
      local rows = redis.call("ZRANGEBYSCORE", keys.class_ready(lane), "-inf", top, "WITHSCORES")
      for i = 1, #rows, 2 do
        local score, raw = scores.of(asked, active, class.labels, rows[i])
        local found = { worker = rows[i], score = score, raw = raw }
        found.avail = tonumber(rows[i + 1]) % supply.level_start(1)
        local wins = not best or better(found, best, descending)
        if wins == nil then
          wins = found.avail < best.avail
        end
        if wins and modes.may_ask(job, wanted, class, channel, rows[i]) then
          best = found
        end
      end
    end
  end
  return best
end

local function sees_id(job, active)
  if document.members(job.labels or "")['"Id"'] ~= nil then
    return true
  end
  if job.bypass == "1" then
    for _, selector in ipairs(active) do
      if selector.key == '"Id"' then
        return true
      end
    end
  end
  return false
end

--- The ready worker with the best default score, of equal ones the longest available.
function best_worker.pick(job, wanted, alone, descending)
  if alone and demand.is_stuck(wanted.name, job.id) then
    return nil
  end
  local active = job_selectors.active(job)
  if sees_id(job, active) then
    return best_by_worker(job, wanted, active, descending)
  end
  for _, group in ipairs(ranked_classes(job, wanted, active, descending)) do
    local best
    for _, class in ipairs(group) do
      local lane, channel = supply.lane(class, wanted.channel)
      local found = earliest_of(job, wanted, lane, class, channel, best and best.avail)
      best = found or best
    end
    if best then
      return best
    end
  end
  return nil
end
