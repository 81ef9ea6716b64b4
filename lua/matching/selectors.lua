-- Selectors against labels; pure. A selector is a line: key, operator, value, seconds, expedite, added, with tabs between.

local memo = { size = 0, of = {} }

local function parse(line)
  local key, operator, value, seconds, expedite, added =
    string.match(line, "^([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)$")
  return {
    key = key,
    operator = operator,
    text = value,
    value = document.value(value),
    absent = value == "" or value == "null",
    seconds = seconds,
    lasts = seconds ~= "" and math.floor(tonumber(seconds) * 1000 + 0.5) or nil,
    expedite = expedite == "1",
    added = tonumber(added),
    core = key .. "\t" .. operator .. "\t" .. value,
    line = line,
  }
end

--- The selectors of a text, in its order.
---@param text string lines
function selectors.list(text)
  local list = memo.of[text]
  if list then
    return list
  end
  list = {}
  for line in texts.lines(text) do
    list[#list + 1] = parse(line)
  end
  return memos.put(memo, text, list)
end

--- The selectors of a signature (their cores only).
---@param signature string
function selectors.of_signature(signature)
  local list = memo.of[signature]
  if list then
    return list
  end
  list = {}
  for core in texts.lines(signature) do
    list[#list + 1] = parse(core .. "\t\t\t")
  end
  return memos.put(memo, signature, list)
end

--- When a selector runs out: epoch ms, or nil when it does not or its clock has not started.
---@param started number|nil the job's enqueue time
function selectors.expires_at(selector, started)
  local start = selector.added or started
  return selector.lasts and start and start + selector.lasts or nil
end

--- Is it active for a job whose selectors are counted as expired up to a time?
---@param expired_to number selectors that run out at or before it are expired
function selectors.is_active(selector, started, expired_to)
  local expires = selectors.expires_at(selector, started)
  return not expires or expires > expired_to
end

local HOLDS = {
  ["="] = function(actual, selector)
    if selector.absent then
      return actual == nil
    end
    return actual ~= nil and actual == selector.value
  end,
  ["!="] = function(actual, selector)
    if selector.absent then
      return actual ~= nil
    end
    return actual == nil or actual ~= selector.value
  end,
}

-- magnitude compares numbers with numbers and texts with texts (by code point); nothing else
local function order(actual, value)
  if type(actual) ~= type(value) then
    return nil
  end
  if type(actual) == "number" then
    return actual < value and -1 or actual > value and 1 or actual == value and 0 or nil
  elseif type(actual) == "string" then
    return actual == value and 0 or texts.before(actual, value) and -1 or 1
  end
  return nil
end

HOLDS["<"] = function(actual, selector)
  return order(actual, selector.value) == -1
end
HOLDS["<="] = function(actual, selector)
  local found = order(actual, selector.value)
  return found == -1 or found == 0
end
HOLDS[">"] = function(actual, selector)
  return order(actual, selector.value) == 1
end
HOLDS[">="] = function(actual, selector)
  local found = order(actual, selector.value)
  return found == 1 or found == 0
end

--- The six operators.
selectors.OPERATORS = HOLDS

--- Does one selector hold on a worker?
---@param labels table of its class
---@param id string
function selectors.holds(selector, labels, id)
  local actual = selector.key == '"Id"' and id or labels[selector.key]
  return HOLDS[selector.operator](actual, selector)
end

--- Do all selectors but those on Id hold? (what all workers of a class have in common)
function selectors.class_fits(list, labels)
  for _, selector in ipairs(list) do
    if selector.key ~= '"Id"' and not HOLDS[selector.operator](labels[selector.key], selector) then
      return false
    end
  end
  return true
end

--- Do all selectors on Id hold?
function selectors.id_fits(list, id)
  for _, selector in ipairs(list) do
    if selector.key == '"Id"' and not HOLDS[selector.operator](id, selector) then
      return false
    end
  end
  return true
end

--- The same selector with the time at which it was added.
function selectors.stamped(selector, added)
  return string.match(selector.line, "^(.*\t)[^\t]*$") .. (added or "")
end
