--- Create (doc = 0) or replace a queue.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { id, doc, rev, name, distribution, exception }, 3 labels
--- Replies: outcome (created, updated, exists), op, the record
--- Refuses: CHANGED, INVALID (a policy that it names does not exist), UNSUPPORTED (jobs wait in it)
--- Events: none by itself; offers may follow from another distribution policy

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

local function verify(given, queue)
  if given.distribution == "" then
    refuse.invalid("distributionPolicyId is missing")
  end
  policies.need("distribution", given.distribution)
  if given.exception ~= "" then
    policies.need("exception", given.exception)
  end
  local exception = given.exception ~= "" and given.exception or nil
  if not queue or (queue.distribution == given.distribution and queue.exception == exception) then
    return
  end
  local missing = policies.not_acting(given.distribution, exception)
  if missing and policies.has_waiting(given.id) then
    refuse.unsupported("jobs wait in queue '" .. given.id .. "': " .. missing)
  end
end

op.write("jr_queue_upsert", {
  id = op.TEXT,
  doc = 0,
  rev = -1,
  name = "",
  distribution = "",
  exception = "",
}, function(given, labels)
  -- read
  local queue = queues.whole(given.id)
  -- check
  if upsert.check(queue, given) then
    return upsert.reply("exists", queue)
  end
  verify(given, queue)
  -- write
  local outcome = queue and "updated" or "created"
  op.number()
  if not queue then
    queue = queues.new(given.id)
    records.set(queue, "created", op.number())
    listings.add("queues", given.id, op.number())
  end
  local before = queue.distribution
  local mode = before and queues.plan(given.id).mode
  upsert.count(queue)
  change_policy(queue, "distribution", "distribution", given.distribution)
  change_policy(queue, "exception", "exception", given.exception ~= "" and given.exception or nil)
  records.set(queue, "name", given.name ~= "" and given.name or nil)
  records.set(queue, "labels", labels ~= "" and labels or nil)
  local reply = upsert.reply(outcome, queue)
  records.save(queue)
  if before ~= given.distribution then
    queues.change_mode(given.id, mode, queues.plan(given.id).mode)
    if before then
      review.start(given.id)
    end
  end
  return reply
end, true)
