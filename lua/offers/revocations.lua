-- Revocations: open offers that are taken back because their job or their worker has changed, at most one portion a call.
--
-- What exceeds the portion is void at once: it is accepted, declined and shown no more. Its capacity returns, and its event
-- comes, when the agenda takes it back, portion by portion. The hash `void` says which offers are void, the list
-- `revocation:<op>` in which order they are taken back.

--- Starts what may take back one portion: all that is due at the beginning of a call, then the operation itself.
function revocations.begin()
  revocations.spent = 0
end

--- Is the portion spent?
function revocations.are_spent()
  return revocations.spent >= op.portion
end

--- Why an offer is void: "lost" to another worker's acceptance or "revoked"; nil when it is not.
function revocations.reason(offer_id)
  local mark = op.void > 0 and redis.call("HGET", keys.void(), offer_id)
  return mark and string.match(mark, "^%a+") or nil
end

--- Takes the void offers out of a worker's record as a read shows it.
---@param flat table name-value list
function revocations.hide(flat)
  local ids = {}
  for i = 1, op.void > 0 and #flat or 0, 2 do
    ids[#ids + 1] = string.match(flat[i], "^o:(.*)")
  end
  if #ids == 0 then
    return flat
  end
  local void, shown = {}, {}
  for from, to in portions.of(ids) do
    for i, mark in ipairs(redis.call("HMGET", keys.void(), unpack(ids, from, to))) do
      void["o:" .. ids[from + i - 1]] = mark
    end
  end
  for i = 1, #flat, 2 do
    if not void[flat[i]] then
      shown[#shown + 1], shown[#shown + 2] = flat[i], flat[i + 1]
    end
  end
  return shown
end

-- ---- void ---------------------------------------------------------------------------------------------------------------

-- the marks that some offers have already, in the same order
local function marks_of(list)
  if op.void == 0 then
    return {}
  end
  local ids = {}
  for i, one in ipairs(list) do
    ids[i] = one.id
  end
  return redis.call("HMGET", keys.void(), unpack(ids))
end

-- what is left to be taken back: void from now on
local function put_off(list, first, lost)
  local number = op.number()
  for from, to in portions.of(list, first) do
    local part = { unpack(list, from, to) }
    local had, marks, entries = marks_of(part), {}, {}
    for i, one in ipairs(part) do
      local is_lost = lost or (had[i] and string.find(had[i], "lost", 1, true))
      marks[2 * i - 1], marks[2 * i] = one.id, (is_lost and "lost " or "revoked ") .. number
      -- the text of a worker's offer says all of it, for the worker may be deleted
      entries[i] = one.id .. texts.sized(one.worker) .. (one.text or "")
    end
    op.void = op.void + redis.call("HSET", keys.void(), unpack(marks))
    redis.call("RPUSH", keys.revocation(number), unpack(entries))
  end
  op.change_rest()
  agenda.add("revoke:" .. number, clock.now)
end

-- an offer that is taken back is not void any more; the reason why it was
local function lift(offer_id)
  local reason = revocations.reason(offer_id)
  if reason then
    redis.call("HDEL", keys.void(), offer_id)
    op.void = op.void - 1
    op.change_rest()
  end
  return reason
end

local function take_back(worker_id, offer, lost)
  revocations.spent = revocations.spent + 1
  local reason = lift(offer.id)
  offers.revoke(worker_id, offer, lost or reason == "lost")
end

-- ---- taking back ----------------------------------------------------------------------------------------------------------

--- Revokes all open offers of a job: it has none from now on.
---@param lost boolean|nil whether another worker has taken the job: then the losers remember it
function revocations.of_job(job, lost)
  if offers.open_of(job) == 0 then
    return
  end
  local list = offers.of_job(job)
  offers.leave_all(job)
  match.touch_job(job)
  for i, open in ipairs(list) do
    if revocations.are_spent() then
      put_off(list, i, lost)
      return
    end
    -- those of a deleted worker are taken back with the rest of its offers
    local worker = workers.load(open.worker)
    local offer = worker and held.offer(worker, open.id)
    if offer then
      take_back(open.worker, offer, lost)
    end
  end
end

--- Revokes some of the offers that a worker holds.
---@param list table id and text of each
function revocations.of_worker(worker, list)
  for i = 1, #list do
    if revocations.are_spent() then
      for k = i, #list do
        list[k].worker = worker.id
      end
      put_off(list, i)
      return
    end
    take_back(worker.id, held.parse_offer(list[i].id, list[i].text))
  end
end

--- A due row: the next portion of void offers.
---@param number string op number of what made them void
function revocations.due(number)
  op.number()
  local key = keys.revocation(number)
  for _, entry in ipairs(redis.call("LPOP", key, op.portion - revocations.spent) or {}) do
    local id, worker_id, from = string.sub(entry, 1, 36), texts.read_sized(entry, 37)
    local worker = workers.load(worker_id)
    local offer = worker and held.offer(worker, id)
    if not offer and from <= #entry then
      offer = held.parse_offer(id, string.sub(entry, from))
    end
    -- meanwhile it may have been taken back for another reason
    if offer and revocations.reason(id) then
      take_back(worker_id, offer)
    end
  end
  if redis.call("EXISTS", key) == 1 then
    agenda.add("revoke:" .. number, clock.now)
  end
end
