#!lua name=bench
-- Yardsticks measured beside the router: what a call costs that does nothing, and one of twenty cheap mixed calls.

redis.register_function("bench_empty", function()
  return 1
end)

redis.register_function("bench_mixed", function(KEYS)
  local call, hash, zset = redis.call, KEYS[1] .. ":hash", KEYS[1] .. ":zset"
  for i = 1, 5 do
    call("HSET", hash, "field" .. i, i)
    call("HGET", hash, "field" .. i)
    call("ZADD", zset, i, "member" .. i)
    call("ZRANGE", zset, 0, 0)
  end
  return 1
end)
