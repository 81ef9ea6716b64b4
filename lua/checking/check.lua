-- The invariants of the stored state, read from the records by themselves and compared with every index.

-- what is damaged may stop a check, but not those after it
local function attempt(name, work, ...)
  local done, failure = pcall(work, ...)
  if not done and not refuse.is_fault(failure) then
    refuse.rethrow(failure)
  end
  audit.expect(done, name, "cannot be checked:", failure)
end

--- Checks the named entities and all they link to.
---@param ids table of "<kind>:<id>"
---@return table problems texts, empty when all is sound
function check.entities(ids)
  audit.begin()
  local first = agenda.first()
  audit.expect(not first or (op.alarm > 0 and op.alarm <= first), "the alarm is later than the agenda")
  audit.expect(redis.call("HLEN", keys.void()) == op.void, "the void offers are counted wrongly")
  local filling = redis.call("ZCARD", keys.filling_jobs()) + redis.call("ZCARD", keys.filling_workers())
  audit.expect(filling == op.filling, "what is set aside is counted wrongly")
  audit.expect(redis.call("ZCARD", keys.closed()) == op.closed, "the closed queues are counted wrongly")
  local checks = {
    job = job_checks.one,
    worker = worker_checks.one,
    queue = queue_checks.one,
    subscription = subscription_checks.one,
  }
  local named = { job = {}, worker = {}, queue = {}, subscription = {} }
  for _, name in ipairs(ids) do
    local kind, id = string.match(tostring(name), "^(%a+):(.*)$")
    if not checks[kind] then
      refuse.bad_call("an id to check is job:<id>, worker:<id>, queue:<id> or subscription:<id>")
    end
    attempt(name, checks[kind], id)
    table.insert(named[kind], id)
  end
  attempt("matching", match_checks.pairs, named.job, named.worker)
  return audit.problems()
end
