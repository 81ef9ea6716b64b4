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

local memo = { size = 0, of = {}, most = 4096 }

-- the classes that fit a demand class, in the order of their hashes
local function fitting(wanted)
  local version = redis.call("GET", keys.queue_version(wanted.queue)) or ""
  local known = memo.of[wanted.name]
  if known and known.version == version then
    return known.list
  end
  local list = {}
  for _, class in ipairs(supply.candidates(wanted)) do
    if class.channels[wanted.channel] and selectors.class_fits(wanted.selectors, class.labels) then
      list[#list + 1] = class
    end
  end
  table.sort(list, function(a, b)
    return a.hash < b.hash
  end)
  memos.put(memo, wanted.name, { version = version, list = list }, #list + 1)
  return list
end

local function labels_of(class)
  local lines = {}
  for line in texts.lines(redis.call("HGET", keys.class(class.hash), "text")) do
    if string.sub(line, 1, 1) == "L" then
      lines[#lines + 1] = string.sub(line, 2)
    end
  end
  return table.concat(lines, "\n")
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

--- Some of the eligible ready workers of a job, as flat lists: worker, avail (available since: an op number), labels.
---@param after string where to go on, as it was told; empty = at the beginning
---@return table rows
---@return string next empty = these were the last
function scorings.candidates(job, after)
  local wanted, list = demand.class(demand.class_of(job)), {}
  local hash, low = string.match(after, "^(%x+) (.*)$")
  if after ~= "" and not (low == "-inf" or (low and string.find(low, "^%(%d+$"))) then
    refuse.bad_call("after is what the last call gave as next")
  end
  local left, lanes = limits.CANDIDATES, 0
  for _, class in ipairs(fitting(wanted)) do
    if not hash or class.hash >= hash then
      if lanes == limits.CANDIDATES then
        return list, class.hash .. " -inf"
      end
      lanes = lanes + 1
      local lane, channel = supply.lane(class, wanted.channel)
      local from = class.hash == hash and low or "-inf"
      local top = supply.top(class, channel)
      local read = redis.call("ZRANGEBYSCORE", keys.class_ready(lane), from, top, "WITHSCORES", "LIMIT", 0, left)
      add_rows(list, job, wanted, class, channel, read)
      left = left - #read / 2
      if left == 0 then
        return list, class.hash .. " (" .. read[#read]
      end
    end
  end
  return list, ""
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
  job.ranking, job.ranked = ranking, 1
  match.touch_job(job)
  return true
end

--- The first worker of a job's ranking that may take it now, of equal scores the longest available; nil when none is left.
function scorings.next(job, wanted)
  local list, first = job.ranking, job.ranked
  decisions.search()
  while list[first] do
    local best, i = nil, first
    while list[i] and list[i][2] == list[first][2] do
      local worker = modes.taker(job, wanted, list[i][1])
      if worker and (not best or tonumber(worker.avail) < tonumber(best.avail)) then
        best = worker
      end
      i = i + 1
    end
    if best then
      job.ranked = first
      return { worker = best.id, score = list[first][2] or nil }
    end
    first = i
  end
  job.ranking = nil
  return nil
end
