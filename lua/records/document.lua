-- The user's JSON as text, one member a line: `"key":value`. Nothing is ever re-encoded; values are decoded to be compared.

local memo = { size = 0, of = {} }

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

--- Iterates over the members of a document, in its order: key text (with its quotes) and value text.
---@param text string
function document.each(text)
  local next_line = texts.lines(text)
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
  return string.sub(text, colon, newline and newline - 1)
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

--- A document with the members of another laid over its own.
function document.merged(text, more)
  local lines, order = {}, {}
  for _, part in ipairs({ text, more }) do
    for key, value in document.each(part) do
      if not lines[key] then
        order[#order + 1] = key
      end
      lines[key] = key .. ":" .. value
    end
  end
  table.sort(order, function(a, b)
    return texts.before(document.value(a), document.value(b))
  end)
  for i, key in ipairs(order) do
    order[i] = lines[key]
  end
  return table.concat(order, "\n")
end

-- the same few documents of workers are shown again and again
local joined = { size = 0, of = {}, most = 64 }

-- commas for newlines: a few finds cost a fraction of a pattern that is tried at every byte
local function on_one_line(text)
  local newline = string.find(text, "\n", 1, true)
  if not newline then
    return text
  end
  if joined.of[text] then
    return joined.of[text]
  end
  local parts, n, from = {}, 0, 1
  while newline do
    n = n + 1
    parts[n] = string.sub(text, from, newline - 1)
    from = newline + 1
    newline = string.find(text, "\n", from, true)
  end
  parts[n + 1] = string.sub(text, from)
  return memos.put(joined, text, table.concat(parts, ","))
end

--- A document as one JSON object; `id`, when given, is shown as the automatic label Id.
---@param text string
---@param id string|nil
function document.object(text, id)
  if id then
    return "{" .. on_one_line(text) .. (text == "" and '"Id":' or ',"Id":') .. texts.json(id) .. "}"
  end
  return text == "" and "{}" or "{" .. on_one_line(text) .. "}"
end
