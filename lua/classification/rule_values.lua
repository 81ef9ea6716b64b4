-- Rules that are answered here, or were answered by others: a value, the job's labels, an expression over them.

-- the value of a rule; nil and the reason when it has none
local function value_of(rule, labels)
  if rule.kind == "expression" then
    return expressions.evaluate(rule.text, { job = document.members(labels) })
  elseif rule.kind == "value" then
    return document.value(rule.text)
  elseif rule.kind == "failed" then
    return nil, rule.text
  end
  return nil
end

--- The number that a rule gives; nil and the reason when it gives none.
---@param labels string the job's
function rule_values.number(rule, labels)
  local value, reason = value_of(rule, labels)
  if type(value) ~= "number" then
    return nil, reason or "the rule does not give a number"
  end
  return value
end

--- Does a rule give true? Labels are true when there are any. nil and the reason when it fails.
---@param labels string the job's
function rule_values.holds(rule, labels)
  if rule.kind == "labels" then
    return labels ~= ""
  end
  local value, reason = value_of(rule, labels)
  if reason then
    return nil, reason
  end
  return value == true
end

--- The selectors that a rule gives: one for each label, none for a blank. nil and the reason when it gives something else.
---@param labels string the job's
---@return table|nil lines
function rule_values.selectors(rule, labels)
  local value, reason
  if rule.kind == "labels" then
    local lines = {}
    for key, text in document.each(labels) do
      lines[#lines + 1] = key .. "\t=\t" .. text .. "\t\t0\t"
    end
    return lines
  elseif rule.kind == "selectors" then
    return { rule.text }
  elseif rule.kind == "expression" or rule.kind == "failed" then
    value, reason = value_of(rule, labels)
    if value == nil and not reason then
      return {}
    end
  end
  return nil, reason or "the rule does not give a list of selectors"
end
