-- Texts as characters (UTF-8 code points), and upper and lower case of the alphabets whose letters take two bytes.

-- capital letters: first, last, step, and how far the small letter is. ASCII is done by string.lower and string.upper.
local ALPHABETS = {
  { 0xC0, 0xD6, 1, 32 }, -- Latin-1
  { 0xD8, 0xDE, 1, 32 },
  { 0x100, 0x12E, 2, 1 }, -- Latin Extended-A
  { 0x132, 0x136, 2, 1 },
  { 0x139, 0x147, 2, 1 },
  { 0x14A, 0x176, 2, 1 },
  { 0x178, 0x178, 1, -121 },
  { 0x179, 0x17D, 2, 1 },
  { 0x386, 0x386, 1, 38 }, -- Greek
  { 0x388, 0x38A, 1, 37 },
  { 0x38C, 0x38C, 1, 64 },
  { 0x38E, 0x38F, 1, 63 },
  { 0x391, 0x3A1, 1, 32 },
  { 0x3A3, 0x3AB, 1, 32 },
  { 0x400, 0x40F, 1, 80 }, -- Cyrillic
  { 0x410, 0x42F, 1, 32 },
  { 0x460, 0x480, 2, 1 },
  { 0x48A, 0x4BE, 2, 1 },
  { 0x4C0, 0x4C0, 1, 15 },
  { 0x4C1, 0x4CD, 2, 1 },
  { 0x4D0, 0x52E, 2, 1 },
  { 0x531, 0x556, 1, 48 }, -- Armenian
}

local cases

local function two_bytes(code)
  return string.char(192 + math.floor(code / 64), 128 + code % 64)
end

-- made when it is first needed: nothing runs while the library loads
local function learn()
  cases = { small = {}, capital = {} }
  for _, alphabet in ipairs(ALPHABETS) do
    for code = alphabet[1], alphabet[2], alphabet[3] do
      local capital, small = two_bytes(code), two_bytes(code + alphabet[4])
      cases.small[capital], cases.capital[small] = small, capital
    end
  end
  cases.capital[two_bytes(0x3C2)] = two_bytes(0x3A3) -- the sigma at the end of a word
  return cases
end

local function is_ascii(text)
  return not string.find(text, "[\128-\255]")
end

-- a text whose ASCII letters are converted already; case: small or capital
local function convert(text, case)
  if is_ascii(text) then
    return text
  end
  return (string.gsub(text, "[\195-\214][\128-\191]", (cases or learn())[case]))
end

--- A text in small letters.
function letters.lower(text)
  return convert(string.lower(text), "small")
end

--- A text in capital letters.
function letters.upper(text)
  return convert(string.upper(text), "capital")
end

--- The number of characters.
function letters.count(text)
  if is_ascii(text) then
    return #text
  end
  local _, count = string.gsub(text, "[^\128-\191]", "")
  return count
end

-- the byte at which the n-th character begins; one behind the end when there are fewer
local function start_of(text, n)
  local at = 1
  for _ = 2, n do
    at = string.find(text, "[^\128-\191]", at + 1)
    if not at then
      return #text + 1
    end
  end
  return at
end

--- A part of a text.
---@param from number its first character, from 1
---@param count number of characters, at least 0
function letters.slice(text, from, count)
  from, count = math.min(from, #text + 1), math.min(count, #text)
  if is_ascii(text) then
    return string.sub(text, from, from + count - 1)
  end
  return string.sub(text, start_of(text, from), start_of(text, from + count) - 1)
end
