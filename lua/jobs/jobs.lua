-- The job record; jobs.move is the only writer of a job's status.

-- fields that are compared as numbers; those that are only shown, passed on or reckoned with stay as they are stored
local NUMERIC = {
  priority = true,
  seq = true,
  asked = true,
  scoring = true,
  expired_to = true,
  selector_at = true,
  exception_at = true,
  schedule_at = true,
  scheduled_at = true,
  close_at = true,
  max = true,
  unassigned = true,
  unassigned_life = true,
}

local loaded = {}

--- Starts a call.
function jobs.begin()
  if next(loaded) then
    loaded = {}
  end
end

--- The job of this id, or nil; one object per call.
function jobs.load(id)
  local job = loaded[id]
  if job == nil then
    job = records.load(keys.job(id), id, NUMERIC) or false
    if job then
      demand.remember_place(job)
    end
    loaded[id] = job
  end
  return job or nil
end

--- The job of this id; refuses when there is none.
function jobs.need(id)
  local job = jobs.load(id)
  if not job then
    refuse.not_found("The item was not found.")
  end
  return job
end

--- A job that is not stored yet, with what the router gives it. This call has a number.
---@param id string
---@param queue_id string|nil nil until it is classified
---@param channel_id string
function jobs.new(id, queue_id, channel_id)
  -- one constructor for each table: what grows field by field is made anew again and again
  local job = {
    id = id,
    key = keys.job(id),
    stored = false,
    row = false,
    n = queue_id and 10 or 8,
    channel = channel_id,
    queue = queue_id,
    created = op.text,
    created_at = clock.text,
    modified_at = clock.text,
    doc = 1,
    status = nil,
    rev = nil,
    reference = nil,
    labels = nil,
    tags = nil,
    enqueued_at = nil,
    offers = nil,
    offered = nil,
    event = nil,
    base = nil,
    moved = nil,
    dealt = nil,
    told = nil,
    in_queue = nil,
    in_place = nil,
  }
  local c, q = channel_id, queue_id
  local number, at = op.text, clock.text
  -- with room for the rest of a usual job
  -- stylua: ignore
  job.row = {
    "channel", c, "created", number, "created_at", at, "doc", 1, "queue", q,
    nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil,
  }
  loaded[id] = job
  return job
end

-- what is made of fields and kept while they stay: the members of every event payload, the active selectors
local SPOILS = {
  labels = "base",
  tags = "base",
  queue = "base",
  channel = "base",
  reference = "base",
  selectors = "active",
  attached = "active",
  expired_to = "active",
  enqueued_at = "active",
}

--- Changes a field; nil removes it.
function jobs.set(job, field, value)
  if job[field] == value then
    return
  end
  job[field] = value
  local spoilt = SPOILS[field]
  if spoilt then
    job[spoilt] = nil
  end
  records.put(job, field, value)
end

--- Counts a change that moves the ETag.
function jobs.revise(job)
  job.rev = (job.rev or 0) + 1
  job.modified_at = clock.text
  job.moved = true
end

--- Moves a job to another status.
function jobs.move(job, status)
  local from = job.status or ""
  if not statuses.TRANSITIONS[from][status] then
    error("a job cannot go from '" .. from .. "' to '" .. status .. "'")
  end
  job.status = status
  jobs.revise(job)
end

--- Writes all jobs of this call.
function jobs.save_all()
  for _, job in pairs(loaded) do
    if job and not job.removed then
      records.save(job)
    end
  end
end

--- Takes a finished or deleted job out of the store.
function jobs.remove(job)
  job.removed = true
  redis.call("DEL", job.key)
  listings.remove("jobs", job.id)
  if job.queue then
    redis.call("ZREM", keys.queue_jobs(job.queue), job.id)
  end
  redis.call("ZREM", keys.listing("finished"), job.id)
  agenda.remove("life:" .. job.id)
  loaded[job.id] = false
end

--- A change by the router to what clients write too: a merge that was read before it must start anew.
function jobs.rewrite(job)
  jobs.set(job, "doc", job.doc + 1)
end

--- Moves a job to another queue's books: its list of jobs and its count of unfinished ones.
function jobs.change_queue(job, queue_id)
  if job.queue == queue_id then
    return
  end
  local counts, before = not statuses.FINISHED[job.status or "closed"], job.queue
  jobs.set(job, "queue", queue_id)
  if rehearsals.on then
    return
  end
  if before then
    redis.call("ZREM", keys.queue_jobs(before), job.id)
    if counts then
      queues.count_active(before, -1)
    end
  end
  redis.call("ZADD", keys.queue_jobs(queue_id), job.created, job.id)
  if counts then
    queues.count_active(queue_id, 1)
  end
end

--- Gives a job another classification policy, or none: then nothing is attached to it any more.
---@param policy string|nil
function jobs.change_policy(job, policy)
  if policy == job.classification then
    return
  end
  policies.count_active(job.classification, -1)
  policies.count_active(policy, 1)
  jobs.set(job, "classification", policy)
  if not policy then
    jobs.set(job, "attached", nil)
    jobs.set(job, "unclassified", nil)
  end
end
