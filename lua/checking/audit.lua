-- What checks have in common: problems are told in sentences and gathered, indexes are read as they are stored.

local problems

--- Starts a check.
function audit.begin()
  problems = {}
end

--- Notes a problem unless something holds.
---@param holds any
---@param ... any the words of the problem
function audit.expect(holds, ...)
  if not holds then
    problems[#problems + 1] = table.concat({ ... }, " ")
  end
end

--- The problems that were found since the start.
function audit.problems()
  return problems
end

--- The score of a member of a sorted set, or nil.
function audit.score(key, member)
  return tonumber(redis.call("ZSCORE", key, member) or nil)
end

--- The least score of a sorted set, or nil.
function audit.head(key)
  return tonumber(redis.call("ZRANGE", key, 0, 0, "WITHSCORES")[2])
end

--- When a row of the agenda is due, or nil.
function audit.due(row)
  return audit.score(keys.agenda(), row)
end
