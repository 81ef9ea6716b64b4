-- What an upsert of a queue changes: its fields, its policies.

local function change_policy(queue, kind, field, id)
  local before = queue[field]
  if before == id then
    return
  end
  if before then
    redis.call("SREM", keys.policy_queues(kind, before), queue.id)
  end
  if id then
    redis.call("SADD", keys.policy_queues(kind, id), queue.id)
  end
  records.set(queue, field, id)
end

local function verify(given)
  if given.distribution == "" then
    refuse.invalid("distributionPolicyId is missing")
  end
  policies.need("distribution", given.distribution)
  if given.exception ~= "" then
    policies.need("exception", given.exception)
  end
end

--- Control fields of both operations.
function queue_changes.specification()
  return {
    id = op.TEXT,
    doc = 0,
    rev = -1,
    name = "",
    distribution = "",
    exception = "",
  }
end

--- The body of both operations.
function queue_changes.apply(given, labels)
  -- read
  local queue = queues.whole(given.id)
  -- check
  if upsert.check(queue, given) then
    return upsert.reply("exists", queue)
  end
  verify(given)
  formats.members(labels)
  -- write
  local outcome = queue and "updated" or "created"
  op.number()
  if not queue then
    queue = queues.new(given.id)
    records.set(queue, "created", op.number())
    listings.add("queues", given.id, op.number())
  end
  local before, exception = queue.distribution, queue.exception
  local mode = before and queues.plan(given.id).mode
  upsert.count(queue)
  change_policy(queue, "distribution", "distribution", given.distribution)
  change_policy(queue, "exception", "exception", given.exception ~= "" and given.exception or nil)
  records.set(queue, "name", given.name ~= "" and given.name or nil)
  records.set(queue, "labels", labels ~= "" and labels or nil)
  label_sets.join(queue, labels or "")
  local reply = upsert.reply(outcome, queue)
  records.save(queue)
  if before ~= given.distribution then
    queues.change_mode(given.id, mode, queues.plan(given.id).mode)
  end
  if before and (before ~= queue.distribution or exception ~= queue.exception) then
    review.start(given.id)
  end
  return reply
end
