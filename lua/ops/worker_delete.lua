--- Delete a worker without assignments; its open offers are revoked.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { id }
--- Replies: outcome (deleted, absent), op
--- Refuses: IN_USE (assignments)
--- Events: OfferRevoked (each), WorkerDeleted
op.write("jr_worker_delete", { id = op.TEXT }, function(given)
  -- read
  local worker = workers.load(given.id)
  if not worker then
    return { "outcome", "absent", "op", op.last }
  end
  -- check
  if worker.assigned > 0 then
    refuse.in_use("assignments")
  end
  -- write
  op.number()
  revocations.of_worker(worker, held.offers(worker))
  supply.leave(worker)
  workers.set(worker, "state", "inactive")
  agenda.remove("idle:" .. worker.id)
  worker_events.deleted(worker)
  workers.remove(worker)
  return { "outcome", "deleted", "op", op.number() }
end)
