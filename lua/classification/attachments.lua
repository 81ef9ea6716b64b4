-- The selectors that a classification policy attaches to a job.

--- A selector of an attachment's key and operator, with a value.
---@param value string JSON text
function attachments.line(attachment, value)
  return attachment.key .. "\t" .. attachment.operator .. "\t" .. value .. "\t" .. (attachment.seconds or "") .. "\t0\t"
end

local ATTACH = {
  always = function(attachment)
    return { attachment.selectors }
  end,
  when = function(attachment, labels)
    local holds, reason = rule_values.holds(attachment.rule, labels)
    if reason then
      return nil, reason
    end
    return holds and { attachment.selectors } or {}
  end,
  label = function(attachment, labels)
    local value = document.text_of(labels, attachment.key)
    return value and { attachments.line(attachment, value) } or {}
  end,
  answer = function(attachment, labels)
    return rule_values.selectors(attachment.rule, labels)
  end,
  -- weights need not sum to 1
  draw = function(attachment, _, draw)
    local total = 0
    for _, share in ipairs(attachment.shares) do
      total = total + share.weight
    end
    local at, sum = draw() * total, 0
    for _, share in ipairs(attachment.shares) do
      sum = sum + share.weight
      if at < sum then
        return { share.selectors }
      end
    end
    return { attachment.shares[#attachment.shares].selectors }
  end,
}

local TOO_MANY = "more than " .. limits.SELECTORS .. " selectors are attached"

--- All selectors that attachments give, in their order; one that gives too many fails as a rule does.
---@param list table attachments
---@param labels string the job's
---@param draw fun(): number the next random number, from 0 to below 1
---@return string|nil lines nil when a rule fails
---@return string|nil reason why it does
---@return number|nil place of the attachment with that rule, from 0
function attachments.selectors(list, labels, draw)
  local found, count = {}, 0
  for place, attachment in ipairs(list) do
    local lines, reason = ATTACH[attachment.kind](attachment, labels, draw)
    if not lines then
      return nil, reason, place - 1
    end
    for _, line in ipairs(lines) do
      if line ~= "" then
        found[#found + 1] = line
        count = count + texts.count(line)
      end
    end
    if count > limits.SELECTORS then
      return nil, TOO_MANY, place - 1
    end
  end
  return table.concat(found, "\n")
end
