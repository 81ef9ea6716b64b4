--- Let one worker at a time count what the outbox tells, so that each entry is counted once; its place is kept for the next.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { holder, lease_ms (0 = it is given up), seen (last entry that the holder has
---   counted) }
--- Replies: held (1 = the holder has it), fresh (1 = another had it before), seen (last entry counted; at the very first the
---   last one there is), last (last entry ever made)
--- Refuses: BAD_CALL
--- Events: none

local LONGEST_MS, LONGEST_NAME = 600000, 200

op.write("jr_observer_lease", { holder = op.TEXT, lease_ms = op.NUMBER, seen = 0 }, function(given)
  -- read
  local row = redis.call("HMGET", keys.observer(), "holder", "until", "seen")
  local last = tonumber(op.event)
  -- not beyond the last one: the store may be an older copy
  local seen = math.min(tonumber(row[3] or last), last)
  -- check
  if given.lease_ms < 0 or given.lease_ms > LONGEST_MS or #given.holder > LONGEST_NAME or given.seen < 0 then
    refuse.bad_call("lease_ms must be 0 to " .. LONGEST_MS .. ", seen positive, and holder short")
  end
  -- write
  local fresh = row[1] ~= given.holder
  if fresh and row[1] and clock.now < tonumber(row[2]) then
    return { "held", 0, "fresh", 0, "seen", seen, "last", last }
  end
  if not fresh then
    seen = math.max(seen, math.min(given.seen, last))
  end
  local ends = string.format("%.0f", clock.now + given.lease_ms)
  redis.call("HSET", keys.observer(), "holder", given.holder, "until", ends, "seen", string.format("%.0f", seen))
  return { "held", 1, "fresh", fresh and 1 or 0, "seen", seen, "last", last }
end)
