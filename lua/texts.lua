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

local memo = { size = 0, of = {} }

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

-- the two top bits of a GUID's variant are fixed
local VARIANT = {
  ["0"] = "8",
  ["1"] = "9",
  ["2"] = "a",
  ["3"] = "b",
  ["4"] = "8",
  ["5"] = "9",
  ["6"] = "a",
  ["7"] = "b",
  ["8"] = "8",
  ["9"] = "9",
  a = "a",
  b = "b",
  c = "8",
  d = "9",
  e = "a",
  f = "b",
}

--- A GUID made of a text: the same text gives the same GUID.
function texts.guid(text)
  local a, b, c, variant, d, e =
    string.match(redis.sha1hex(text), "^(........)(....).(...)(.)(...)(............)")
  return a .. "-" .. b .. "-4" .. c .. "-" .. VARIANT[variant] .. d .. "-" .. e
end

--- A flat reply of HGETALL as a table.
function texts.pairs(flat)
  local table = {}
  for i = 1, #flat, 2 do
    table[flat[i]] = flat[i + 1]
  end
  return table
end
