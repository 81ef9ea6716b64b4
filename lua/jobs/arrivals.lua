-- Arrivals: what becomes of a job that is received, as it stands when its fields are written.

local FIRST_STATUS = {
  queueAndMatch = "created",
  suspend = "waitingForActivation",
  scheduleAndSuspend = "pendingSchedule",
}

--- What its policy finds for a job that is matched at once; nil when it has none, or is to be activated first. Refuses a policy
--- that does not exist.
---@param given table the fields of the job
---@param labels string
function arrivals.decide(given, labels)
  local policy = given.classification ~= "" and job_fields.check_policy(given.classification)
  if not policy or given.mode ~= "queueAndMatch" then
    return nil
  end
  return classification.decide({
    id = given.id,
    classification = given.classification,
    policy = policy,
    labels = labels or "",
    queue = given.queue ~= "" and given.queue or nil,
  })
end

--- The status of a job that has just been received.
---@param mode string
---@param decided table|nil
function arrivals.first_status(mode, decided)
  return decided and "pendingClassification" or FIRST_STATUS[mode]
end

--- Goes on with a job that has just been received: it joins its queue, or waits for what it is to wait for.
---@param decided table|nil what its policy has found
function arrivals.go_on(job, decided)
  if not decided and job.classification then
    jobs.set(job, "unclassified", "1")
  end
  if decided then
    classification.finish(job, decided, true)
  elseif job.status == "created" then
    stays.enqueue(job, true)
  elseif job.status == "pendingSchedule" then
    schedules.start(job)
  end
end
