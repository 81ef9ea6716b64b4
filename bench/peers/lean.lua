#!lua name=lean
-- The least that four functions must do to take a job through its life: one entry of a stream a transition, the state
-- checked, the offer with its deadline, the worker found and freed. No features: what the router takes more than this
-- is their price.

local OFFER_MS = 3600000

local function now(call)
  local time = call("TIME")
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function tell(call, root, at, kind, job, worker)
  call("XADD", root .. ":events", "MAXLEN", "~", 100000, "*", "kind", kind, "job", job, "worker", worker, "at", at)
end

local function offer(call, root, at, job, worker)
  call("HSET", root .. ":job:" .. job, "state", "offered", "worker", worker, "offered_at", at)
  call("HSET", root .. ":worker:" .. worker, "state", "offered", "job", job)
  call("ZADD", root .. ":deadlines", at + OFFER_MS, job)
end

--- The worker who has a job in this state.
local function held(call, root, job, state)
  local found = call("HMGET", root .. ":job:" .. job, "state", "worker")
  if found[1] ~= state then
    return nil, redis.error_reply("ERR the job is " .. (found[1] or "not there"))
  end
  return found[2]
end

-- KEYS: root; ARGS: worker
redis.register_function("lean_worker", function(keys, args)
  local call, root, worker = redis.call, keys[1], args[1]
  local at = now(call)
  call("HSET", root .. ":worker:" .. worker, "state", "free")
  call("ZADD", root .. ":free", at, worker)
  return at
end)

-- KEYS: root; ARGS: job, document. Replies the worker who is offered it, or "".
redis.register_function("lean_submit", function(keys, args)
  local call, root, job = redis.call, keys[1], args[1]
  if call("EXISTS", root .. ":job:" .. job) == 1 then
    return redis.error_reply("ERR the job is there")
  end
  local at = now(call)
  call("HSET", root .. ":job:" .. job, "document", args[2], "created_at", at, "state", "waiting")
  local worker = call("ZPOPMIN", root .. ":free")[1]
  if worker then
    offer(call, root, at, job, worker)
  else
    call("ZADD", root .. ":waiting", at, job)
  end
  tell(call, root, at, "submitted", job, worker or "")
  return worker or ""
end)

-- KEYS: root; ARGS: job
redis.register_function("lean_accept", function(keys, args)
  local call, root, job = redis.call, keys[1], args[1]
  local worker, refused = held(call, root, job, "offered")
  if not worker then
    return refused
  end
  local at = now(call)
  call("ZREM", root .. ":deadlines", job)
  call("HSET", root .. ":job:" .. job, "state", "assigned", "assigned_at", at)
  call("HSET", root .. ":worker:" .. worker, "state", "busy")
  tell(call, root, at, "accepted", job, worker)
  return at
end)

-- KEYS: root; ARGS: job
redis.register_function("lean_complete", function(keys, args)
  local call, root, job = redis.call, keys[1], args[1]
  local worker, refused = held(call, root, job, "assigned")
  if not worker then
    return refused
  end
  local at = now(call)
  call("HSET", root .. ":job:" .. job, "state", "completed", "completed_at", at)
  tell(call, root, at, "completed", job, worker)
  return at
end)

-- KEYS: root; ARGS: job. The worker gets the job that waits longest, or is free.
redis.register_function("lean_close", function(keys, args)
  local call, root, job = redis.call, keys[1], args[1]
  local worker, refused = held(call, root, job, "completed")
  if not worker then
    return refused
  end
  local at = now(call)
  call("HSET", root .. ":job:" .. job, "state", "closed", "closed_at", at)
  call("ZADD", root .. ":closed", at, job)
  local following = call("ZPOPMIN", root .. ":waiting")[1]
  if following then
    offer(call, root, at, following, worker)
  else
    call("HSET", root .. ":worker:" .. worker, "state", "free", "job", "")
    call("ZADD", root .. ":free", at, worker)
  end
  tell(call, root, at, "closed", job, worker)
  return at
end)
