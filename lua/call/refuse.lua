-- Refusals: an error reply "CODE text", raised before the first write, so that nothing has changed.

local function raise(code, text)
  error({ err = code .. " " .. text })
end

--- Is what pcall has caught a fault of Lua's, and no error of a command or refusal?
function refuse.is_fault(failure)
  return type(failure) == "string" and string.find(failure, "^@?user_function:") ~= nil
end

--- Raises anew what pcall has caught; servers give errors of commands to it as mere text.
function refuse.rethrow(failure)
  if type(failure) == "string" and not refuse.is_fault(failure) then
    failure = { err = failure }
  end
  error(failure, 0)
end

--- Malformed arguments: a bug of the client, or a slip in a call by hand.
function refuse.bad_call(text)
  raise("BAD_CALL", text)
end

--- The entity, offer or assignment does not exist.
function refuse.not_found(text)
  raise("NOT_FOUND", text)
end

--- The entity is in the wrong state for this.
function refuse.conflict(text)
  raise("CONFLICT", text)
end

--- The entity is not the one the caller has read: read again, merge, retry.
function refuse.changed(text)
  raise("CHANGED", text)
end

--- The request names something that does not exist or does not fit.
function refuse.invalid(text)
  raise("INVALID", text)
end

--- Another worker has taken the job.
function refuse.taken(text)
  raise("TAKEN", text)
end

--- Something still uses what is to be deleted.
---@param uses string words: what uses it
function refuse.in_use(uses)
  raise("IN_USE", uses)
end

--- A documented limit is reached.
function refuse.limit(text)
  raise("LIMIT", text)
end

--- The stored data is newer than this library.
function refuse.version(text)
  raise("VERSION", text)
end
