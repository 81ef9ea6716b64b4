--- Delete a queue that nothing uses.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { id }
--- Replies: outcome (deleted, absent), op
--- Refuses: IN_USE (jobs: unfinished jobs; fallback: of a classification policy; workers: one lists it)
--- Events: none
op.write("jr_queue_delete", { id = op.TEXT }, function(given)
  -- read
  local queue = queues.whole(given.id)
  if not queue then
    return { "outcome", "absent", "op", op.last }
  end
  -- check
  local uses = {}
  if (queue.active or 0) > 0 then
    uses[#uses + 1] = "jobs"
  end
  if (queue.fallbacks or 0) > 0 then
    uses[#uses + 1] = "fallback"
  end
  if redis.call("EXISTS", keys.queue_workers(given.id)) == 1 then
    uses[#uses + 1] = "workers"
  end
  if #uses > 0 then
    refuse.in_use(table.concat(uses, " "))
  end
  -- write
  op.number()
  queues.change_mode(given.id, queues.plan(given.id).mode, "")
  redis.call("SREM", keys.policy_queues("distribution", queue.distribution), given.id)
  if queue.exception then
    redis.call("SREM", keys.policy_queues("exception", queue.exception), given.id)
  end
  label_sets.leave(queue)
  closures.forget(given.id)
  redis.call("DEL", queue.key, keys.queue_supply(given.id))
  agenda.remove("review:" .. given.id)
  listings.remove("queues", given.id)
  queues.forget(given.id)
  return { "outcome", "deleted", "op", op.number() }
end)
