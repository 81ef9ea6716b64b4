--- Try a rule expression on labels. It reads nothing else: what it gives is what a policy with it would decide by.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON {}, 3 tree (the compiled expression), 4 job, 5 worker, 6 queue (labels)
--- Replies: kind (number, text, boolean, blank, error), value (as text; of an error, its reason)
--- Refuses: BAD_CALL
--- Events: none

local KINDS = { number = "number", string = "text", boolean = "boolean", ["nil"] = "blank" }

op.read("jr_expression_evaluate", {}, function(_, tree, job, worker, queue)
  if not tree or not expressions.is_tree(tree) then
    refuse.bad_call("the third argument is not the tree of an expression")
  end
  formats.members(job)
  formats.members(worker)
  formats.members(queue)
  local value, reason = expressions.evaluate(tree, {
    job = document.members(job or ""),
    worker = document.members(worker or ""),
    queue = document.members(queue or ""),
  })
  if reason then
    return { "kind", "error", "value", reason }
  end
  local shown = type(value) == "number" and numerals.format(value) or value == nil and "" or tostring(value)
  return { "kind", KINDS[type(value)], "value", shown }
end)
