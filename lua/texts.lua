-- Small texts that hold several values: lists of lines, and values with their length in front (a user's id may hold anything).

--- Iterates over the lines of a text; the empty text has none.
function texts.lines(text)
  return string.gmatch(text, "[^\n]+")
end

--- A value with its length in front: "5:sales".
function texts.sized(value)
  return #value .. ":" .. value
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

--- Is a before b in the order of bytes? (Lua's own < follows the server's locale.)
function texts.before(a, b)
  local shorter = math.min(#a, #b)
  for i = 1, shorter do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then
      return x < y
    end
  end
  return #a < #b
end

local prefixes = { size = 0, of = {} }

local function guid_parts(name)
  local a, b, c = string.match(redis.sha1hex(name), "^(........)(...)(...)")
  return memos.put(prefixes, name, { first = a .. "-%04x-4" .. b .. "-8" .. c .. "-%012x" })
end

--- The GUID of the k-th thing of a kind that an op number makes: the same commands at the same times give the same one.
--- Its digits are those of a SHA-1 of tenant and kind, with k and the number in them.
---@param kind string
---@param number number op number
---@param k number
function texts.guid(kind, number, k)
  local name = keys.root .. "\0" .. kind
  local parts = prefixes.of[name] or guid_parts(name)
  return string.format(parts.first, k, number)
end

--- A flat reply of HGETALL as a table.
function texts.pairs(flat)
  local table = {}
  for i = 1, #flat, 2 do
    table[flat[i]] = flat[i + 1]
  end
  return table
end
