-- Newest-first sets of the entities of a kind and of a queue; other filters are tested row by row, a bounded number a call.

--- Adds an entity to a listing.
---@param kind string
---@param created number the op number of its creation
function listings.add(kind, id, created)
  redis.call("ZADD", keys.listing(kind), created, id)
end

--- Takes an entity out of a listing.
function listings.remove(kind, id)
  redis.call("ZREM", keys.listing(kind), id)
end

-- bytes of a row as a flat list; other rows are short
local function bytes_of(row)
  local bytes = 0
  for _, value in ipairs(row or {}) do
    bytes = bytes + (type(value) == "string" and #value or 0)
  end
  return bytes
end

--- One page, newest first. A page may be short, even empty, while more is to come.
---@param key string the listing's key
---@param cursor number created number after which to go on; 0 = from the newest
---@param limit number rows wanted
---@param show fun(id: string): table|nil the row, or nil when the filter leaves it out
---@return table reply next (0 on the last page) and rows
function listings.page(key, cursor, limit, show)
  if limit < 1 or limit > 1000 then
    refuse.bad_call("limit must be between 1 and 1000")
  end
  local from = cursor > 0 and "(" .. cursor or "+inf"
  local rows, looked, bytes, last = {}, 0, 0, nil
  while true do
    local chunk = redis.call("ZREVRANGEBYSCORE", key, from, "-inf", "WITHSCORES", "LIMIT", 0, 100)
    for i = 1, #chunk, 2 do
      if #rows == limit or looked == limits.LISTED_ROWS or bytes >= limits.LISTED_BYTES then
        return { "next", last, "rows", rows }
      end
      local row = show(chunk[i])
      rows[#rows + 1] = row
      bytes = bytes + bytes_of(row)
      looked, last = looked + 1, tonumber(chunk[i + 1])
    end
    if #chunk < 200 then
      return { "next", 0, "rows", rows }
    end
    from = "(" .. last
  end
end
