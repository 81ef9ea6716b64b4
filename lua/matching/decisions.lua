-- Decisions: what the choice of a worker for a job, or of a job for a freed worker, has looked at. It is told with the offer.

--- How many groups were searched: lanes of workers or turns of the circle; demand classes where a worker looks for a job.
decisions.searched = 0
--- How many workers (or jobs) were looked at one by one, the chosen one among them.
decisions.considered = 0

-- how many of them were passed over, by reason, and the reasons in the order in which they came
local passed, reasons_met = {}, {}

--- Starts a choice.
function decisions.begin()
  decisions.searched, decisions.considered = 0, 0
  if reasons_met[1] then
    passed, reasons_met = {}, {}
  end
end

--- One more group is searched.
function decisions.search()
  decisions.searched = decisions.searched + 1
end

--- One more worker or job is looked at.
function decisions.consider()
  decisions.considered = decisions.considered + 1
end

--- The one that is looked at is passed over.
---@param reason string declined, offered, selector or full
---@return boolean false
function decisions.pass(reason)
  if not passed[reason] then
    passed[reason] = 0
    reasons_met[#reasons_met + 1] = reason
  end
  passed[reason] = passed[reason] + 1
  return false
end

--- Of those that were passed over, the numbers by reason, as members of a JSON object; nil when there are none.
function decisions.passed()
  if not reasons_met[1] then
    return nil
  end
  local parts = {}
  for i, reason in ipairs(reasons_met) do
    parts[i] = '"' .. reason .. '":' .. passed[reason]
  end
  return table.concat(parts, ",")
end
