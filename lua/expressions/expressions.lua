-- Rule expressions: a tree that was compiled when its policy was written becomes closures, once; pure. A closure takes the labels
-- of job, worker and queue and gives a value: a number, a text, a boolean or nil (blank). There are no loops: the size of a tree
-- bounds its steps.

local MANY = 1000
local memo = { size = 0, of = {} }
-- bytes of a tree's text for which it takes one place in the memo: closures of large trees take much memory
local PLACE = 256

-- the value of a closure; nil and the reason when the expression fails
local function attempt(run, given)
  local worked, value = pcall(run, given)
  if worked then
    return value
  elseif type(value) ~= "table" or not value.reason then
    error(value, 0)
  end
  return nil, value.reason
end

-- ---- operators and functions that do not need all their operands -------------------------------------------------------------

-- condition, result, …, and perhaps a result at the end
local function choose(operands)
  local count = #operands
  return function(given)
    for i = 1, count - 1, 2 do
      if coercions.truth(operands[i](given)) then
        return operands[i + 1](given)
      end
    end
    if count % 2 == 1 then
      return operands[count](given)
    end
    return nil
  end
end

-- value, case, result, …, and perhaps a result at the end
local function switch(operands)
  local count = #operands
  return function(given)
    local value = operands[1](given)
    for i = 2, count - 1, 2 do
      if operands[i](given) == value then
        return operands[i + 1](given)
      end
    end
    if count % 2 == 0 then
      return operands[count](given)
    end
    return nil
  end
end

-- value, replacement, …, and perhaps a result at the end; without it the last value is the result
local function replace_errors(operands)
  local count = #operands
  return function(given)
    local value, reason
    for i = 1, count - 1, 2 do
      value, reason = attempt(operands[i], given)
      if reason then
        return operands[i + 1](given)
      end
    end
    if count % 2 == 1 then
      return operands[count](given)
    end
    return value
  end
end

-- the first that is neither blank nor empty
local function coalesce(operands)
  return function(given)
    for i = 1, #operands do
      local value = operands[i](given)
      if value ~= nil and value ~= "" then
        return value
      end
    end
    return nil
  end
end

local function all(operands)
  return function(given)
    for i = 1, #operands do
      if not coercions.truth(operands[i](given)) then
        return false
      end
    end
    return true
  end
end

local function any(operands)
  return function(given)
    for i = 1, #operands do
      if coercions.truth(operands[i](given)) then
        return true
      end
    end
    return false
  end
end

-- ---- operators and functions of any number of operands -----------------------------------------------------------------------

local function join(operands)
  return function(given)
    local parts = {}
    for i = 1, #operands do
      parts[i] = coercions.text(operands[i](given))
    end
    local joined = table.concat(parts)
    coercions.spend(#joined)
    return joined
  end
end

local function add(operands)
  return function(given)
    local sum = coercions.number(operands[1](given))
    for i = 2, #operands do
      sum = coercions.finite(sum + coercions.number(operands[i](given)))
    end
    return sum
  end
end

local function multiply(operands)
  return function(given)
    local product = coercions.number(operands[1](given))
    for i = 2, #operands do
      product = coercions.finite(product * coercions.number(operands[i](given)))
    end
    return product
  end
end

-- a function of those operands that are not blank: their fold and their number, 0 with a fold of nil when there are none
local function aggregate(operands, fold, finish)
  return function(given)
    local result, count
    count = 0
    for i = 1, #operands do
      local value = coercions.number_or_blank(operands[i](given))
      if value then
        result = result and fold(result, value) or value
        count = count + 1
      end
    end
    return finish(result, count)
  end
end

local function plus(a, b)
  return coercions.finite(a + b)
end

local function itself(result)
  return result
end

local function mean(sum, count)
  if count == 0 then
    coercions.fail("division by zero")
  end
  return sum / count
end

local function sum_of(operands)
  return aggregate(operands, plus, itself)
end

local function mean_of(operands)
  return aggregate(operands, plus, mean)
end

local function greatest_of(operands)
  return aggregate(operands, math.max, itself)
end

local function least_of(operands)
  return aggregate(operands, math.min, itself)
end

-- name → least and most number of operands, and the maker of its closure
local FORMS = {
  ["&"] = { 2, MANY, join },
  ["+"] = { 2, MANY, add },
  ["*"] = { 2, MANY, multiply },
  And = { 1, MANY, all },
  Average = { 1, MANY, mean_of },
  Coalesce = { 1, MANY, coalesce },
  If = { 2, MANY, choose },
  IfError = { 2, MANY, replace_errors },
  Max = { 1, MANY, greatest_of },
  Min = { 1, MANY, least_of },
  Or = { 1, MANY, any },
  Sum = { 1, MANY, sum_of },
  Switch = { 3, MANY, switch },
}

-- ---- from tree to closures ---------------------------------------------------------------------------------------------------

local RECORDS = { job = true, worker = true, queue = true }

local function literal(value)
  return function()
    return value
  end
end

local function label(record, key)
  return function(given)
    local labels = given[record]
    return labels and labels[key]
  end
end

-- a function of the values of up to three operands
local function applied(run, operands)
  local a, b, c = operands[1], operands[2], operands[3]
  if c then
    return function(given)
      return run(a(given), b(given), c(given))
    end
  elseif b then
    return function(given)
      return run(a(given), b(given))
    end
  elseif a then
    return function(given)
      return run(a(given))
    end
  end
  return run
end

-- nil for what is not a tree
local function build(node)
  local kind = type(node)
  if kind == "number" or kind == "string" or kind == "boolean" then
    return literal(node)
  elseif kind ~= "table" then
    return nil
  elseif node[1] == "." then
    return #node == 3 and RECORDS[node[2]] and type(node[3]) == "string" and label(node[2], node[3]) or nil
  end
  local form = FORMS[node[1]]
  local rule = form or formulas.ALL[node[1]]
  local count = #node - 1
  if not rule or count < rule[1] or count > rule[2] then
    return nil
  end
  local operands = {}
  for i = 1, count do
    operands[i] = build(node[i + 1])
    if not operands[i] then
      return nil
    end
  end
  return form and form[3](operands) or applied(rule[3], operands)
end

local function compile(text)
  -- in a list, since cjson reads nothing else
  local decoded, list = pcall(cjson.decode, "[" .. text .. "]")
  return decoded and #list == 1 and build(list[1]) or nil
end

--- Is a text the tree of an expression?
---@param text string
function expressions.is_tree(text)
  return (memo.of[text] or compile(text)) ~= nil
end

--- Evaluates an expression.
---@param text string its tree, as is_tree accepts it
---@param given table labels of job, worker and queue: key text to value, as document.members gives them; each may be absent
---@return number|string|boolean|nil value nil for blank
---@return string|nil reason why it has no value, when it fails
function expressions.evaluate(text, given)
  local run = memo.of[text] or memos.put(memo, text, compile(text), math.ceil(#text / PLACE))
  coercions.begin()
  return attempt(run, given)
end
