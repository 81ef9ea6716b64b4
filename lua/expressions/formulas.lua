-- The operators and functions of expressions whose operands are all evaluated first.

-- -1, 0 or 1: numbers with numbers, blank being 0, and texts with texts by code point; nil for anything else
local function order(a, b)
  if a == nil then
    a = 0
  end
  if b == nil then
    b = 0
  end
  if type(a) == "number" and type(b) == "number" then
    return a < b and -1 or a > b and 1 or 0
  elseif type(a) == "string" and type(b) == "string" then
    coercions.spend(math.min(#a, #b))
    return a == b and 0 or texts.before(a, b) and -1 or 1
  end
  return nil
end

local function equal(a, b)
  return a == b
end

local function unequal(a, b)
  return a ~= b
end

local function less(a, b)
  return order(a, b) == -1
end

local function less_or_equal(a, b)
  local found = order(a, b)
  return found == -1 or found == 0
end

local function greater(a, b)
  return order(a, b) == 1
end

local function greater_or_equal(a, b)
  local found = order(a, b)
  return found == 1 or found == 0
end

local function negate(a)
  return -coercions.number(a)
end

local function percent(a)
  return coercions.number(a) / 100
end

local function divide(a, b)
  a, b = coercions.number(a), coercions.number(b)
  if b == 0 then
    coercions.fail("division by zero")
  end
  return coercions.finite(a / b)
end

local function power(base, exponent)
  base, exponent = coercions.number(base), coercions.number(exponent)
  if base == 0 and exponent < 0 then
    coercions.fail("division by zero")
  elseif base < 0 and exponent ~= math.floor(exponent) then
    coercions.fail("a root of a negative number")
  end
  return coercions.finite(base ^ exponent)
end

-- with the sign of the divisor
local function modulo(a, b)
  a, b = coercions.number(a), coercions.number(b)
  if b == 0 then
    coercions.fail("division by zero")
  end
  local rest = math.fmod(a, b)
  return (rest < 0) ~= (b < 0) and rest ~= 0 and rest + b or rest
end

-- ---- rounding ----------------------------------------------------------------------------------------------------------------

-- digits before the point up to which a unit is a number: the largest has one more
local LARGEST_UNIT = 308

local function nearest(value, unit)
  -- what binary fractions lack must not turn a half down
  return math.floor((value + 1 / (2 * unit) + 1 / (unit * 1e12)) * unit)
end

local function below(value, unit)
  return math.floor(value * unit)
end

local function above(value, unit)
  return math.ceil(value * unit)
end

-- rounds a number, without its sign, by a function of it and of how often its last digit goes into 1
local function rounded(value, digits, round)
  value, digits = coercions.number(value), coercions.whole(digits)
  if value == 0 or digits > 15 or (digits >= 0 and math.abs(value) > 1e20) then
    return value
  elseif digits < -LARGEST_UNIT then
    -- half of such a unit is above all numbers
    return coercions.finite(round == above and math.huge or 0)
  end
  local unit = 10 ^ digits
  local result = coercions.finite(round(math.abs(value), unit) / unit)
  return value < 0 and -result or result
end

local function round(value, digits)
  return rounded(value, digits, nearest)
end

local function round_down(value, digits)
  return rounded(value, digits, below)
end

local function round_up(value, digits)
  return rounded(value, digits, above)
end

local function integer(value)
  return math.floor(coercions.number(value))
end

local function absolute(value)
  return math.abs(coercions.number(value))
end

-- ---- texts -------------------------------------------------------------------------------------------------------------------

local function contains_exactly(part, all)
  part, all = coercions.text(part), coercions.text(all)
  coercions.spend(math.floor(#all * #part / 64))
  return string.find(all, part, 1, true) ~= nil
end

local function lower(value)
  return letters.lower(coercions.text(value))
end

local function upper(value)
  return letters.upper(coercions.text(value))
end

local function contains(part, all)
  return contains_exactly(lower(part), lower(all))
end

local function starts_with(all, part)
  all, part = lower(all), lower(part)
  return string.sub(all, 1, #part) == part
end

local function ends_with(all, part)
  all, part = lower(all), lower(part)
  return #part <= #all and string.sub(all, #all - #part + 1) == part
end

local function length(value)
  return letters.count(coercions.text(value))
end

-- a number of characters
local function size(value)
  local count = coercions.whole(value)
  if count < 0 then
    coercions.fail("a number of characters is negative")
  end
  return count
end

local function left(value, count)
  return letters.slice(coercions.text(value), 1, size(count))
end

local function right(value, count)
  value, count = coercions.text(value), size(count)
  local all = letters.count(value)
  return letters.slice(value, math.max(all - count, 0) + 1, count)
end

-- without a count, all the rest; a blank count is 0
local function middle(value, from, ...)
  value, from = coercions.text(value), coercions.whole(from)
  if from < 1 then
    coercions.fail("a position in a text is less than 1")
  end
  return letters.slice(value, from, select("#", ...) == 0 and #value or size((...)))
end

-- without white space at both ends; rows of blanks and tabs inside become one blank
local function trim(value)
  local inner = string.gsub(coercions.text(value), "[ \t]+", " ")
  local from = string.find(inner, "[^ \n-\r]")
  return from and string.match(inner, "^.*[^ \n-\r]", from) or ""
end

-- ---- kinds of values ---------------------------------------------------------------------------------------------------------

local function blank()
  return nil
end

local function is_blank(value)
  return value == nil or value == ""
end

local function is_numeric(value)
  return type(value) == "number" or type(value) == "string" and numerals.parse(value) ~= nil
end

local function as_text(value)
  if value == nil then
    return nil
  end
  return coercions.text(value)
end

local function as_number(value)
  return coercions.number_or_blank(value)
end

local function as_boolean(value)
  return coercions.boolean_or_blank(value)
end

local function negation(value)
  return not coercions.truth(value)
end

--- Name → least and most number of operands, and what it makes of their values.
formulas.ALL = {
  ["="] = { 2, 2, equal },
  ["<>"] = { 2, 2, unequal },
  ["<"] = { 2, 2, less },
  ["<="] = { 2, 2, less_or_equal },
  [">"] = { 2, 2, greater },
  [">="] = { 2, 2, greater_or_equal },
  ["-"] = { 1, 1, negate },
  ["%"] = { 1, 1, percent },
  ["/"] = { 2, 2, divide },
  ["^"] = { 2, 2, power },
  ["in"] = { 2, 2, contains },
  exactin = { 2, 2, contains_exactly },
  Abs = { 1, 1, absolute },
  Blank = { 0, 0, blank },
  Boolean = { 1, 1, as_boolean },
  EndsWith = { 2, 2, ends_with },
  Int = { 1, 1, integer },
  IsBlank = { 1, 1, is_blank },
  IsNumeric = { 1, 1, is_numeric },
  Left = { 2, 2, left },
  Len = { 1, 1, length },
  Lower = { 1, 1, lower },
  Mid = { 2, 3, middle },
  Mod = { 2, 2, modulo },
  Not = { 1, 1, negation },
  Right = { 2, 2, right },
  Round = { 2, 2, round },
  RoundDown = { 2, 2, round_down },
  RoundUp = { 2, 2, round_up },
  StartsWith = { 2, 2, starts_with },
  Text = { 1, 1, as_text },
  Trim = { 1, 1, trim },
  Upper = { 1, 1, upper },
  Value = { 1, 1, as_number },
}
