-- Label indexes: which supply classes, and which label sets of queues, have a label value. A sorted set in the order of bytes; a
-- member is label key, NUL, value with its type in front, NUL, class. So the classes that a selector may fit stand side by side.
--
-- It may give a class too many (long texts are cut off, and other queues' classes stand here too), never one too few.

-- an IEEE double as hex digits whose order is that of the numbers
local function ordered(number)
  -- minus zero equals zero
  local bytes = { string.byte(struct.pack(">d", number == 0 and 0 or number), 1, 8) }
  local positive = bytes[1] < 128
  for i, byte in ipairs(bytes) do
    if not positive then
      bytes[i] = 255 - byte
    elseif i == 1 then
      bytes[i] = byte + 128
    end
  end
  return string.format("%02x%02x%02x%02x%02x%02x%02x%02x", unpack(bytes))
end

-- the order of the types is that of their marks: a text, a number, false and true
local function typed(value)
  if type(value) == "string" then
    return '"' .. string.sub(value, 1, limits.INDEXED_BYTES)
  elseif type(value) == "number" then
    return "#" .. ordered(value)
  end
  return tostring(value)
end

local function members_of(class)
  local list = {}
  for key, value in pairs(class.labels) do
    list[#list + 1] = key .. "\0" .. typed(value) .. "\0" .. class.hash
  end
  return list
end

--- A class has got its first member.
---@param index string its key
function label_index.enter(index, class)
  local row = {}
  for _, member in ipairs(members_of(class)) do
    row[#row + 1] = 0
    row[#row + 1] = member
  end
  portions.add(index, row)
end

--- A class has lost its last member.
function label_index.leave(index, class)
  portions.remove(index, members_of(class))
end

--- Does the index have all labels of a class?
function label_index.has(index, class)
  local list = members_of(class)
  local found = #list > 0 and redis.call("ZMSCORE", index, unpack(list)) or {}
  for i in ipairs(list) do
    if not found[i] then
      return false
    end
  end
  return true
end

-- ---- ranges ------------------------------------------------------------------------------------------------------

-- a range of no classes, for a selector that holds for nobody
local NOTHING = { count = 0 }

local ORDERED = { number = true, string = true }

-- the classes with values of the selector's type at one side of its own
local function magnitude(selector, value, start)
  local mark = string.sub(value, 1, 1)
  local operator = selector.operator
  if operator == ">" or operator == ">=" then
    return { from = "[" .. start .. value, to = "(" .. start .. string.char(string.byte(mark) + 1) }
  end
  return { from = "[" .. start .. mark, to = "(" .. start .. value .. "\1" }
end

-- where the classes stand that a selector may fit, or nil where they do not stand together
local function range_of(selector)
  local start, operator, value = selector.key .. "\0", selector.operator, selector.value
  if operator == "!=" then
    -- unequal to nothing: those that have the label
    return selector.absent and { from = "[" .. start, to = "(" .. selector.key .. "\1" } or nil
  elseif operator == "=" then
    if selector.absent then
      return nil
    elseif value == nil then
      return NOTHING
    end
    return { from = "[" .. start .. typed(value) .. "\0", to = "(" .. start .. typed(value) .. "\1" }
  elseif type(value) == "string" and string.find(value, "\0", 1, true) then
    return nil
  end
  return ORDERED[type(value)] and magnitude(selector, typed(value), start) or NOTHING
end

--- Where the fewest classes stand that may fit all selectors: from, to, count. Nil where no selector tells.
---@param list table selectors
function label_index.narrowest(index, list)
  local best
  for _, selector in ipairs(list) do
    local range = selector.key ~= '"Id"' and range_of(selector)
    if range then
      range.count = range.count or redis.call("ZLEXCOUNT", index, range.from, range.to)
      if not best or range.count < best.count then
        best = range
      end
    end
  end
  return best
end

--- Calls a function for each portion of the classes of a range.
---@param visit fun(hashes: table)
function label_index.each_portion(index, range, visit)
  local from, most = range.from, limits.INDEXED_CLASSES
  while range.count > 0 do
    local members = redis.call("ZRANGEBYLEX", index, from, range.to, "LIMIT", 0, most)
    local hashes = {}
    for i, member in ipairs(members) do
      hashes[i] = string.sub(member, -40)
    end
    visit(hashes)
    if #members < most then
      return
    end
    from = "(" .. members[most]
  end
end
