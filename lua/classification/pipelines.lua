-- What classification policies find, as Python cuts it: a JSON text { priority, workers, queues }.
--
-- priority is a rule: { kind, text }; text of a function or webhook is for the workers, who ask it. workers and queues are
-- attachments: { kind: "always", selectors }, { kind: "when", rule, selectors }, { kind: "label", key, operator, seconds },
-- { kind: "answer", rule } or { kind: "draw", shares: [{ weight, selectors }] }. Documents are texts inside of texts, so that
-- nothing of the user's is decoded here.

local REMOTE = { ["function"] = true, webhook = true }

-- ---- what comes in ----------------------------------------------------------------------------------------------

local function expect(holds)
  if not holds then
    refuse.bad_call("pipeline is { priority, workers, queues }, with rules and attachments of known kinds")
  end
end

local function check_members(given, members)
  expect(type(given) == "table")
  for name, value in pairs(given) do
    expect(type(value) == members[name])
    expect(type(value) ~= "string" or not string.find(value, "\0", 1, true))
  end
end

local RULE = { kind = "string", text = "string" }

local function check_rule(rule)
  check_members(rule, RULE)
  if rule.kind == "value" then
    expect(rule.text and rule.text ~= "" and formats.is_value(rule.text))
  elseif rule.kind == "expression" then
    expect(rule.text and expressions.is_tree(rule.text))
  else
    expect(rule.kind == "labels" or (REMOTE[rule.kind] and rule.text))
  end
end

local function check_selectors(text)
  expect(type(text) == "string")
  formats.selectors(text)
end

local CHECKS = {
  always = function(attachment)
    check_selectors(attachment.selectors)
  end,
  when = function(attachment)
    check_rule(attachment.rule)
    check_selectors(attachment.selectors)
  end,
  label = function(attachment)
    expect(attachment.key and attachment.operator)
    check_selectors(attachments.line(attachment, "0"))
  end,
  answer = function(attachment)
    check_rule(attachment.rule)
  end,
  draw = function(attachment)
    expect(attachment.shares and #attachment.shares > 0)
    for _, share in pairs(attachment.shares) do
      check_members(share, { weight = "number", selectors = "string" })
      expect(share.weight and share.weight > 0 and share.weight <= limits.WEIGHT)
      check_selectors(share.selectors)
    end
  end,
}

local ATTACHMENT = {
  kind = "string",
  rule = "table",
  selectors = "string",
  key = "string",
  operator = "string",
  seconds = "string",
  shares = "table",
}

local function check_attachments(list)
  for place, attachment in pairs(list or {}) do
    expect(type(place) == "number")
    check_members(attachment, ATTACHMENT)
    expect(CHECKS[attachment.kind])
    CHECKS[attachment.kind](attachment)
  end
end

--- Refuses what is not a pipeline (empty = nothing to find).
---@param text string|nil
function pipelines.check(text)
  if not text or text == "" then
    return
  end
  local decoded, given = pcall(cjson.decode, text)
  expect(decoded)
  check_members(given, { priority = "table", workers = "table", queues = "table" })
  if given.priority then
    check_rule(given.priority)
  end
  check_attachments(given.workers)
  check_attachments(given.queues)
end

-- ---- what is stored ---------------------------------------------------------------------------------------------

local memo = { size = 0, of = {}, most = 64 }

-- is any rule answered by others, and are any shares drawn?
local function looked_at(pipeline)
  local remote, drawn = pipeline.priority and REMOTE[pipeline.priority.kind], false
  for _, list in ipairs({ pipeline.workers, pipeline.queues }) do
    for _, attachment in ipairs(list) do
      remote = remote or attachment.rule and REMOTE[attachment.rule.kind]
      drawn = drawn or attachment.kind == "draw"
    end
  end
  return remote or false, drawn
end

local function parse(text)
  local pipeline = text == "" and {} or cjson.decode(text)
  pipeline.workers, pipeline.queues = pipeline.workers or {}, pipeline.queues or {}
  local remote, drawn = looked_at(pipeline)
  pipeline.remote = remote
  pipeline.given = not remote and not drawn and { size = 0, of = {}, most = 64 } or nil
  return pipeline
end

-- ---- what others have answered ----------------------------------------------------------------------------------

local ANSWER = { kind = "string", text = "string" }

local function check_answer(answer)
  check_members(answer, ANSWER)
  expect(answer.text)
  if answer.kind == "value" then
    expect(formats.is_value(answer.text))
  elseif answer.kind == "selectors" then
    check_selectors(answer.text)
  else
    expect(answer.kind == "failed")
  end
end

--- Answers by the places of their rules. Refuses what is none.
---@param text string
function pipelines.answers(text)
  local decoded, given = pcall(cjson.decode, text or "")
  expect(decoded and type(given) == "table")
  for _, answer in pairs(given) do
    check_answer(answer)
  end
  return given
end

local function answered_list(list, name, answers)
  local answered = {}
  for i, attachment in ipairs(list) do
    local rule = attachment.rule and pipelines.answered_rule(attachment.rule, name .. "." .. (i - 1), answers)
    answered[i] = rule == attachment.rule and attachment
      or { kind = attachment.kind, selectors = attachment.selectors, rule = rule }
  end
  return answered
end

--- A rule, or in its place what others have answered: a value, selectors, or that it has failed.
---@param place string priority, worker.<n>, queue.<n>
function pipelines.answered_rule(rule, place, answers)
  if not REMOTE[rule.kind] then
    return rule
  end
  return answers[place] or { kind = "failed", text = "the rule was not answered" }
end

--- A pipeline with answers in place of the rules that others answer.
function pipelines.answered(pipeline, answers)
  return {
    priority = pipeline.priority and pipelines.answered_rule(pipeline.priority, "priority", answers),
    workers = answered_list(pipeline.workers, "worker", answers),
    queues = answered_list(pipeline.queues, "queue", answers),
  }
end

--- The places of the rules that others answer.
function pipelines.remote_places(pipeline)
  local places = {}
  if pipeline.priority and REMOTE[pipeline.priority.kind] then
    places[1] = "priority"
  end
  for _, name in ipairs({ "worker", "queue" }) do
    for i, attachment in ipairs(pipeline[name .. "s"]) do
      if attachment.rule and REMOTE[attachment.rule.kind] then
        places[#places + 1] = name .. "." .. (i - 1)
      end
    end
  end
  return places
end

-- ---- all of it by its text --------------------------------------------------------------------------------------

--- A pipeline by its text: priority, workers, queues, and remote: are any answered by others? Where nothing but the labels of a
--- job decides what its rules give, also given: a memo of that.
---@param text string
function pipelines.of_text(text)
  return memo.of[text] or memos.put(memo, text, parse(text))
end
