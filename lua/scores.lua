-- The default score of a worker for a job: how well its labels answer the job's labels and active selectors.

local function logistic(x)
  return 1 / (1 + math.exp(-x))
end

-- what one selector adds to a score, and its raw distance
local function distance(selector, actual)
  local operator = selector.operator
  if operator == "=" or operator == "!=" then
    return selectors.OPERATORS[operator](actual, selector) and 1 or 0, 0
  end
  if type(actual) ~= "number" or type(selector.value) ~= "number" then
    return 0, 0
  end
  local divisor = selector.value == 0 and 1 or math.abs(selector.value)
  local x = (actual - selector.value) / divisor
  if operator == "<" or operator == "<=" then
    x = (selector.value - actual) / divisor
  end
  return logistic(x), x
end

--- The default score of labels for a job: the mean over its labels and active selectors, and the sum of raw distances.
function scores.of(asked, active, labels, id)
  local sum, raw, n = 0, 0, 0
  for key, value in pairs(asked) do
    local actual = labels[key]
    if key == '"Id"' then
      actual = id
    end
    n = n + 1
    if actual ~= nil and actual == value then
      sum = sum + 1
    end
  end
  for _, selector in ipairs(active) do
    local actual = labels[selector.key]
    if selector.key == '"Id"' then
      actual = id
    end
    local part, x = distance(selector, actual)
    n, sum, raw = n + 1, sum + part, raw + x
  end
  return n > 0 and sum / n or 0, raw
end
