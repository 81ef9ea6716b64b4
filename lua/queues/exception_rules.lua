-- The rules of exception policies, as Python cuts them: a JSON list of { id, trigger, threshold, actions }.
--
-- A trigger is "length" (jobs in the queue) or "wait" (ms in the queue). An action is { kind: "cancel", note, disposition },
-- { kind: "change", queue, priority, selectors } or { kind: "classify", classification, labels }. What is left out stays as it
-- is; documents are texts inside of texts, so that nothing of the user's is decoded here.

local TRIGGERS = { length = true, wait = true }

local ACTIONS = {
  cancel = { kind = "string", note = "string", disposition = "string" },
  change = { kind = "string", queue = "string", priority = "number", selectors = "string" },
  classify = { kind = "string", classification = "string", labels = "string" },
}

-- ---- what comes in ----------------------------------------------------------------------------------------------

local function expect(holds)
  if not holds then
    refuse.bad_call("rules are a list of { id, trigger, threshold, actions }")
  end
end

local function is_integer(value)
  return type(value) == "number" and value == math.floor(value)
end

local function check_action(action)
  expect(type(action) == "table")
  local members = ACTIONS[action.kind]
  expect(members)
  for name, value in pairs(action) do
    expect(members[name] == type(value))
    expect(type(value) ~= "string" or not string.find(value, "\0", 1, true))
  end
  local priority = action.priority or 1
  expect(is_integer(priority) and priority >= -100 and priority <= 100)
  formats.note(action.note)
  formats.selectors(action.selectors)
  formats.members(action.labels)
end

--- Refuses what is not a list of rules (empty = none).
---@param text string|nil
function exception_rules.check(text)
  if not text or text == "" then
    return
  end
  local decoded, list = pcall(cjson.decode, text)
  expect(decoded and type(list) == "table")
  for key, rule in pairs(list) do
    expect(type(key) == "number" and type(rule) == "table")
    expect(type(rule.id) == "string" and TRIGGERS[rule.trigger] and type(rule.actions) == "table")
    expect(is_integer(rule.threshold) and rule.threshold >= 1 and #rule.actions <= limits.ACTIONS)
    for place, action in pairs(rule.actions) do
      expect(type(place) == "number")
      check_action(action)
    end
  end
end

-- ---- what is stored ---------------------------------------------------------------------------------------------

local memo = { size = 0, of = {}, most = 64 }

local function by_threshold(a, b)
  if a.threshold ~= b.threshold then
    return a.threshold < b.threshold
  end
  return a.place < b.place
end

local function parse(text)
  local rules = { length = {}, wait = {} }
  for place, rule in ipairs(cjson.decode(text)) do
    rule.place = place
    for _, action in ipairs(rule.actions) do
      -- a rule that changes a job sends it to its queue again
      rule.requeues = rule.requeues or action.kind ~= "cancel"
    end
    table.insert(rules[rule.trigger], rule)
  end
  table.sort(rules.length, by_threshold)
  table.sort(rules.wait, by_threshold)
  return rules
end

--- Rules by their trigger, each list in the order in which its rules fire: by threshold, then as they stand in the policy.
---@param text string not empty
---@return table rules length, wait
function exception_rules.of_text(text)
  return memo.of[text] or memos.put(memo, text, parse(text))
end

--- The rules of a policy, or nil when it has none.
function exception_rules.of_policy(id)
  local text = redis.call("HGET", keys.policy("exception", id), "rules")
  return text and exception_rules.of_text(text) or nil
end

--- The rules of a queue's policy, or nil when there are none; read once a call.
---@param queue table
function exception_rules.of_queue(queue)
  if not queue.exception then
    return nil
  end
  if queue.rules == nil then
    queue.rules = exception_rules.of_policy(queue.exception) or false
  end
  return queue.rules or nil
end
