-- Exceptions: what the rules of a queue's exception policy do to jobs that would join a long queue, or have waited long in it.
--
-- Rules of the length are looked at before a job joins. Of the rules of the wait the next one stands on the agenda, one row a
-- job, for as long as the job is in the queue. A rule of the wait fires once in a stay; a rule of the length once on a way in,
-- however often queues send the job on, and after a bounded number and work of them the job joins where it is.

--- Starts what may do one portion of the work of rules: all that is due at the beginning of a call, then the operation itself.
function exceptions.begin()
  exceptions.spent = 0
end

--- Is the portion spent?
---@param before number|nil what was spent before the work that counts (nil = 0)
function exceptions.are_spent(before)
  return exceptions.spent - (before or 0) >= limits.RULE_WORK
end

-- each action may write an event with all labels and selectors of the job
local function spend(job, rule)
  local bytes = #(job.labels or "") + #(job.selectors or "") + #(job.attached or "")
  exceptions.spent = exceptions.spent + (1 + #rule.actions) * (1 + math.floor(bytes / limits.RULE_BYTES))
end

-- ---- actions ----------------------------------------------------------------------------------------------------

local function cancel(job, action)
  endings.cancel(job, action.disposition or "", action.note or "")
  return false
end

local function change(job, action)
  local moves = action.queue and action.queue ~= job.queue and queues.load(action.queue)
  local wanted = action.selectors and action.selectors ~= "" and job_selectors.started(job, action.selectors)
  -- offers of a changed job are revoked before the change; another priority alone leaves them
  if job.status == "queued" and (moves or (wanted and wanted ~= (job.selectors or ""))) then
    stays.dequeue(job)
  end
  if moves then
    jobs.change_queue(job, action.queue)
  end
  if wanted then
    jobs.set(job, "selectors", wanted)
  end
  if action.priority then
    jobs.set(job, "priority", action.priority ~= 1 and action.priority or nil)
  end
  jobs.rewrite(job)
  jobs.revise(job)
  return true
end

-- the policy that is to be applied: that of the action, unless it was deleted since
local function policy_for(job, action)
  local named = action.classification and policies.pipeline(action.classification)
  return named and action.classification or job.classification
end

local function classify(job, action)
  local labels = document.merged(job.labels or "", action.labels or "", limits.LABELS)
  local policy = policy_for(job, action)
  if policy then
    classification.start(job)
  elseif job.status == "queued" and labels ~= (job.labels or "") then
    stays.dequeue(job)
  end
  jobs.set(job, "labels", labels ~= "" and labels or nil)
  jobs.change_policy(job, policy)
  jobs.rewrite(job)
  jobs.revise(job)
  if not policy then
    return true
  end
  local decided = classification.decide_job(job)
  return classification.apply(job, decided) or job.asked ~= nil
end

-- each tells whether the job can go on: not when it is cancelled, or its classification has failed
local ACTIONS = { cancel = cancel, change = change, classify = classify }

-- does what a rule says, in the order of its actions; false when that has ended the job, its classification has failed, or waits
-- for the answers of others (the actions after it are done before they come)
local function fire(job, rule)
  -- kept in this call only, for who previews it
  job.triggered = job.triggered or {}
  table.insert(job.triggered, { "rule", rule.id, "policy", queues.load(job.queue).exception })
  job_events.exception_triggered(job, rule.id)
  local goes_on = true
  for _, action in ipairs(rule.actions) do
    goes_on = ACTIONS[action.kind](job, action)
    if not goes_on then
      break
    end
  end
  spend(job, rule)
  return goes_on and not job.asked
end

-- one rule of one policy, as a line
local function name_of(queue, rule)
  return texts.json(queue.exception) .. "\t" .. texts.json(rule.id)
end

-- ---- the length of a queue ----------------------------------------------------------------------------------------

-- the first rule that the length of a queue meets, of those that have not fired on this way in
local function next_length_rule(job, queue, fired)
  local rules = exception_rules.of_queue(queue)
  if not rules or not rules.length[1] then
    return nil
  end
  -- one that leaves the queue for another still stands in its order
  local length = redis.call("ZCARD", keys.queue_order(queue.id)) - (job.in_queue == queue.id and 1 or 0)
  for _, rule in ipairs(rules.length) do
    if length < rule.threshold then
      return nil
    end
    local name = name_of(queue, rule)
    if not fired[name] then
      fired[name] = true
      return rule
    end
  end
  return nil
end

-- the rules that have fired on a way in, by name; a classification by others interrupts the way
local function way_of(job)
  local fired, count = {}, 0
  for name in texts.lines(job.way or "") do
    fired[name], count = true, count + 1
  end
  return fired, count
end

local function keep_way(job, fired)
  local names = {}
  for name in pairs(fired) do
    names[#names + 1] = name
  end
  table.sort(names, texts.before)
  jobs.set(job, "way", table.concat(names, "\n"))
end

--- What happens to a job before it joins its queue: it may be changed, classified, sent to another queue, or cancelled.
---@return boolean joins false when it was cancelled, or its classification has failed, or waits for the answers of others
function exceptions.admit(job)
  local fired, count = way_of(job)
  local before = exceptions.spent
  for _ = count + 1, limits.RULES_ON_THE_WAY do
    local rule = next_length_rule(job, queues.load(job.queue), fired)
    if not rule or exceptions.are_spent(before) then
      return true
    elseif not fire(job, rule) then
      if job.asked then
        keep_way(job, fired)
      end
      return false
    end
  end
  return true
end

-- ---- the wait in a queue --------------------------------------------------------------------------------------------

local function has_fired(job, name)
  return job.fired ~= nil and string.find("\n" .. job.fired .. "\n", "\n" .. name .. "\n", 1, true) ~= nil
end

local function entered_at(job)
  return job.entered_at or job.enqueued_at
end

--- When the next rule fires on a waiting job (epoch ms), and which; or nil.
function exceptions.next_due(job)
  local queue = queues.load(job.queue)
  local rules = exception_rules.of_queue(queue)
  for _, rule in ipairs(rules and rules.wait or {}) do
    if not has_fired(job, name_of(queue, rule)) then
      return entered_at(job) + rule.threshold, rule
    end
  end
  return nil
end

--- Puts the next rule of a waiting job on the agenda, as its queue's policy is now.
function exceptions.arm(job)
  if not job.exception_at and not queues.load(job.queue).exception then
    return
  end
  local due = exceptions.next_due(job)
  if due and due ~= job.exception_at then
    agenda.add("exception:" .. job.id, due)
  elseif not due and job.exception_at then
    agenda.remove("exception:" .. job.id)
  end
  jobs.set(job, "exception_at", due)
end

--- A job leaves its queue: no rule fires any more.
function exceptions.disarm(job)
  if job.exception_at then
    agenda.remove("exception:" .. job.id)
    jobs.set(job, "exception_at", nil)
  end
end

-- fires a rule of the wait; false when the job is not in its old stay any more
local function fire_in_queue(job, rule, queue)
  local goes_on, moved = fire(job, rule), job.queue ~= queue.id
  if job.asked and not moved then
    jobs.set(job, "stays", "1")
  end
  if not goes_on then
    return false
  end
  if rule.requeues then
    stays.enqueue(job, moved)
  end
  return not moved
end

--- A due row: a job has waited so long that a rule fires, perhaps several.
function exceptions.due(id)
  local job = jobs.load(id)
  if not job or job.status ~= "queued" then
    return
  end
  op.number()
  jobs.set(job, "exception_at", nil)
  match.touch_job(job)
  local queue = queues.load(job.queue)
  local rules = exception_rules.of_queue(queue)
  local before = exceptions.spent
  for _, rule in ipairs(rules and rules.wait or {}) do
    -- what is left of the rules is due at once again
    if entered_at(job) + rule.threshold > clock.now or exceptions.are_spent(before) then
      return
    end
    local name = name_of(queue, rule)
    if not has_fired(job, name) then
      jobs.set(job, "fired", job.fired and job.fired .. "\n" .. name or name)
      if not fire_in_queue(job, rule, queue) then
        return
      end
    end
  end
end
