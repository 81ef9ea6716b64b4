-- Small texts that hold several values: lists of lines, and values with their length in front (a user's id may hold anything).

--- Iterates over the lines of a text; the empty text has none.
function texts.lines(text)
  return string.gmatch(text, "[^\n]+")
end

--- The number of lines of a text.
function texts.count(text)
  local number, from = text == "" and 0 or 1, 1
  while true do
    local _, newline = string.find(text, "\n", from, true)
    if not newline then
      return number
    end
    number, from = number + 1, newline + 1
  end
end

-- lengths with their colon: making text of a number costs more than all else here
local lengths = {}

--- A value with its length in front: "5:sales".
function texts.sized(value)
  local length = #value
  local text = lengths[length]
  if not text then
    text = length .. ":"
    -- an id has at most 256 characters of at most 4 bytes
    if length <= 1024 then
      lengths[length] = text
    end
  end
  return text .. value
end

--- Reads a sized value that starts at a position.
---@return string value
---@return number next position after it
function texts.read_sized(text, from)
  local colon = string.find(text, ":", from, true)
  local size = tonumber(string.sub(text, from, colon - 1))
  return string.sub(text, colon + 1, colon + size), colon + size + 1
end

local memo = { size = 0, of = {}, most = 64 }

--- A text as JSON string.
function texts.json(value)
  return memo.of[value] or memos.put(memo, value, cjson.encode(value))
end

-- bytes but one that are compared at a time
local PIECE = 31

--- Is a before b in the order of bytes? (Lua's own < follows the server's locale.)
function texts.before(a, b)
  if a == b then
    return false
  end
  local shorter, first = math.min(#a, #b), 1
  -- what is the same is passed over in pieces
  while first + PIECE <= shorter and string.sub(a, first, first + PIECE) == string.sub(b, first, first + PIECE) do
    first = first + PIECE + 1
  end
  for i = first, shorter do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then
      return x < y
    end
  end
  return #a < #b
end

-- the digits that a kind of thing has in every id of a tenant
local kinds, kinds_root = {}, nil

local function digits_of(kind)
  if kinds_root ~= keys.root then
    kinds, kinds_root = {}, keys.root
  end
  local a, b, c = string.match(redis.sha1hex(keys.root .. "\0" .. kind), "^(........)(...)(...)")
  kinds[kind] = { first = a .. "-", second = "-4" .. b .. "-8" .. c .. "-" }
  return kinds[kind]
end

-- four hexadecimal digits of small numbers, and twelve of the last number asked for
local fours, last_number, last_twelve = {}, nil, nil

--- The GUID of the k-th thing of a kind that an op number makes: the same commands at the same times give the same one.
--- Its digits are those of a SHA-1 of tenant and kind, with k and the number in them.
---@param kind string
---@param number number op number
---@param k number
function texts.guid(kind, number, k)
  local digits = kinds_root == keys.root and kinds[kind] or digits_of(kind)
  if number ~= last_number then
    last_number, last_twelve = number, string.format("%012x", number)
  end
  local four = fours[k] or string.format("%04x", k)
  if k <= 16 then
    fours[k] = four
  end
  return digits.first .. four .. digits.second .. last_twelve
end

--- A flat reply of HGETALL as a table.
function texts.pairs(flat)
  local named = {}
  for i = 1, #flat, 2 do
    named[flat[i]] = flat[i + 1]
  end
  return named
end
