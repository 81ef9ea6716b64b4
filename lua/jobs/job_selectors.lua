-- The worker selectors of a job in time: which are active, when the next runs out, what has run out.

-- calls a function for each selector, requested before attached
local function each_selector(job, visit)
  for _, selector in ipairs(selectors.list(job.selectors or "")) do
    visit(selector, "requested")
  end
  for _, selector in ipairs(selectors.list(job.attached or "")) do
    visit(selector, "attached")
  end
end

--- The active selectors of a job.
function job_selectors.active(job)
  if job.active then
    return job.active
  end
  local active = {}
  job.active = active
  if not job.selectors and not job.attached then
    return active
  end
  each_selector(job, function(selector)
    if selectors.is_active(selector, job.enqueued_at, job.expired_to or 0) then
      active[#active + 1] = selector
    end
  end)
  return active
end

--- Puts the next selector expiry of a queued job on the agenda.
function job_selectors.arm(job)
  if not job.selectors and not job.attached and not job.selector_at then
    return
  end
  local earliest
  each_selector(job, function(selector)
    local expires = selectors.expires_at(selector, job.enqueued_at)
    if expires and expires > (job.expired_to or 0) and (not earliest or expires < earliest) then
      earliest = expires
    end
  end)
  if job.selector_at and not earliest then
    agenda.remove("selector:" .. job.id)
  elseif earliest and earliest ~= job.selector_at then
    agenda.add("selector:" .. job.id, earliest)
  end
  jobs.set(job, "selector_at", earliest)
end

--- Marks what has run out up to now, with one event for all of it
function job_selectors.expire(job)
  if not job.selectors and not job.attached then
    return
  end
  local before, requested, attached = job.expired_to or 0, {}, {}
  each_selector(job, function(selector, kind)
    local expires = selectors.expires_at(selector, job.enqueued_at)
    if expires and expires > before and expires <= clock.now then
      local list = kind == "requested" and requested or attached
      list[#list + 1] = selector
    end
  end)
  if #requested + #attached > 0 then
    jobs.set(job, "expired_to", clock.now)
    scorings.withdraw(job)
    job_events.selectors_expired(job, requested, attached)
  end
end

--- Selectors of a client: one that is equal in all members to an old one keeps its start, the others are added now.
function job_selectors.started(job, text)
  local kept = {}
  for _, selector in ipairs(selectors.list(job.selectors or "")) do
    local plain = selectors.stamped(selector)
    kept[plain] = kept[plain] or {}
    table.insert(kept[plain], selector.line)
  end
  local list = {}
  for _, selector in ipairs(selectors.list(text)) do
    local plain = selectors.stamped(selector)
    local old = kept[plain] and table.remove(kept[plain], 1)
    list[#list + 1] = old or selectors.stamped(selector, job.enqueued_at and clock.now or nil)
  end
  return table.concat(list, "\n")
end

--- A due row: some selectors have run out.
function job_selectors.due(id)
  local job = jobs.load(id)
  if job and job.status == "queued" then
    op.number()
    jobs.set(job, "selector_at", nil)
    job_selectors.expire(job)
    job_selectors.arm(job)
    match.touch_job(job)
  end
end
