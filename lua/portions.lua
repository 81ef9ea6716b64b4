-- Commands with many arguments: Lua's stack has room for some thousands, so long lists go in portions.

local MOST = 1000

--- Calls a command on a key with the items of a list, as often as it takes.
---@param list table an even number of items where they belong together in pairs
function portions.call(command, key, list)
  for from = 1, #list, MOST do
    redis.call(command, key, unpack(list, from, math.min(from + MOST - 1, #list)))
  end
end
