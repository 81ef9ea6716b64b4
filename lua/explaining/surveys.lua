-- Surveys: how many workers of a queue fit a job, and what keeps the others out, class by class. Only reads.
--
-- What all workers of a class have in common is counted exactly: its channels and labels. Who is busy is counted by what is kept:
-- the members of a class less those ready in its lane. Workers that selectors on Id name are looked at one by one; a selector
-- that puts Ids in order (greater, less) is told of single workers only.

-- stands for all workers that no selector names: no id holds NUL
local ANYBODY = "\0"

-- the selectors that are counted
local function counted_of(list)
  local counted = {}
  for _, selector in ipairs(list) do
    if selector.key ~= '"Id"' or selector.operator == "=" or selector.operator == "!=" then
      counted[#counted + 1] = selector
    end
  end
  return counted
end

-- the workers that selectors on Id name
local function named_by(list_of)
  local list, seen = {}, {}
  for _, selector in ipairs(list_of) do
    local id = selector.key == '"Id"' and type(selector.value) == "string" and selector.value
    local worker = id and not seen[id] and workers.load(id)
    if worker and worker.class then
      seen[id] = true
      list[#list + 1] = worker
    end
  end
  return list
end

-- what is left of the active selectors when the next ones have run out
local function left_at_expiry(job)
  local left = {}
  for _, selector in ipairs(job.selector_at and job_selectors.active(job) or {}) do
    if selectors.is_active(selector, job.enqueued_at, job.selector_at) then
      left[#left + 1] = selector
    end
  end
  return left
end

local function begin(job, wanted)
  local asked = counted_of(wanted.selectors)
  local survey = {
    job = job,
    wanted = wanted,
    asked = asked,
    named = named_by(asked),
    left = job.selector_at and job.bypass ~= "1" and counted_of(left_at_expiry(job)),
    registered = 0,
    fitting = 0,
    ready = 0,
    admits = 0,
    admits_ready = 0,
    channel = { workers = 0, alone = 0 },
    selectors = {},
    lanes = {},
  }
  for i in ipairs(asked) do
    survey.selectors[i] = { workers = 0, alone = 0 }
  end
  return survey
end

-- the members of a class in groups of equal ids, as far as the selectors are concerned
local function groups_of(class, survey)
  local rest, groups = tonumber(redis.call("HGET", keys.class(class.hash), "size")), {}
  for _, worker in ipairs(survey.named) do
    if worker.class == class.hash then
      groups[#groups + 1] = { id = worker.id, count = 1 }
      rest = rest - 1
    end
  end
  if rest > 0 then
    groups[#groups + 1] = { id = ANYBODY, count = rest }
  end
  return groups
end

-- how many of a group are ready in their lane
local function ready_of(survey, class, group)
  local lane, channel = supply.lane(class, survey.wanted.channel)
  local key, top = keys.class_ready(lane), supply.top(class, channel)
  local function has_room(id)
    local score = tonumber(redis.call("ZSCORE", key, id) or nil)
    return score and score <= top
  end
  if group.id ~= ANYBODY then
    return has_room(group.id) and 1 or 0
  end
  local ready = redis.call("ZCOUNT", key, "-inf", top)
  for _, worker in ipairs(survey.named) do
    if worker.class == class.hash and has_room(worker.id) then
      ready = ready - 1
    end
  end
  return ready
end

-- how many selectors of a list do not hold
local function failing(list, labels, id)
  local count = 0
  for i = 1, #list do
    if not selectors.holds(list[i], labels, id) then
      count = count + 1
    end
  end
  return count
end

-- counts the workers that each selector keeps out; how many selectors do
local function count_selectors(survey, class, group)
  local list, counts, failed, last = survey.asked, survey.selectors, 0, nil
  for i = 1, #list do
    if not selectors.holds(list[i], class.labels, group.id) then
      failed, last = failed + 1, i
      counts[i].workers = counts[i].workers + group.count
    end
  end
  if failed == 1 and class.channels[survey.wanted.channel] then
    counts[last].alone = counts[last].alone + group.count
  end
  return failed
end

local function count_group(survey, class, group)
  survey.registered = survey.registered + group.count
  local failed = count_selectors(survey, class, group)
  local lane = supply.lane(class, survey.wanted.channel)
  if not lane then
    survey.channel.workers = survey.channel.workers + group.count
    survey.channel.alone = survey.channel.alone + (failed == 0 and group.count or 0)
  elseif failed == 0 then
    local ready = ready_of(survey, class, group)
    survey.fitting, survey.ready = survey.fitting + group.count, survey.ready + ready
    survey.lanes[#survey.lanes + 1] = ready > 0 and lane or nil
  elseif survey.left and failing(survey.left, class.labels, group.id) == 0 then
    survey.admits = survey.admits + group.count
    survey.admits_ready = survey.admits_ready + ready_of(survey, class, group)
  end
end

-- the counts as reasons
local function counted(survey)
  local list, wanted = {}, survey.wanted
  if survey.channel.workers > 0 then
    reasons.add(
      list,
      "channel_missing",
      "channel",
      wanted.channel,
      "workers",
      survey.channel.workers,
      "alone",
      survey.channel.alone
    )
  end
  for i, selector in ipairs(survey.asked) do
    local count = survey.selectors[i]
    if count.workers > 0 then
      local reason = obstacles.add_selector(list, survey.job, selector)
      reasons.tell(reason, "workers", count.workers, "alone", count.alone)
    end
  end
  if survey.fitting > survey.ready then
    reasons.add(list, "busy", "workers", survey.fitting - survey.ready)
  end
  return list
end

--- So many of something, fewer of them when a job has many selectors.
---@param most number for a job with hardly any
function surveys.portion(wanted, most)
  return math.ceil(most / (1 + #wanted.selectors / limits.FEW_SELECTORS))
end

--- Counts the workers of some classes of a job's queue.
---@param wanted table the job's demand class
---@param cursor string "0" to begin with
---@return table survey registered, fitting, ready, admits and admits_ready (when the next selectors run out), counts (reasons),
---lanes (with ready workers that fit)
---@return string next cursor, "0" when all classes are counted
function surveys.slice(job, wanted, cursor)
  local survey = begin(job, wanted)
  local count = surveys.portion(wanted, limits.SURVEYED_CLASSES)
  local page = redis.call("SSCAN", keys.queue_classes(wanted.queue), cursor, "COUNT", count)
  for _, hash in ipairs(page[2]) do
    local class = classes.get(hash)
    for _, group in ipairs(groups_of(class, survey)) do
      count_group(survey, class, group)
    end
  end
  survey.counts = counted(survey)
  return survey, page[1]
end

--- Does one worker fit when the next selectors of a job have run out? 1 or 0; nil where none will, or it fits them all now.
function surveys.admits_later(job, wanted, worker)
  local labels = classes.of(worker).labels
  if not job.selector_at or failing(wanted.selectors, labels, worker.id) == 0 then
    return nil
  end
  return failing(left_at_expiry(job), labels, worker.id) == 0 and 1 or 0
end

-- ---- samples ------------------------------------------------------------------------------------------------------------

--- The first ready workers of some lanes, and workers that selectors name: ids.
---@param most number
function surveys.ready_sample(survey, most)
  local ids = {}
  for _, worker in ipairs(survey.named) do
    ids[#ids + 1] = #ids < most and worker.id or nil
  end
  for i = 1, math.min(#survey.lanes, most) do
    local count = math.max(1, math.floor(most / #survey.lanes))
    for _, id in ipairs(redis.call("ZRANGE", keys.class_ready(survey.lanes[i]), 0, count - 1)) do
      ids[#ids + 1] = #ids < most and id or nil
    end
  end
  return ids
end

--- Some workers that serve the queue, the newest first: ids.
function surveys.listed_sample(wanted)
  local most = surveys.portion(wanted, limits.SAMPLED_FROM)
  return redis.call("ZREVRANGE", keys.queue_workers(wanted.queue), 0, most - 1)
end

local function add_sample(rows, job, wanted, ids, most)
  for _, one in ipairs(explanations.sample_of(job, wanted, ids, most)) do
    reasons.add_rows(rows, "sample", one.reasons, "of", one.worker.id, "of_state", one.worker.state)
  end
end

--- Refuses what is no cursor of a slice.
function surveys.check_cursor(cursor)
  if string.find(cursor, "%D") or #cursor > 20 then
    refuse.bad_call("cursor is the next of another slice")
  end
end

--- Tells a slice of a job's queue.
---@param reply table gets how many workers there are, and the numbers of the slice
---@param rows table gets the reasons: of the queue, and of some workers as a sample
---@param wanted table the job's demand class
---@param given table cursor ("" = the first slice), sampled (workers that slices before have told of)
---@return string next empty = this was the last slice
function surveys.tell(reply, rows, job, wanted, given)
  local most = math.max(0, limits.SAMPLE - math.max(0, given.sampled))
  local slice, next_cursor = surveys.slice(job, wanted, given.cursor == "" and "0" or given.cursor)
  local is_last = next_cursor == "0"
  for _, part in ipairs(explanations.staff_of(job.queue)) do
    reply[#reply + 1] = part
  end
  reasons.add_rows(rows, "queue", slice.counts)
  local ids = surveys.ready_sample(slice, most)
  if is_last and #ids < most then
    for _, id in ipairs(surveys.listed_sample(wanted)) do
      ids[#ids + 1] = id
    end
  end
  add_sample(rows, job, wanted, ids, most)
  for _, name in ipairs({ "registered", "fitting", "ready", "admits", "admits_ready" }) do
    reasons.tell(reply, name, slice[name])
  end
  return is_last and "" or next_cursor
end
