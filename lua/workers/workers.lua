-- The worker record, its registration and its availability.

local NUMERIC = {
  capacity = true,
  max_offers = true,
  doc = true,
  rev = true,
  created = true,
  epoch = true,
  seen_at = true,
}

-- what only its own updates read
local COLD = {
  "available",
  "capacity",
  "max_offers",
  "queues",
  "channels",
  "doc",
  "rev",
  "created",
  "epoch",
  "seen_at",
  "lost",
  "refused",
}

local loaded = {}

--- Starts a call.
function workers.begin()
  if next(loaded) then
    loaded = {}
  end
end

-- what every operation on a worker reads, and one field of those that hold its offers and assignments
local function read(id, key, field)
  local row = redis.call(
    "HMGET",
    key,
    "state",
    "class",
    "used",
    "open",
    "assigned",
    "avail",
    "declined",
    "event",
    "labels",
    "tags",
    field or "-"
  )
  if not row[1] then
    return false
  end
  -- one constructor: a table that grows field by field is made anew again and again
  return {
    id = id,
    key = key,
    stored = true,
    row = false,
    n = 0,
    known = field and { [field] = row[11] } or {},
    state = row[1],
    class = row[2] or nil,
    used = row[3] and tonumber(row[3]) or 0,
    open = row[4] and tonumber(row[4]) or 0,
    assigned = row[5] and tonumber(row[5]) or 0,
    -- these are only reckoned with and passed on
    avail = row[6] or nil,
    declined = row[7] or nil,
    event = row[8] or nil,
    labels = row[9] or nil,
    tags = row[10] or nil,
    placed = false,
    told = nil,
    seen_at = nil,
  }
end

--- The worker of this id, or nil; one object per call.
---@param id string
---@param field string|nil one offer or assignment (o:<id>, a:<id>) to read with it
function workers.load(id, field)
  local worker = loaded[id]
  if worker == nil then
    worker = read(id, keys.worker(id), field)
    if worker then
      supply.remember_place(worker)
    end
    loaded[id] = worker
  end
  return worker or nil
end

--- Reads the rest of a worker's fields.
function workers.whole(worker)
  if worker.stored and not worker.is_whole then
    worker.is_whole = true
    local row = redis.call("HMGET", worker.key, unpack(COLD))
    for i, field in ipairs(COLD) do
      -- what this call has changed already stays
      if worker[field] == nil and row[i] then
        worker[field] = NUMERIC[field] and tonumber(row[i]) or row[i]
      end
    end
  end
  return worker
end

--- A worker that is not stored yet.
function workers.new(id)
  local worker = records.new(keys.worker(id), id)
  worker.known = {}
  worker.used, worker.open, worker.assigned = 0, 0, 0
  loaded[id] = worker
  return worker
end

--- Changes a field; nil removes it.
function workers.set(worker, field, value)
  records.set(worker, field, value)
end

--- Counts a change that moves the ETag.
function workers.revise(worker)
  workers.whole(worker)
  workers.set(worker, "rev", (worker.rev or 0) + 1)
  workers.set(worker, "modified_at", clock.now)
end

--- Writes all workers of this call.
function workers.save_all()
  for _, worker in pairs(loaded) do
    if worker and not worker.removed then
      records.save(worker)
    end
  end
end

--- Takes a worker out of the store.
function workers.remove(worker)
  workers.whole(worker)
  worker.removed = true
  redis.call("UNLINK", worker.key, keys.worker_declined(worker.id))
  listings.remove("workers", worker.id)
  for line in texts.lines(worker.queues or "") do
    redis.call("ZREM", keys.queue_workers(document.value(line)), worker.id)
  end
  loaded[worker.id] = false
end

-- ---- registration ----------------------------------------------------------------------------------------------

--- Makes a worker active: it gets a new registration number (which lifts all bars) and joins its class.
function workers.register(worker)
  workers.set(worker, "state", "active")
  workers.set(worker, "available", "1")
  workers.set(worker, "epoch", op.number())
  workers.set(worker, "avail", op.number())
  workers.set(worker, "seen_at", clock.now)
  bars.lift(worker)
  supply.join(worker)
  agenda.add("idle:" .. worker.id, clock.now + limits.IDLE_MS)
  worker_events.registered(worker)
  match.touch_worker(worker)
end

--- Signs a worker off: its offers are revoked; with assignments it drains, without it is inactive.
function workers.deregister(worker)
  workers.whole(worker)
  revocations.of_worker(worker, held.offers(worker))
  supply.leave(worker)
  workers.set(worker, "state", worker.assigned > 0 and "draining" or "inactive")
  workers.set(worker, "available", nil)
  workers.revise(worker)
  agenda.remove("idle:" .. worker.id)
  worker_events.deregistered(worker)
end

--- A worker has given a job back (closed, unassigned, cancelled): it waits from now.
function workers.freed(worker)
  workers.set(worker, "avail", op.number())
  workers.set(worker, "seen_at", clock.text)
  if worker.state == "draining" and worker.assigned == 0 then
    workers.set(worker, "state", "inactive")
    workers.revise(worker)
  end
  match.touch_worker(worker)
end

--- A due row: idle for too long, unless something has happened since.
function workers.idle_due(id)
  local worker = workers.load(id)
  if not worker or worker.state ~= "active" then
    return
  end
  workers.whole(worker)
  local busy = worker.open > 0 or worker.assigned > 0
  local due = (busy and clock.now or tonumber(worker.seen_at)) + limits.IDLE_MS
  if due > clock.now then
    agenda.add("idle:" .. id, due)
    return
  end
  op.number()
  workers.deregister(worker)
end
