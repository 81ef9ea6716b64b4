--- Take work that is done outside: rules that others answer. Each task is moved ahead, to be taken again if no answer comes.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { count, lease_ms }
--- Replies: op, rows: task, asked and revision (to be given back with the answer), labels of the job, secret (the credentials of
---   the rules: they are told nowhere else); of a classification pipeline; of a scoring selectors (the active ones), rules (the
---   scoring rule), descending (1 = the greatest score is the best)
--- Refuses: BAD_CALL
--- Events: none
op.write("jr_task_lease", { count = op.NUMBER, lease_ms = op.NUMBER }, function(given)
  -- check
  if given.count < 1 or given.count > limits.LEASED_TASKS or given.lease_ms < 1 then
    refuse.bad_call("count must be 1 to " .. limits.LEASED_TASKS .. ", and lease_ms positive")
  end
  -- write
  local rows = tasks.lease(given.count, given.lease_ms)
  return { "op", op.last, "rows", rows }
end)
