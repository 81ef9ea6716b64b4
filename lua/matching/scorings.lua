-- Scorings: a queue may let others score the workers of its jobs. While they are asked, the job waits in the order of its queue,
-- but in no demand class (`scoring` is the number of the question, and see tasks).
--
-- Nobody is asked about a job that only one worker may get. The answer is a ranking: the best workers, each with its score. It
-- is looked at as everything is when it comes: each that is still eligible and ready gets an offer, until the job wants no more.
-- When the ranking ends before that, the job is matched anew, and others may be asked again.

local function task_of(job_id)
  return "score:" .. job_id
end

-- the policy by which a job's queue distributes, and the number of its last change, which no other policy has had
local function policy_of(job)
  local id = queues.load(job.queue).distribution
  return id, queues.plan_of(id), tonumber(redis.call("HGET", keys.policy("distribution", id), "changed") or 0)
end

-- ---- asking -------------------------------------------------------------------------------------------------------

--- The only ready worker that may be asked, or nil.
---@return table|nil pick
---@return boolean several whether there are more of them: then others are to be asked who is the best
function scorings.pick(job, wanted, alone)
  local first = longest_idle.pick(job, wanted, alone)
  if not first then
    return nil, false
  end
  job.spared = first.worker
  local second = longest_idle.pick(job, wanted, false)
  job.spared = nil
  return { worker = first.worker }, second ~= nil
end

--- Asks others about the workers of a job. It is to be placed after.
---@return boolean asked false when so many jobs of its queue are asked about already that it has to wait
function scorings.ask(job)
  local questions = keys.queue_questions(job.queue)
  if redis.call("ZCARD", questions) >= limits.setting("questions") then
    closures.close(job.queue, queues.score(job))
    return false
  end
  jobs.set(job, "scoring", op.number())
  redis.call("ZADD", questions, op.number(), job.id)
  tasks.add(task_of(job.id))
  fillings.count()
  return true
end

--- A job waits for no ranking any more: it leaves its queue, or what its question was about has changed.
function scorings.withdraw(job)
  if job.scoring then
    jobs.set(job, "scoring", nil)
    redis.call("ZREM", keys.queue_questions(job.queue), job.id)
    tasks.remove(task_of(job.id))
    closures.ease(job.queue)
  end
end

--- The question about a job, as flat list, for whoever asks it; nil when its queue does not let others score any more: then the
--- job is matched.
function scorings.question(id)
  local job = jobs.load(id)
  local distribution, plan, changed = policy_of(job)
  if not plan.remote then
    op.number()
    scorings.withdraw(job)
    match.touch_job(job)
    return nil
  end
  local lines = {}
  for i, selector in ipairs(job_selectors.active(job)) do
    lines[i] = selector.line
  end
  return {
    "asked",
    job.scoring,
    "revision",
    changed,
    "labels",
    job.labels or "",
    "selectors",
    table.concat(lines, "\n"),
    "rules",
    redis.call("HGET", keys.policy("distribution", distribution), "rules"),
    "descending",
    plan.descending and 1 or 0,
    "secret",
    policies.secret("distribution", distribution),
  }
end

-- ---- who may be scored --------------------------------------------------------------------------------------------

-- classes of a queue that may fit, by their hashes: a part of them, and the cursor of the next part ("0" = none)
local function some_classes(wanted, cursor)
  local key = keys.queue_classes(wanted.queue)
  local range = #wanted.selectors > 0
    and redis.call("SCARD", key) > limits.REMEMBERED_CLASSES
    and label_index.narrowest(keys.class_labels(), wanted.selectors)
  if not range or range.count > limits.INDEXED_CLASSES then
    local reply = redis.call("SSCAN", key, cursor, "COUNT", limits.CANDIDATES)
    return reply[2], reply[1]
  end
  local hashes = {}
  for i, class in ipairs(supply.candidates(wanted)) do
    hashes[i] = class.hash
  end
  return hashes, "0"
end

