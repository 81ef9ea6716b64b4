-- What lies between jobs and workers: offers that are void, what is set aside, who could have whom.

--- Is an offer over, though not taken back yet? Then it is to be, by the agenda.
function match_checks.is_void(offer_id, name)
  local mark = redis.call("HGET", keys.void(), offer_id)
  local number = mark and string.match(mark, "%d+$")
  audit.expect(
    not number or audit.due("revoke:" .. number),
    name,
    "has void offer",
    offer_id,
    "that is never taken back"
  )
  audit.expect(
    not number or redis.call("EXISTS", keys.revocation(number)) == 1,
    name,
    "has a void offer without a list"
  )
  return number ~= nil
end

--- What is set aside, a job or a worker, goes on by the agenda.
function match_checks.filling(record, name)
  audit.expect(not record.filling or audit.due("fill:"), name, "is set aside for ever")
end

-- may this job be offered to this worker? Read from the two records alone.
local function is_eligible(job, worker)
  local class = worker.class and classes.get(worker.class)
  local channel = class and class.serves[job.queue] and class.channels[job.channel]
  local active = job.bypass == "1" and {} or job_selectors.active(job)
  return channel
    and worker.state == "active"
    and not worker.filling
    and capacity.fits(worker, class, channel)
    and not offers.is_offered(job, worker.id)
    and not bars.holds(job, worker.id)
    and selectors.class_fits(active, document.members(worker.labels or ""))
    and selectors.id_fits(active, worker.id)
end

--- None of these jobs waits although one of these workers could take it.
function match_checks.pairs(job_ids, worker_ids)
  for _, job_id in ipairs(job_ids) do
    local job = jobs.load(job_id)
    if job and demand.wants(job) and not closures.holds(job) then
      for _, worker_id in ipairs(worker_ids) do
        local worker = workers.load(worker_id)
        if worker and is_eligible(job, worker) then
          audit.expect(false, "job", job_id, "waits although worker", worker_id, "could take it")
        end
      end
    end
  end
end
