-- The user's JSON as text, one member a line: `"key":value`, with commas at the ends of all lines but the last. So it stands in a
-- JSON object as it is, and nothing is ever re-encoded; values are decoded to be compared.

local memo = { size = 0, of = {} }

local COMMA = 44

--- One JSON scalar as a Lua value; nil for null and for what cannot be compared (objects, lists).
---@param text string canonical JSON
function document.value(text)
  local first = string.sub(text, 1, 1)
  if first == '"' then
    if not string.find(text, "\\", 1, true) then
      return string.sub(text, 2, -2)
    end
    return cjson.decode("[" .. text .. "]")[1]
  elseif text == "true" then
    return true
  elseif text == "false" then
    return false
  elseif first == "{" or first == "[" or text == "null" or text == "" then
    return nil
  end
  return tonumber(text)
end

-- a member's key ends at the first quote that no backslash escapes
local function split(line)
  local from = 2
  while true do
    local quote = string.find(line, '"', from, true)
    local slashes = 0
    while string.sub(line, quote - 1 - slashes, quote - 1 - slashes) == "\\" do
      slashes = slashes + 1
    end
    if slashes % 2 == 0 then
      return string.sub(line, 1, quote), string.sub(line, quote + 2)
    end
    from = quote + 1
  end
end

--- Iterates over the members of a document as lines without the commas between them.
function document.lines(text)
  local next_line = texts.lines(text)
  return function()
    local line = next_line()
    -- the comma is no part of the value: no scalar ends with one
    return line and string.byte(line, -1) == COMMA and string.sub(line, 1, -2) or line
  end
end

--- A document of lines without commas.
function document.of_lines(lines)
  return table.concat(lines, ",\n")
end

--- Iterates over the members of a document, in its order: key text (with its quotes) and value text.
---@param text string
function document.each(text)
  local next_line = document.lines(text)
  return function()
    local line = next_line()
    if line then
      return split(line)
    end
    return nil
  end
end

--- The value text of one member, or nil.
---@param key string its key text, with its quotes
function document.text_of(text, key)
  -- a line that begins with the key is its member: no JSON string holds a newline
  local _, colon = string.find("\n" .. text, "\n" .. key .. ":", 1, true)
  if not colon then
    return nil
  end
  local newline = string.find(text, "\n", colon, true)
  -- before the newline stands a comma
  return string.sub(text, colon, newline and newline - 2)
end

--- The members of a document: key text (with its quotes) to value.
---@param text string
---@return table
function document.members(text)
  local members = memo.of[text]
  if members then
    return members
  end
  members = {}
  for key, value in document.each(text) do
    members[key] = document.value(value)
  end
  return memos.put(memo, text, members)
end

-- the lines of a document, their keys (texts), and the place of each
local function keyed_lines(text)
  local lines, names, places = {}, {}, {}
  for line in document.lines(text) do
    local key = split(line)
    lines[#lines + 1], names[#names + 1], places[key] = line, key, #lines + 1
  end
  return lines, names, places
end

--- A document with the members of another laid over its own, both in the order of their keys. It gets no new member that would be
--- one more than `most`: of those, the first go before.
---@param most number
function document.merged(text, more, most)
  local lines, names, places = keyed_lines(text)
  local laid, laid_names = keyed_lines(more)
  local merged, at, room = {}, 1, most - #lines
  for i, line in ipairs(laid) do
    local own = places[laid_names[i]]
    if own then
      lines[own] = line
    end
  end
  for i, line in ipairs(laid) do
    if room > 0 and not places[laid_names[i]] then
      local key = document.value(laid_names[i])
      while lines[at] and texts.before(document.value(names[at]), key) do
        merged[#merged + 1], at = lines[at], at + 1
      end
      merged[#merged + 1], room = line, room - 1
    end
  end
  for rest = at, #lines do
    merged[#merged + 1] = lines[rest]
  end
  return document.of_lines(merged)
end

--- A document as one JSON object; `id`, a JSON text, is shown as the automatic label Id when it is given.
---@param text string
---@param id string|nil
function document.object(text, id)
  if id then
    return "{" .. text .. (text == "" and '"Id":' or ',"Id":') .. id .. "}"
  end
  return "{" .. text .. "}"
end
