--- Renew a deliverer's lease, free what others have left whose leases have run out, and take free subscriptions up to its share.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { holder (its name, never used before), count (taken at most), lease_ms }
--- Replies: op, share (subscriptions it may have), held (those it has), rows: those just taken: the record with secret, token,
---   room (events that may still wait for another try), due_in (ms to the next try, -1 = none)
--- Refuses: BAD_CALL
--- Events: none
op.write("jr_subscription_claim", { holder = op.TEXT, count = op.NUMBER, lease_ms = op.NUMBER }, function(given)
  -- check
  if given.holder == "" or given.count < 0 or given.count > limits.TAKEN_SUBSCRIPTIONS or given.lease_ms < 1 then
    refuse.bad_call("count must be 0 to " .. limits.TAKEN_SUBSCRIPTIONS .. ", lease_ms positive, and holder a name")
  end
  -- write
  local rows, share, count = deliveries.claim(given.holder, given.count, given.lease_ms)
  return { "op", op.last, "share", share, "held", count, "rows", rows }
end)
