-- Best worker: the ready worker with the best score, of equal ones the longest available.

--- How a queue scores workers for a job.
---@param plan table how the queue distributes
function best_worker.scorer_of(job, plan)
  if plan.scoring == "expression" then
    local rule = scoring_rules.get(queues.load(job.queue).distribution, plan.rule)
    return scoring_rules.scorer(rule, plan.rule, job)
  end
  return plan.scoring == "equal" and scores.EQUAL or scores.default(job)
end

-- the earliest available worker of a lane over all its load levels; one look per level
local function earliest_of(job, wanted, lane, class, channel, before)
  local best, from, top = nil, 0, supply.top(class, channel)
  decisions.search()
  while from <= top do
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
  return best
end

-- rankings: each counts as many as it has classes
local memo = { size = 0, of = {}, most = 16384 }

-- the classes of a queue that fit, in groups of equal score, best first; kept for each tenant
local function ranked_classes(wanted, scorer, descending)
  local version = redis.call("GET", keys.queue_version(wanted.queue)) or ""
  local key = keys.root .. wanted.name .. "\0" .. scorer.key .. "\0" .. tostring(descending)
  local known = memo.of[key]
  if known and known.version == version then
    return known.groups
  end
  local rows = {}
  for _, class in ipairs(supply.candidates(wanted)) do
    if class.channels[wanted.channel] and selectors.class_fits(wanted.selectors, class.labels) then
      local score, raw = scorer.score(class.labels)
      rows[#rows + 1] = { class = class, score = score, raw = raw }
    end
  end
  table.sort(rows, function(a, b)
    return scores.better(a, b, descending) or false
  end)
  local groups = {}
  for i, row in ipairs(rows) do
    if i == 1 or scores.better(rows[i - 1], row, descending) ~= nil then
      groups[#groups + 1] = { score = row.score }
    end
    table.insert(groups[#groups], row.class)
  end
  memos.put(memo, key, { version = version, groups = groups }, #rows + 1)
  return groups
end

-- where a score can see the worker's own Id, every ready worker is scored
local function best_by_worker(job, wanted, scorer, descending)
  local best
  for _, class in ipairs(supply.candidates(wanted)) do
    local lane, channel = supply.lane(class, wanted.channel)
    if lane and selectors.class_fits(wanted.selectors, class.labels) then
      decisions.search()
      local top = supply.top(class, channel)
      local rows = redis.call("ZRANGEBYSCORE", keys.class_ready(lane), "-inf", top, "WITHSCORES")
      for i = 1, #rows, 2 do
        local score, raw = scorer.score(class.labels, rows[i])
        local found = { worker = rows[i], score = score, raw = raw }
        found.avail = tonumber(rows[i + 1]) % supply.level_start(1)
        local wins = not best or scores.better(found, best, descending)
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

--- The ready worker with the best score, of equal ones the longest available.
---@param plan table how the queue distributes
---@param alone boolean see longest_idle
function best_worker.pick(job, wanted, alone, plan)
  if alone and demand.is_stuck(wanted.name, job.id) then
    return nil
  end
  local scorer = best_worker.scorer_of(job, plan)
  if scorer.sees_id then
    return best_by_worker(job, wanted, scorer, plan.descending)
  end
  for _, group in ipairs(ranked_classes(wanted, scorer, plan.descending)) do
    local best
    for _, class in ipairs(group) do
      local lane, channel = supply.lane(class, wanted.channel)
      local found = earliest_of(job, wanted, lane, class, channel, best and best.avail)
      best = found or best
    end
    if best then
      best.score = group.score
      return best
    end
  end
  return nil
end
