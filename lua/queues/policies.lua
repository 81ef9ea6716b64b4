-- The records of classification, distribution and exception policies.

--- Words for the kinds.
policies.KINDS = { classification = true, distribution = true, exception = true }

local NUMERIC = { doc = true, rev = true, created = true, active = true }

--- Refuses a word that is no kind.
function policies.check_kind(kind)
  if not policies.KINDS[kind] then
    refuse.bad_call("kind must be classification, distribution or exception")
  end
end

--- The policy of this kind and id, or nil.
function policies.load(kind, id)
  policies.check_kind(kind)
  return records.load(keys.policy(kind, id), id, NUMERIC)
end

--- A reply with the credentials of the policy's rules added: only for a merge, which must not lose them.
---@param reply table flat name-value list
function policies.with_secret(reply, kind, id)
  reply[#reply + 1] = "secret"
  reply[#reply + 1] = policies.secret(kind, id)
  return reply
end

--- Refuses when a policy that is named does not exist.
function policies.need(kind, id)
  if redis.call("EXISTS", keys.policy(kind, id)) == 0 then
    refuse.invalid(kind .. " policy '" .. id .. "' does not exist")
  end
end

--- What a classification policy finds: text, fallback queue, doc (its revision); nil when there is no such policy.
function policies.pipeline(id)
  local row = redis.call("HMGET", keys.policy("classification", id), "doc", "pipeline", "fallback")
  return row[1] and { text = row[2] or "", fallback = row[3] or nil, doc = tonumber(row[1]) } or nil
end

--- The credentials of a policy's rules, for whoever calls them; empty when there are none.
function policies.secret(kind, id)
  return redis.call("GET", keys.secret(kind, id)) or ""
end

--- Has a classification policy attachments of queues?
---@param policy table its record
function policies.asks_for_queues(policy)
  return #pipelines.of_text(policy.pipeline or "").queues > 0
end

--- Counts the active jobs of a classification policy (the guard of its deletion).
---@param id string|nil nil when the job has none
function policies.count_active(id, by)
  if id and not rehearsals.on then
    redis.call("HINCRBY", keys.policy("classification", id), "active", by)
  end
end
