--- List jobs, newest first, by status, queue, channel, classification policy and scheduled time.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { limit, cursor, status, queue, channel, classification, scheduled_before,
---   scheduled_after (epoch ms, inclusive) }
--- Replies: next, rows
--- Refuses: BAD_CALL
--- Events: none

local NOT_ACTIVE = { created = true, closed = true, cancelled = true }

local function fits(job, given)
  local scheduled = tonumber(job.status == "scheduled" and job.schedule_at or job.scheduled_at)
  return (given.status == "" or job.status == given.status or (given.status == "active" and not NOT_ACTIVE[job.status]))
    and (given.channel == "" or job.channel == given.channel)
    and (given.classification == "" or job.classification == given.classification)
    and (given.scheduled_before == 0 or (scheduled and scheduled <= given.scheduled_before))
    and (given.scheduled_after == 0 or (scheduled and scheduled >= given.scheduled_after))
end

op.read("jr_job_list", {
  limit = 100,
  cursor = 0,
  status = "",
  queue = "",
  channel = "",
  classification = "",
  scheduled_before = 0,
  scheduled_after = 0,
}, function(given)
  local key = given.queue ~= "" and keys.queue_jobs(given.queue) or keys.listing("jobs")
  return listings.page(key, given.cursor, given.limit, function(id)
    local flat = records.flat(keys.job(id), id)
    return flat and fits(texts.pairs(flat), given) and flat or nil
  end)
end)
