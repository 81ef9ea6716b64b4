--- Do what is due, at most one batch, and trim what is kept long enough; the sweep of the workers.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON {}
--- Replies: op, done (rows), next (epoch ms of the next due row, 0 = none), more (1 = something is still due)
--- Refuses: BAD_CALL
--- Events: those of what was due
op.write("jr_agenda_due", {}, function()
  -- write
  local swept_at, from, to = op.sweeps()
  local outage = limits.setting("outage_ms")
  if outage > 0 and clock.now - swept_at > outage then
    from, to = swept_at, clock.now
  end
  redis.call("HSET", keys.root, "swept", string.format("%.0f %.0f %.0f", clock.now, from, to))
  local trimmed = retention.trim()
  local first = agenda.first()
  if first or op.alarm ~= 0 then
    agenda.ring_at(first)
  end
  local more = trimmed or (first ~= nil and first <= clock.now)
  first = retention.earlier(first)
  return { "op", op.last, "done", agenda.done, "next", first or 0, "more", more and 1 or 0 }
end)
