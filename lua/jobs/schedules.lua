-- Schedules: a job that must not be activated before a time waits for it on the agenda, outside the order of its queue.

-- its time has come: the job can be activated now, which a client does
local function ring(job)
  jobs.move(job, "waitingForActivation")
  jobs.set(job, "scheduled_at", clock.now)
  job_events.waiting_for_activation(job)
end

--- Waits for the time of the job's schedule, or for another one than before; a time that has passed has come.
function schedules.start(job)
  jobs.set(job, "scheduled_at", nil)
  if job.status ~= "scheduled" then
    jobs.move(job, "scheduled")
  end
  if job.schedule_at > clock.now then
    agenda.add("schedule:" .. job.id, job.schedule_at)
  else
    schedules.stop(job)
    ring(job)
  end
end

--- Waits no more, if the job is scheduled.
function schedules.stop(job)
  if job.status == "scheduled" then
    agenda.remove("schedule:" .. job.id)
  end
end

--- A due row: the time of a job's schedule.
function schedules.due(id)
  local job = jobs.load(id)
  if job and job.status == "scheduled" then
    op.number()
    ring(job)
  end
end
