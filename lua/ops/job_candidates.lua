--- Some of the workers that others are asked to score for a job: all that are ready and eligible, from call to call.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { id, asked (number of the question), after (empty at first, then next) }
--- Replies: next (empty = there are no more, or the question is outdated), rows: worker, avail (an op number: available since),
---   labels (without Id)
--- Refuses: BAD_CALL
--- Events: none
op.read("jr_job_candidates", { id = op.TEXT, asked = op.NUMBER, after = "" }, function(given)
  local job, rows, next_after = jobs.load(given.id), {}, ""
  if job and job.scoring == given.asked then
    rows, next_after = scorings.candidates(job, given.after)
  end
  return { "next", next_after, "rows", rows }
end)
