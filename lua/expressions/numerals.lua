-- Numbers as people write them: "1,234.5", "12 %", "$ 3", "(5)" for minus five. And as texts again.

local BLANKS = "[^ \t-\r]"

-- what stands before the digits, each at most once, and no sign with parentheses
local function take_prefix(text, marks)
  local at = string.find(text, BLANKS)
  while at do
    local mark = string.sub(text, at, at)
    if (mark == "+" or mark == "-") and not marks.sign and not marks.open then
      marks.sign = mark
    elseif mark == "(" and not marks.sign and not marks.open then
      marks.open = true
    elseif (mark == "%" or mark == "$") and not marks.unit then
      marks.unit = mark
    else
      return at
    end
    at = string.find(text, BLANKS, at + 1)
  end
end

-- what stands behind the digits; false when it may not
local function take_suffix(text, at, marks)
  at = string.find(text, BLANKS, at)
  while at do
    local mark = string.sub(text, at, at)
    if mark == ")" and marks.open and not marks.closed then
      marks.closed = true
    elseif mark == "%" and not marks.unit then
      marks.unit = mark
    else
      return false
    end
    at = string.find(text, BLANKS, at + 1)
  end
  return marks.open == marks.closed
end

local function parse_marked(text)
  local marks = {}
  local from = take_prefix(text, marks)
  if not from then
    return nil
  end
  local digits, rest = string.match(text, "^(%d[%d,]*%.?%d*)()", from)
  if not digits then
    digits, rest = string.match(text, "^(%.%d+)()", from)
  end
  if not digits then
    return nil
  end
  local exponent, behind = string.match(text, "^([eE][+-]?%d+)()", rest)
  if not take_suffix(text, behind or rest, marks) then
    return nil
  end
  local number = tonumber((string.gsub(digits, ",", "")) .. (exponent or ""))
  if marks.unit == "%" then
    number = number / 100
  end
  return (marks.sign == "-" or marks.open) and -number or number
end

--- The number that a text tells, or nil.
---@param text string
---@return number|nil
function numerals.parse(text)
  if #text > limits.NUMERAL then
    return nil
  end
  local number = string.find(text, "^%-?%d+$") and tonumber(text) or parse_marked(text)
  return number and number - number == 0 and number or nil
end

--- A number as the shortest text that tells it; from 2^53 on, and below 0.0001, with an exponent.
---@param number number
function numerals.format(number)
  if number == math.floor(number) and math.abs(number) < 2 ^ 53 then
    return number == 0 and "0" or string.format("%.0f", number)
  end
  local text = string.format("%.15G", number)
  if tonumber(text) ~= number then
    text = string.format("%.16G", number)
  end
  return tonumber(text) == number and text or string.format("%.17G", number)
end
