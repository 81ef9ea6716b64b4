-- A queue, its labels, its jobs and what holds it up.

-- workers of a queue that are looked up
local SAMPLE = 100

local function check_label_set(queue, name)
  local hash = redis.sha1hex(queue.labels or "")
  audit.expect(queue.label_set == hash, name, "has the label set of other labels")
  audit.expect(redis.call("HGET", keys.label_sets(), hash) == (queue.labels or ""), name, "has an unknown label set")
  local set = { hash = hash, labels = document.members(queue.labels or "") }
  audit.expect(label_index.has(keys.label_sets_index(), set), name, "has labels that are not indexed")
  local length = audit.score(keys.label_set(hash), queue.id)
  audit.expect(length, name, "is missing in its label set")
  audit.expect(
    op.selecting == 0 or length == redis.call("ZCARD", keys.queue_order(queue.id)),
    name,
    "has another length in its label set"
  )
end

-- questions of jobs that are in the queue, and nothing that waits for ever behind them
local function check_questions(id, name)
  local asked = redis.call("ZRANGE", keys.queue_questions(id), 0, limits.LISTED_ROWS - 1)
  for _, job_id in ipairs(asked) do
    local job = jobs.load(job_id)
    audit.expect(
      job and job.queue == id and job.scoring,
      name,
      "has a question about job",
      job_id,
      "that it does not know"
    )
  end
  local goes_on = #asked > 0 or audit.due("open:" .. id)
  audit.expect(not closures.place(id) or goes_on, name, "is closed for ever")
  audit.expect(closures.place(id) or not audit.due("open:" .. id), name, "is open but to be opened")
end

local function check_workers(id, name)
  for _, worker in ipairs(redis.call("ZRANGE", keys.queue_workers(id), 0, SAMPLE - 1)) do
    audit.expect(redis.call("EXISTS", keys.worker(worker)) == 1, name, "lists worker", worker, "which is gone")
  end
end

--- Checks a queue.
function queue_checks.one(id)
  local queue, name = queues.whole(id), "queue " .. id
  if not queue then
    audit.expect(not audit.score(keys.listing("queues"), id), name, "is gone but listed")
    audit.expect(not audit.score(keys.closed(), id), name, "is gone but closed")
    return
  end
  check_questions(id, name)
  check_workers(id, name)
  audit.expect(audit.score(keys.listing("queues"), id) == queue.created, name, "is listed wrongly")
  local used = redis.call("SISMEMBER", keys.policy_queues("distribution", queue.distribution), id)
  audit.expect(used == 1, name, "is not known to its distribution policy")
  check_label_set(queue, name)
  local unfinished = 0
  for _, job_id in ipairs(redis.call("ZRANGE", keys.queue_jobs(id), 0, limits.LISTED_ROWS - 1)) do
    if not statuses.FINISHED[redis.call("HGET", keys.job(job_id), "status")] then
      unfinished = unfinished + 1
    end
  end
  if redis.call("ZCARD", keys.queue_jobs(id)) <= limits.LISTED_ROWS then
    audit.expect(
      (queue.active or 0) == unfinished,
      name,
      "has",
      unfinished,
      "unfinished jobs but counts",
      queue.active or 0
    )
  end
end
