--- Why a worker gets no job: its own reasons, and the first waiting jobs of its queues, some queues a call.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { worker_id, start (the next of the call before) }
--- Replies: worker, state, capacity, used, open, limit, next_job and next_queue (what it gets first when it holds nothing), next
---   (0 = these were the last queues); rows: about = worker (a reason), queue (its length), waiting (of = a job, in a queue) or
---   job (why the worker does not get it: of = the job, whose = job or worker); code, and what it tells
--- Refuses: NOT_FOUND
--- Events: none

local function add_queue(rows, worker, queue_id)
  local waiting, length = explanations.waiting_for(worker, queue_id)
  rows[#rows + 1] = { "about", "queue", "queue", queue_id, "length", length }
  for _, one in ipairs(waiting) do
    rows[#rows + 1] = { "about", "waiting", "queue", queue_id, "of", one.job.id }
    reasons.add_rows(rows, "job", one.own, "of", one.job.id, "whose", "job")
    reasons.add_rows(rows, "job", one.pair, "of", one.job.id, "whose", "worker")
  end
end

op.read("jr_worker_explain", { worker_id = op.TEXT, start = 0 }, function(given)
  local worker, rows = workers.load(given.worker_id), {}
  if not worker then
    refuse.not_found("The item was not found.")
  end
  local class, first = classes.of(worker), math.max(0, given.start)
  local reply = { "worker", worker.id, "state", worker.state, "capacity", class.capacity, "used", worker.used }
  reasons.tell(reply, "open", worker.open, "limit", classes.offer_limit(class))
  if first == 0 then
    reasons.add_rows(rows, "worker", obstacles.of_worker(worker))
    local job = explanations.next_of(worker)
    reasons.tell(reply, "next_job", job and job.id, "next_queue", job and job.queue)
  end
  local last = math.min(first + limits.EXPLAINED_QUEUES, #class.queues)
  for i = first + 1, last do
    add_queue(rows, worker, class.queues[i])
  end
  reasons.tell(reply, "next", last < #class.queues and last or 0, "rows", rows)
  return reply
end)
