-- A worker, compared with every index that it stands in, its offers and assignments.

local function check_load(worker, name)
  local used, open, assigned, counts = 0, 0, 0, {}
  for _, one in ipairs(held.all(worker)) do
    used = used + one.cost
    counts[one.channel] = (counts[one.channel] or 0) + 1
    local job = jobs.load(one.job)
    if one.expires_at then
      open = open + 1
      if not match_checks.is_void(one.id, name) then
        audit.expect(job and offers.is_offered(job, worker.id), name, "has an offer that job", one.job, "does not have")
        audit.expect(worker.state == "active", name, "has an offer although it is", worker.state)
      end
    else
      assigned = assigned + 1
      audit.expect(job and job.assignment == one.id, name, "has an assignment that job", one.job, "does not have")
    end
  end
  audit.expect(worker.used == used, name, "uses", used, "but counts", worker.used)
  audit.expect(worker.open == open, name, "has", open, "open offers but counts", worker.open)
  audit.expect(worker.assigned == assigned, name, "has", assigned, "assignments but counts", worker.assigned)
  local class = worker.class and classes.get(worker.class)
  for id, channel in pairs(class and class.channels or {}) do
    if channel.max then
      audit.expect(capacity.count(worker, id) == (counts[id] or 0), name, "counts wrongly on channel", id)
    end
  end
end

local function check_lane(worker, class, lane, name)
  local key = keys.class_ready(lane.name)
  audit.expect(audit.score(key, worker.id) == worker.placed[lane.name], name, "stands wrongly in lane", lane.name)
  local head = audit.head(key)
  for _, queue in ipairs(class.queues) do
    local bound = audit.score(keys.queue_supply(queue), lane.name)
    audit.expect(not head or (bound and bound <= head), name, "has a lane whose bound is too high in queue", queue)
    if worker.placed[lane.name] and queues.load(queue) and queues.plan(queue).mode == "roundRobin" then
      audit.expect(
        audit.score(keys.queue_turn(queue), worker.id .. "\0" .. class.hash),
        name,
        "has no turn in queue",
        queue
      )
    end
  end
end

local function check_bars(worker, name)
  local key = keys.worker_declined(worker.id)
  local rows = redis.call("ZRANGE", key, 0, limits.LISTED_ROWS - 1, "WITHSCORES")
  audit.expect(worker.declined or #rows == 0, name, "has bars but has declined nothing")
  for i = 1, #rows, 2 do
    local job, number = jobs.load(rows[i]), tonumber(rows[i + 1])
    audit.expect(number > worker.epoch, name, "is barred from job", rows[i], "by an earlier registration")
    audit.expect(
      not job or job.declined or number < queues.number(job),
      name,
      "is barred from job",
      rows[i],
      "unknown to it"
    )
  end
end

local STATES = { active = true, draining = true, inactive = true }

--- Checks a worker.
function worker_checks.one(id)
  local worker, name = workers.load(id), "worker " .. id
  if not worker then
    audit.expect(not audit.due("idle:" .. id), name, "is gone but on the agenda")
    audit.expect(not audit.score(keys.listing("workers"), id), name, "is gone but listed")
    return
  end
  workers.whole(worker)
  local active = worker.state == "active"
  audit.expect(STATES[worker.state], name, "has an unknown state")
  audit.expect((worker.available == "1") == active, name, "is", worker.state, "against its availability")
  audit.expect((worker.class ~= nil) == active, name, "is", worker.state, "against its class")
  audit.expect(worker.state ~= "draining" or worker.assigned > 0, name, "drains without an assignment")
  audit.expect(worker.state ~= "inactive" or worker.assigned == 0, name, "is inactive with an assignment")
  audit.expect((audit.due("idle:" .. id) ~= nil) == active, name, "has a wrong idle time on the agenda")
  audit.expect(audit.score(keys.listing("workers"), id) == worker.created, name, "is listed wrongly")
  for line in texts.lines(worker.queues or "") do
    audit.expect(
      audit.score(keys.queue_workers(document.value(line)), id) == worker.created,
      name,
      "is listed wrongly in queue",
      line
    )
  end
  check_load(worker, name)
  match_checks.filling(worker, name)
  audit.expect(active or not worker.filling, name, "is set aside although it is", worker.state)
  check_bars(worker, name)
  if worker.class then
    local class = classes.get(worker.class)
    audit.expect(tonumber(redis.call("HGET", keys.class(class.hash), "size")) > 0, name, "has a class without members")
    audit.expect(label_index.has(keys.class_labels(), class), name, "has a class whose labels are not indexed")
    for _, lane in ipairs(class.lanes) do
      check_lane(worker, class, lane, name)
    end
  end
end
