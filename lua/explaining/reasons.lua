-- Reasons: the closed list of what explanations say. A reason is a flat list, name and value in turn, its code first.

--- All codes. engine/reasons.py has the sentence of each.
reasons.CODES = {
  -- of the job
  not_queued = true,
  being_classified = true,
  scheduled = true,
  suspended = true,
  job_set_aside = true,
  being_scored = true,
  waits_for_scores = true,
  maximum_of_offers = true,
  -- of a worker
  not_registered = true,
  worker_set_aside = true,
  not_on_queue = true,
  channel_missing = true,
  selector_failed = true,
  already_offered = true,
  declined = true,
  capacity_full = true,
  channel_maximum = true,
  offer_limit = true,
  outranked = true,
  -- of many workers
  busy = true,
  -- of the job, or of a worker
  behind_jobs = true,
}

--- Adds details to a reason; what is not known is left out.
---@param reason table
function reasons.tell(reason, ...)
  for i = 1, select("#", ...), 2 do
    local name, value = select(i, ...)
    if value ~= nil then
      reason[#reason + 1], reason[#reason + 2] = name, value
    end
  end
end

--- Adds a reason to a list, with its details.
---@param list table
---@param code string
function reasons.add(list, code, ...)
  if not reasons.CODES[code] then
    error("'" .. code .. "' is no code of a reason")
  end
  local reason = { "code", code }
  reasons.tell(reason, ...)
  list[#list + 1] = reason
  return reason
end

--- Adds reasons to the rows of a reply, each with what it is about.
---@param rows table
---@param about string
---@param list table
function reasons.add_rows(rows, about, list, ...)
  for _, reason in ipairs(list) do
    reasons.tell(reason, "about", about, ...)
    rows[#rows + 1] = reason
  end
end
