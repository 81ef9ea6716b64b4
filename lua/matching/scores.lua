-- Scores of workers for a job, and which is better.
--
-- A scorer is { key, sees_id, score }. `score(labels, id)` gives the score of a worker, or nil when it has none, and a number
-- that tells equal scores apart; the id is given only when it sees ids. Scorers of one key give the same scores, so that a
-- ranking may be remembered under it.

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

-- the mean over the job's labels and active selectors, and the sum of raw distances
local function default_score(asked, active, labels, id)
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

-- the active selectors as text, and whether one asks for an Id that has not to hold
local function shown(job, active)
  local cores, asks_id = {}, false
  for i, selector in ipairs(active) do
    cores[i] = selector.core
    asks_id = asks_id or (job.bypass == "1" and selector.key == '"Id"')
  end
  return table.concat(cores, "\n"), asks_id
end

--- The default: how well a worker's labels answer the job's labels and active selectors.
function scores.default(job)
  local active = job_selectors.active(job)
  local asked = document.members(job.labels or "")
  local text, asks_id = shown(job, active)
  return {
    key = (job.labels or "") .. "\0" .. text,
    sees_id = asks_id or asked['"Id"'] ~= nil,
    score = function(labels, id)
      return default_score(asked, active, labels, id)
    end,
  }
end

--- All workers score the same.
scores.EQUAL = {
  key = "equal",
  sees_id = false,
  score = function()
    return 0, 0
  end,
}

--- Is a better than b? Nil when they are equal. What has no score comes last in either order.
---@param a table score (nil = none), raw
function scores.better(a, b, descending)
  if not a.score or not b.score then
    if a.score == b.score then
      return nil
    end
    return a.score ~= nil
  elseif a.score ~= b.score then
    return (a.score > b.score) == descending
  elseif a.raw ~= b.raw then
    return (a.raw > b.raw) == descending
  end
  return nil
end
