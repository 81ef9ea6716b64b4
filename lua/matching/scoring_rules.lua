-- The scoring rule of a distribution policy, as Python cuts it: how workers are scored where it is not done by default.
--
-- { kind: "equal" } gives all workers of a queue the same score. { kind: "expression", tree, labels, own_id } gives the value of
-- an expression over the labels of a worker and those labels of the job that are listed; own_id says that it reads the worker's
-- Id. { kind: "function" or "webhook", text, job, selectors, batch } is answered by others: `text` says whom to ask (never a
-- secret), `job` and `selectors` whether they are told the job's labels and active selectors, `batch` about how many workers they
-- are asked at a time (0 = about each alone).

-- what those have that others answer
local REMOTE = { text = "string", job = "boolean", selectors = "boolean", batch = "number" }

-- what each kind has beside its name
local MEMBERS = {
  equal = {},
  expression = { tree = "string", labels = "table", own_id = "boolean" },
  ["function"] = REMOTE,
  webhook = REMOTE,
}

-- ---- what comes in ----------------------------------------------------------------------------------------------

local function expect(holds)
  if not holds then
    refuse.bad_call(
      "a scoring rule is { kind: equal }, { kind: expression, tree, labels, own_id } or "
        .. "{ kind: function or webhook, text, job, selectors, batch }"
    )
  end
end

local function decode(text)
  local decoded, rule = pcall(cjson.decode, text)
  expect(decoded and type(rule) == "table")
  return rule
end

local function check_labels(list)
  for place, key in pairs(list) do
    expect(type(place) == "number" and type(key) == "string")
  end
end

--- Refuses what is not a scoring rule (empty = none).
---@param text string
function scoring_rules.check(text)
  if text == "" then
    return
  end
  local rule = decode(text)
  local members = MEMBERS[rule.kind]
  expect(members)
  for name, value in pairs(rule) do
    expect(name == "kind" or members[name] == type(value))
  end
  if rule.kind == "expression" then
    expect(rule.tree and expressions.is_tree(rule.tree))
    check_labels(rule.labels or {})
  end
  expect((rule.batch or 0) >= 0 and (rule.batch or 0) % 1 == 0)
end

--- The kind of a rule that was checked; "default" when there is none.
---@param text string
function scoring_rules.kind(text)
  return text == "" and "default" or cjson.decode(text).kind
end

-- ---- what is stored ---------------------------------------------------------------------------------------------

local memo = { size = 0, of = {}, most = 64 }

--- The rule of a distribution policy by the SHA-1 of its text: it is read only where it is not remembered.
function scoring_rules.get(distribution, hash)
  local text = not memo.of[hash] and redis.call("HGET", keys.policy("distribution", distribution), "rules")
  return memo.of[hash] or memos.put(memo, hash, cjson.decode(text))
end

-- the labels of a job that an expression sees, and the same as text
local function seen(rule, job)
  local members, labels, parts = document.members(job.labels or ""), {}, {}
  for i, key in ipairs(rule.labels or {}) do
    local value = members[key]
    labels[key] = value
    local shown = type(value) == "number" and string.format("%.17g", value) or tostring(value)
    parts[i] = type(value) .. texts.sized(shown)
  end
  return labels, table.concat(parts)
end

-- gives labels with the id of their worker; a copy is made once for all workers of a class
local function with_id()
  local of, copy
  return function(labels, id)
    if labels ~= of then
      of, copy = labels, {}
      for key, value in pairs(labels) do
        copy[key] = value
      end
    end
    copy['"Id"'] = id
    return copy
  end
end

--- How workers are scored by an expression (see scores). One that fails or gives no number gives no score.
---@param rule table of kind expression
---@param hash string the SHA-1 of its text
function scoring_rules.scorer(rule, hash, job)
  local job_labels, shown = seen(rule, job)
  local given, own = { job = job_labels }, with_id()
  return {
    key = hash .. shown,
    sees_id = rule.own_id,
    score = function(labels, id)
      given.worker = id and own(labels, id) or labels
      local value = expressions.evaluate(rule.tree, given)
      -- neither infinite nor undefined
      local is_score = type(value) == "number" and value - value == 0
      return is_score and value or nil, 0
    end,
  }
end
