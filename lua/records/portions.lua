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

--- Puts members into a sorted set, or moves them.
---@param rows table score, member, score, member, …
function portions.add(key, rows)
  for from, to in portions.of(rows) do
    redis.call("ZADD", key, unpack(rows, from, to))
  end
end

--- Takes members out of a sorted set.
function portions.remove(key, members)
  for from, to in portions.of(members) do
    redis.call("ZREM", key, unpack(members, from, to))
  end
end
