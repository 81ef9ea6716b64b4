-- The forms of documents: what comes in is checked before anything is written, since nothing is decoded and encoded anew.

-- most texts are seen at a glance; the others are decoded to be sure
local function is_text(value)
  if string.find(value, '^"[^"\\%c]*"$') then
    return true
  end
  local decoded, list = pcall(cjson.decode, "[" .. value .. "]")
  return decoded and #list == 1 and type(list[1]) == "string" and string.sub(value, 1, 1) == '"'
end

local QUOTE = 34

local SCALARS = { string = true, number = true, boolean = true }

-- as many members as lines, each of a scalar; the commas stand at the ends of the lines
local function is_document(text)
  local decoded, object = pcall(cjson.decode, document.object(text))
  if not decoded then
    return false
  end
  local members = 0
  for _, member in pairs(object) do
    members = members + 1
    if not SCALARS[type(member)] then
      return false
    end
  end
  -- found by plain search: a pattern looks at each character
  local from = 1
  while from do
    members = members - 1
    if string.byte(text, from) ~= QUOTE then
      return false
    end
    local _, newline = string.find(text, "\n", from, true)
    from = newline and newline + 1
  end
  return members == 0
end

--- Refuses a document that is not members a line, each of a scalar.
function formats.members(text)
  -- a single plain member is seen at a glance
  if text and text ~= "" and not string.find(text, '^"[^"\\%c]*":"[^"\\%c]*"$') and not is_document(text) then
    refuse.bad_call(
      'a document is one member a line, "key":value, of a string, number or boolean, with commas between the lines'
    )
  end
end

--- Refuses lines that are not JSON strings.
function formats.strings(text)
  for line in texts.lines(text or "") do
    if not is_text(line) then
      refuse.bad_call("queues are JSON strings, one a line")
    end
  end
end

--- Refuses a note that is not a JSON string (empty = none).
function formats.note(text)
  if text and text ~= "" and not is_text(text) then
    refuse.bad_call("a note is a JSON string")
  end
end

--- Refuses lines that are not channels.
function formats.channels(text)
  for line in texts.lines(text or "") do
    local id, most = string.match(line, "^([^\t]*)\t%d+\t(%d*)$")
    if not id or not is_text(id) or tonumber(most) == 0 then
      refuse.bad_call("a channel is: id as JSON string, cost, maximum above 0 or nothing, with tabs between")
    end
  end
end

--- Refuses lines that are not notes.
function formats.notes(text)
  for line in texts.lines(text or "") do
    local message = string.match(line, "^(.*)\t%d*$")
    if not message or not is_text(message) then
      refuse.bad_call("a note is: message as JSON string, tab, epoch ms or nothing")
    end
  end
end

--- Is a text JSON of one value? (empty = absent)
function formats.is_value(text)
  if text == "" or string.find(text, '^"[^"\\%c]*"$') then
    return true
  end
  local decoded, list = pcall(cjson.decode, "[" .. text .. "]")
  return decoded and #list <= 1
end

local function is_selector(line)
  local key, operator, value, seconds, expedite, added =
    string.match(line, "^([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t([01])\t(%d*)$")
  return key
    and is_text(key)
    and selectors.OPERATORS[operator]
    and formats.is_value(value)
    and (seconds == "" or string.find(seconds, "^%d") and tonumber(seconds))
    and added
    and expedite
end

--- Refuses lines that are not selectors.
function formats.selectors(text)
  for line in texts.lines(text or "") do
    if not is_selector(line) then
      refuse.bad_call("a selector is: key, operator, value, seconds, expedite (0 or 1), added; with tabs between")
    end
  end
end