local function labels_of(class)
  local lines = {}
  for line in texts.lines(redis.call("HGET", keys.class(class.hash), "text")) do
    if string.sub(line, 1, 1) == "L" then
      lines[#lines + 1] = string.sub(line, 2)
    end
  end
  return document.of_lines(lines)
end

-- adds those of a read lane that may be asked
local function add_rows(list, job, wanted, class, channel, read)
  local labels
  for i = 1, #read, 2 do
    if modes.may_ask(job, wanted, class, channel, read[i]) then
      labels = labels or labels_of(class)
      local avail = tonumber(read[i + 1]) % supply.level_start(1)
      list[#list + 1] = { "worker", read[i], "avail", avail, "labels", labels }
    end
  end
end

-- where a portion of candidates begins: a cursor of the queue's classes, and those that an earlier portion has read and not
-- looked at (by their hashes, the first of them from a place on). Classes come and go between two portions, so a part of them
-- that is read again may be another.
local function beginning(after)
  local cursor, low, rest = string.match(after, "^(%d+) (%S+) ([%x ]+)$")
  cursor = cursor or string.match(after == "" and "0" or after, "^%d+$")
  local hashes = {}
  for hash in string.gmatch(rest or "", "%x+") do
    hashes[#hashes + 1] = #hash == 40 and hash or nil
  end
  -- a cursor of Redis is less than 2^64
  if
    not cursor
    or #cursor > 19
    or (low and not string.find(low, "^%(%d+$"))
    or (rest and #rest ~= 41 * #hashes - 1)
  then
    refuse.bad_call("after is what the last call gave as next")
  end
  return cursor, low, rest and hashes
end

--- Some of the eligible ready workers of a job, as flat lists: worker, avail (available since: an op number), labels.
---@param after string where to go on, as it was told; empty = at the beginning
---@return table rows
---@return string next empty = these were the last
function scorings.candidates(job, after)
  local cursor, low, hashes = beginning(after)
  local wanted, list, left = demand.class(demand.class_of(job)), {}, limits.CANDIDATES
  if not hashes then
    hashes, cursor = some_classes(wanted, cursor)
  end
  for i, hash in ipairs(hashes) do
    local class, lane, channel = classes.find(hash), nil, nil
    if class then
      lane, channel = supply.lane(class, wanted.channel)
    end
    if lane and selectors.class_fits(wanted.selectors, class.labels) then
      local from, top = i == 1 and low or "-inf", supply.top(class, channel)
      local read = redis.call("ZRANGEBYSCORE", keys.class_ready(lane), from, top, "WITHSCORES", "LIMIT", 0, left)
      add_rows(list, job, wanted, class, channel, read)
      left = left - #read / 2
      if left == 0 then
        return list, cursor .. " (" .. read[#read] .. " " .. table.concat(hashes, " ", i)
      end
    end
  end
  return list, cursor ~= "0" and cursor or ""
end

-- ---- the answer ---------------------------------------------------------------------------------------------------

local function expect(holds)
  if not holds then
    refuse.bad_call("a ranking is a list of at most " .. limits.RANKED .. " pairs: a worker, and a number or null")
  end
end

local function is_list(value, length)
  if type(value) ~= "table" or (length and #value ~= length) then
    return false
  end
  local count = 0
  for place in pairs(value) do
    count = count + 1
    if type(place) ~= "number" then
      return false
    end
  end
  return count == #value
end

--- A ranking from its text, its scores false where there is none. Refuses one that is malformed.
---@param text string
function scorings.read(text)
  local decoded, list = pcall(cjson.decode, text)
  expect(decoded and is_list(list) and #list <= limits.RANKED)
  for _, pair in ipairs(list) do
    expect(is_list(pair, 2) and type(pair[1]) == "string")
    if pair[2] == cjson.null then
      pair[2] = false
    end
    -- neither infinite nor undefined
    expect(pair[2] == false or (type(pair[2]) == "number" and pair[2] - pair[2] == 0))
  end
  return list
end

--- Offers a job by a ranking, unless its question has changed since: then that stands anew.
---@param given table asked, revision: as they were told with the question
---@param ranking table as read
---@return boolean done
function scorings.answer(id, given, ranking)
  local job = jobs.load(id)
  if not job or job.scoring ~= given.asked then
    return false
  end
  local _, plan, changed = policy_of(job)
  if not plan.remote then
    return false
  elseif changed ~= given.revision then
    tasks.add(task_of(id))
    return false
  end
  op.number()
  scorings.withdraw(job)
  job.ranking, job.ranked, job.sorted_to = ranking, 1, 1
  match.touch_job(job)
  return true
end

-- puts a run of equal scores in the order of availability; who was never available is left out
local function sort_run(list, first)
  local run, last = {}, first
  if not list[first + 1] or list[first + 1][2] ~= list[first][2] then
    return first + 1
  end
  while list[last] and list[last][2] == list[first][2] do
    local avail = redis.call("HGET", keys.worker(list[last][1]), "avail")
    if avail then
      run[#run + 1] = { list[last], tonumber(avail) }
    end
    last = last + 1
  end
  table.sort(run, function(a, b)
    return a[2] < b[2]
  end)
  for i = first, last - 1 do
    list[i] = run[i - first + 1] and run[i - first + 1][1] or { "", list[i][2] }
  end
  return last
end

--- The first worker of a job's ranking that may take it now, of equal scores the longest available; nil when none is left.
function scorings.next(job, wanted)
  local list, i = job.ranking, job.ranked
  decisions.search()
  while list[i] do
    if i == job.sorted_to then
      job.sorted_to = sort_run(list, i)
    end
    local id = list[i][1]
    local worker = id ~= "" and modes.taker(job, wanted, id)
    if worker then
      job.ranked = i
      return { worker = worker.id, score = list[i][2] or nil, ranked = #list }
    end
    i = i + 1
  end
  job.ranking = nil
  return nil
end
