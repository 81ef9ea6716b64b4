--- Accept an offer: the job is assigned to the worker, its other offers are revoked.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { worker, offer, request_id }
--- Replies: op, assignment, job, worker
--- Refuses: NOT_FOUND (no such open offer of this worker), TAKEN (another worker was faster)
--- Events: OfferAccepted, OfferRevoked (each other offer)

local function reply(job)
  return { "op", op.last, "assignment", job.assignment, "job", job.id, "worker", job.worker }
end

-- the same request again: what it made stands in the worker's assignment
local function repeated(given)
  local worker = given.request_id ~= "" and workers.load(given.worker)
  if not worker or worker.assigned == 0 then
    return nil
  end
  for _, assignment in ipairs(held.assignments(worker)) do
    local job = jobs.load(assignment.job)
    if job.accepted_offer == given.offer and job.accept_request == given.request_id then
      return job
    end
  end
  return nil
end

op.write("jr_offer_accept", { worker = op.TEXT, offer = op.TEXT, request_id = "" }, function(given)
  -- read
  local worker, offer = offers.find(given.worker, given.offer)
  if not offer or revocations.reason(given.offer) then
    local done = worker and repeated(given)
    if done then
      return reply(done)
    end
    -- check
    if worker and offers.was_lost(worker, given.offer) then
      refuse.taken("The job was already accepted by another worker.")
    end
  end
  offers.check_open(offer, given, "AcceptOfferCommandHandler")
  local job = jobs.load(offer.job)
  -- write
  op.number()
  offers.accept(job, worker, offer, given.request_id)
  return reply(job)
end)
