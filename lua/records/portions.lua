-- Commands with many arguments: Lua's stack has room for some thousands, so long lists go in portions.

local MOST = 1000

--- Iterates over the portions of a list: the places of the first and the last item of each.
---@param list table an even number of items where they belong together in pairs
---@param first number|nil where to begin
function portions.of(list, first)
  local last = (first or 1) - 1
  return function()
    local from = last + 1
    if from > #list then
      return nil
    end
    last = math.min(last + MOST, #list)
    return from, last
  end
end

--- Calls a command on a key with the items of a list, as often as it takes.
---@param list table an even number of items where they belong together in pairs
function portions.call(command, key, list)
  for from, to in portions.of(list) do
    redis.call(command, key, unpack(list, from, to))
  end
end
