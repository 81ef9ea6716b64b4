--- Read a worker, with its open offers and assignments.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { id }
--- Replies: the record
--- Refuses: NOT_FOUND
--- Events: none
op.read("jr_worker_read", { id = op.TEXT }, function(given)
  local flat = records.flat(keys.worker(given.id), given.id)
  if not flat then
    refuse.not_found("The item was not found.")
  end
  return revocations.hide(flat)
end)
