-- What all upserts share: the counters doc and rev, and their check against what the caller has read.

--- Checks an upsert against the stored record: doc 0 creates, anything else must be the present counter.
---@param record table|nil
---@param given table with doc and rev (-1 = any)
---@return boolean exists true when doc is 0 but the entity is there: the caller replies with it and writes nothing
function upsert.check(record, given)
  if given.doc == 0 then
    return record ~= nil
  end
  if not record then
    refuse.changed("it does not exist any more")
  end
  if tonumber(record.doc) ~= given.doc or (given.rev >= 0 and tonumber(record.rev) ~= given.rev) then
    refuse.changed("it has changed since it was read")
  end
  return false
end

--- Counts a change by the client.
function upsert.count(record)
  records.set(record, "doc", (record.doc or 0) + 1)
  records.set(record, "rev", (record.rev or 0) + 1)
  records.set(record, "modified_at", clock.now)
end

--- A reply: the outcome and the record as it stands in this call.
---@param outcome string created, updated or exists
function upsert.reply(outcome, record)
  local reply = { "outcome", outcome, "op", op.last }
  if outcome == "exists" then
    local flat = records.flat(record.key, record.id)
    for i = 1, #flat do
      reply[#reply + 1] = flat[i]
    end
    return reply
  end
  local stored = records.overlay(record, record.stored and texts.pairs(redis.call("HGETALL", record.key)) or {})
  stored.id = record.id
  for field, value in pairs(stored) do
    reply[#reply + 1] = field
    reply[#reply + 1] = value
  end
  return reply
end
