--- Answer a task: what its rules have given, or why they have not; of a scoring a ranking. What follows happens in this call.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { task, asked, revision }, 3 answers
--- Replies: op, outcome (done, outdated: the question has changed, and stands anew)
--- Refuses: BAD_CALL
--- Events: JobClassified or JobClassificationFailed, JobExceptionTriggered (each rule), JobQueued; or OfferIssued (each)
op.write("jr_task_answer", { task = op.TEXT, asked = op.NUMBER, revision = op.NUMBER }, function(given, text)
  -- check
  local answers = tasks.read(given.task, text)
  -- write
  local done = tasks.answer(given.task, given, answers)
  return { "op", op.last, "outcome", done and "done" or "outdated" }
end)
