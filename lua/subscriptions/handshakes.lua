-- The handshake: before an endpoint gets events it has to agree, so that nobody is sent what he has not asked for.
--
-- A worker asks it (task `validate:<subscription>`). It agrees in its answer, or later by a code that it was sent, until the row
-- `validation:<subscription>` of the agenda is due. `target` says what it has to agree to and `agreed` what it has agreed to:
-- hashes of its URL and of the kind of handshake, so that only a change of these asks anew.

local function task_of(id)
  return "validate:" .. id
end

local function row_of(id)
  return "validation:" .. id
end

--- Asks the endpoint, anew if it is being asked already.
---@param code string with which it may agree by itself
---@param origin string URL under which it reaches this router
function handshakes.begin(subscription, code, origin)
  local id = subscription.id
  subscriptions.stop(subscription, "validating")
  records.set(subscription, "asked", op.number())
  records.set(subscription, "origin", origin)
  records.set(subscription, "last_error", nil)
  redis.call("SET", keys.secret("validation", id), code)
  tasks.add(task_of(id))
  agenda.remove(row_of(id))
  agenda.add(row_of(id), clock.now + limits.HANDSHAKE_MS)
end

--- Asks no more.
function handshakes.stop(subscription)
  local id = subscription.id
  if subscription.status ~= "validating" then
    return
  end
  records.set(subscription, "asked", nil)
  redis.call("DEL", keys.secret("validation", id))
  tasks.remove(task_of(id))
  agenda.remove(row_of(id))
end

local function agree(subscription)
  op.number()
  handshakes.stop(subscription)
  records.set(subscription, "agreed", subscription.target)
  records.set(subscription, "last_error", nil)
  subscriptions.deliver(subscription)
  records.save(subscription)
end

--- What a worker asks, as flat list; nil when there is nothing to ask.
function handshakes.question(id)
  local subscription = subscriptions.load(id)
  if not subscription or not subscription.asked then
    return nil
  end
  return {
    "asked",
    subscription.asked,
    "revision",
    subscription.doc,
    "subscription",
    id,
    "document",
    subscription.document,
    "origin",
    subscription.origin,
    "code",
    redis.call("GET", keys.secret("validation", id)),
    "secret",
    subscriptions.secret(id),
  }
end

--- The answer from its text, `agreed`, `later` (it may agree by the code), or `failed` and why. Refuses what is none.
function handshakes.read(text)
  local outcome, reason = string.match(text .. "\n", "^(%l+)\n(.*)$")
  if outcome ~= "agreed" and outcome ~= "later" and outcome ~= "failed" then
    refuse.bad_call("the answer to a handshake is agreed, later or failed")
  end
  return { outcome = outcome, reason = string.match(reason, "^[^\n]*") }
end

--- Does what an answer means.
---@param given table asked: as it was leased
---@return boolean done false when the question is outdated
function handshakes.answer(id, given, answer)
  local subscription = subscriptions.load(id)
  if not subscription or subscription.asked ~= given.asked then
    return false
  end
  if answer.outcome == "agreed" then
    agree(subscription)
    return true
  end
  op.number()
  if answer.outcome == "later" then
    tasks.remove(task_of(id))
    records.set(subscription, "last_error", nil)
  else
    tasks.put_off(task_of(id), limits.HANDSHAKE_PAUSE_MS)
    records.set(subscription, "last_error", answer.reason)
    records.set(subscription, "last_error_at", clock.now)
  end
  records.save(subscription)
  return true
end

--- The endpoint, or a person for it, agrees by the code that it was sent. Refuses a code that is none, or not any more.
function handshakes.check(subscription, id, code)
  local wanted = redis.call("GET", keys.secret("validation", id))
  -- hashes, so that the time of the comparison tells nothing
  if not subscription or not wanted or redis.sha1hex(wanted) ~= redis.sha1hex(code) then
    refuse.not_found("This code is not valid, or not any more.")
  end
end

--- The same, once it is checked.
function handshakes.confirm(subscription)
  agree(subscription)
end

--- The time to agree is over.
function handshakes.due(id)
  local subscription = subscriptions.load(id)
  if not subscription then
    return
  end
  op.number()
  handshakes.stop(subscription)
  subscriptions.stop(subscription, "refused")
  if not subscription.last_error then
    records.set(subscription, "last_error", "the endpoint has not agreed in time")
    records.set(subscription, "last_error_at", clock.now)
  end
  records.save(subscription)
end
