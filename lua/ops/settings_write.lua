--- Write the settings of a tenant; what is left out returns to its default.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { keep_finished_ms, keep_finished_count, keep_events_ms, keep_events_count,
---   outage_ms (0 = off), unassign_limit, worker_offers, batch, parked_events, keep_dead_letters_ms, keep_dead_letters_count,
---   questions, recording (entries that the log of calls keeps; 0 = off, and the log is removed) }
--- Replies: op
--- Refuses: BAD_CALL (a value out of range), CONFLICT (worker_offers would change while there are workers)
--- Events: none
op.write("jr_settings_write", limits.defaults(), function(given)
  -- check
  local values = {}
  for i, setting in ipairs(limits.SETTINGS) do
    local name = setting[1]
    if given[name] < (setting[3] or 1) then
      refuse.bad_call(name .. " must be at least " .. (setting[3] or 1))
    elseif setting[4] and given[name] > setting[4] then
      refuse.bad_call(name .. " must be at most " .. setting[4])
    end
    values[i] = string.format("%.0f", given[name])
  end
  -- whether a worker stands in its lanes depends on it
  if given.worker_offers ~= op.worker_offers and redis.call("EXISTS", keys.listing("workers")) == 1 then
    refuse.conflict("worker_offers cannot change while there are workers")
  end
  -- write
  op.number()
  op.worker_offers, op.batch = given.worker_offers, given.batch
  if given.recording == 0 and recording.kept > 0 then
    redis.call("UNLINK", keys.oplog())
  end
  recording.kept = given.recording
  op.change_rest()
  redis.call("HSET", keys.root, "settings", table.concat(values, " "))
  return { "op", op.number() }
end)
