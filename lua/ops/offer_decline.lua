--- Decline an offer: the job goes to others, the worker is not asked again before its retry time.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { worker, offer, retry_at (epoch ms, 0 = not in this registration), request_id }
--- Replies: op
--- Refuses: NOT_FOUND (no such open offer of this worker)
--- Events: OfferDeclined

-- the same request again: the worker remembers what it has refused last
local function repeated(given)
  local worker = given.request_id ~= "" and workers.load(given.worker)
  local entry = given.offer .. given.request_id .. "\n"
  return worker and string.find(workers.whole(worker).refused or "", entry, 1, true) ~= nil
end

op.write("jr_offer_decline", { worker = op.TEXT, offer = op.TEXT, retry_at = 0, request_id = "" }, function(given)
  -- read
  if repeated(given) then
    return { "op", op.last }
  end
  -- check
  local worker, offer = offers.find(given.worker, given.offer)
  offers.check_open(offer, given, "DeclineOfferCommandHandler")
  local job = jobs.load(offer.job)
  -- write
  op.number()
  offers.decline(job, worker, offer, given.retry_at, given.request_id)
  return { "op", op.number() }
end)
