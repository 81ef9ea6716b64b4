--- Hand out a part of what a router may be asked in a time, to one of the processes that answer for it: a token bucket for all
--- of them together. It holds `limit` requests and is full again `window_ms` after it was empty.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { wanted (requests), limit, window_ms }
--- Replies: granted (0 to wanted), wait_ms (until there is one more)
--- Refuses: BAD_CALL
--- Events: none

-- their product in microseconds is still exact
local MOST, LONGEST_MS = 1000000, 3600000

op.write("jr_allowance_lease", { wanted = op.NUMBER, limit = op.NUMBER, window_ms = op.NUMBER }, function(given)
  -- read
  local stored = tonumber(redis.call("GET", keys.allowance()) or 0)
  -- check
  if given.limit < 1 or given.limit > MOST or given.window_ms < 1 or given.window_ms > LONGEST_MS then
    refuse.bad_call("limit must be 1 to " .. MOST .. ", window_ms 1 to " .. LONGEST_MS)
  end
  if given.wanted < 1 or given.wanted > given.limit then
    refuse.bad_call("wanted must be 1 to limit")
  end
  -- write
  local now, window = clock.now * 1000, given.window_ms * 1000
  -- emptier than empty it was by another limit, or another clock
  local full_at = math.max(now, math.min(stored, now + window))
  local granted = math.min(given.wanted, math.floor((now + window - full_at) * given.limit / window))
  full_at = full_at + math.ceil(granted * window / given.limit)
  if full_at ~= stored then
    redis.call("SET", keys.allowance(), string.format("%.0f", full_at))
  end
  local wait_us = full_at + math.ceil(window / given.limit) - now - window
  return { "granted", granted, "wait_ms", math.max(0, math.ceil(wait_us / 1000)) }
end)
