-- The client-written fields of a job, as create, update and preview take them.

--- Control fields of an operation: what clients write of a job, and its own.
---@param own table
function job_fields.specification(own)
  own.id = op.TEXT
  own.channel, own.queue, own.classification = "", "", ""
  own.priority, own.reference, own.disposition = 1, "", ""
  own.mode, own.schedule_at = "queueAndMatch", 0
  return own
end

local MODES = { queueAndMatch = true, suspend = true, scheduleAndSuspend = true }

--- Checks the fields by themselves.
function job_fields.check(given, labels, tags, note_lines, wanted)
  formats.members(labels)
  formats.members(tags)
  formats.notes(note_lines)
  formats.selectors(wanted)
  if not MODES[given.mode] then
    refuse.bad_call("mode must be queueAndMatch, suspend or scheduleAndSuspend")
  end
  if (given.mode == "scheduleAndSuspend") ~= (given.schedule_at > 0) then
    refuse.bad_call("schedule_at goes with mode scheduleAndSuspend, and only with that")
  end
  if given.channel == "" then
    refuse.invalid("channelId is missing")
  end
  if given.priority < -100 or given.priority > 100 then
    refuse.invalid("priority must be between -100 and 100")
  end
  if given.queue == "" and given.classification == "" then
    refuse.invalid("queueId is missing")
  end
  if given.queue ~= "" and not queues.load(given.queue) then
    refuse.invalid("queueId: queue '" .. given.queue .. "' does not exist")
  end
end

--- Refuses a classification policy that does not exist.
---@return table policy as policies.pipeline gives it
function job_fields.check_policy(id)
  local policy = policies.pipeline(id)
  if not policy then
    refuse.invalid("classificationPolicyId: classification policy '" .. id .. "' does not exist")
  end
  return policy
end

local function write_text(job, field, value)
  if not value or value == "" then
    value = nil
  end
  if value ~= job[field] then
    jobs.set(job, field, value)
  end
end

--- Writes the fields; those at their default are left out of the record.
function job_fields.write(job, given, labels, tags, note_lines, wanted)
  if job.channel ~= given.channel then
    jobs.set(job, "channel", given.channel)
  end
  local priority = given.priority ~= 1 and given.priority or nil
  if job.priority ~= priority then
    jobs.set(job, "priority", priority)
  end
  local mode = given.mode ~= "queueAndMatch" and given.mode or nil
  if job.mode ~= mode then
    jobs.set(job, "mode", mode)
  end
  local schedule_at = given.schedule_at ~= 0 and given.schedule_at or nil
  if job.schedule_at ~= schedule_at then
    jobs.set(job, "schedule_at", schedule_at)
  end
  write_text(job, "classification", given.classification)
  write_text(job, "reference", given.reference)
  write_text(job, "disposition", given.disposition)
  write_text(job, "labels", labels)
  write_text(job, "tags", tags)
  write_text(job, "notes", note_lines)
  write_text(job, "selectors", wanted)
end
