-- Values of expressions: a number, a text, a boolean or nil (blank); how one becomes another, and how an expression fails.

local allowance

--- Starts an evaluation.
function coercions.begin()
  allowance = limits.EXPRESSION_TEXT
end

--- The error of an expression, which IfError catches; any other error is a mistake of ours.
function coercions.fail(reason)
  error({ reason = reason })
end

--- Accounts for work on texts, in bytes. An expression has no loops: what else it does is bounded by its size.
function coercions.spend(bytes)
  allowance = allowance - bytes
  if allowance < 0 then
    coercions.fail("it works on more text than one evaluation may")
  end
end

--- A value as number; blank and the empty text are nil.
---@return number|nil
function coercions.number_or_blank(value)
  local kind = type(value)
  if kind == "number" then
    return value
  elseif value == nil or value == "" then
    return nil
  elseif kind == "boolean" then
    return value and 1 or 0
  end
  coercions.spend(#value)
  return numerals.parse(value) or coercions.fail("a text that is not a number is used as one")
end

--- A value as number; blank is 0.
---@return number
function coercions.number(value)
  if type(value) == "number" then
    return value
  end
  return coercions.number_or_blank(value) or 0
end

--- A value as number without its fraction.
---@return number
function coercions.whole(value)
  local number = coercions.number(value)
  return number < 0 and math.ceil(number) or math.floor(number)
end

--- A value as text; blank is empty.
---@return string
function coercions.text(value)
  if type(value) == "string" then
    coercions.spend(#value)
    return value
  elseif type(value) == "number" then
    return numerals.format(value)
  elseif type(value) == "boolean" then
    return value and "true" or "false"
  end
  return ""
end

--- A value as boolean; blank and the empty text are nil.
---@return boolean|nil
function coercions.boolean_or_blank(value)
  if type(value) == "boolean" then
    return value
  elseif value == nil or value == "" then
    return nil
  elseif type(value) == "number" then
    return value ~= 0
  end
  coercions.spend(#value)
  local word = string.lower(value)
  if word ~= "true" and word ~= "false" then
    coercions.fail("a text that is neither true nor false is used as a condition")
  end
  return word == "true"
end

--- A value as boolean; blank is false.
---@return boolean
function coercions.truth(value)
  if type(value) == "boolean" then
    return value
  end
  return coercions.boolean_or_blank(value) or false
end

--- What a computation gives: fails when it is infinite or undefined.
---@param number number
---@return number
function coercions.finite(number)
  if number - number ~= 0 then
    coercions.fail("a number becomes too large")
  end
  return number
end
