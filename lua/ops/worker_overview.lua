--- Show workers as they stand, newest first: their load, what they hold, and since when.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { limit, cursor, queue }
--- Replies: next (0 on the last page), rows: id, state, used, capacity, since_ms (time of its last event; 0 = not kept any
---   more), offers (id, job, queue, channel, offered_at, expires_at), assignments (id, job, channel, assigned_at)
--- Refuses: BAD_CALL
--- Events: none

-- when the last event of a worker was
local function time_of(place)
  local entry = place and string.match(place, "^(%d+)")
  local found = entry and redis.call("XRANGE", keys.events(), entry .. "-0", entry .. "-0")[1]
  return found and texts.pairs(found[2]).at or 0
end

local function offers_of(worker)
  local rows = {}
  for _, one in ipairs(held.offers(worker)) do
    local offer = held.parse_offer(one.id, one.text)
    if not revocations.reason(offer.id) and offer.expires_at > clock.now then
      rows[#rows + 1] = {
        "id",
        offer.id,
        "job",
        offer.job,
        "queue",
        offer.queue,
        "channel",
        offer.channel,
        "offered_at",
        offer.offered_at,
        "expires_at",
        offer.expires_at,
      }
    end
  end
  return rows
end

local function assignments_of(worker)
  local rows = {}
  for i, one in ipairs(held.assignments(worker)) do
    rows[i] = { "id", one.id, "job", one.job, "channel", one.channel, "assigned_at", one.assigned_at }
  end
  return rows
end

op.read("jr_worker_overview", { limit = 100, cursor = 0, queue = "" }, function(given)
  if given.limit > 100 then
    refuse.bad_call("limit must be between 1 and 100")
  end
  local key = given.queue ~= "" and keys.queue_workers(given.queue) or keys.listing("workers")
  return listings.page(key, given.cursor, given.limit, function(id)
    local worker = workers.load(id)
    if not worker then
      return nil
    end
    workers.whole(worker)
    return {
      "id",
      id,
      "state",
      worker.state,
      "used",
      worker.used,
      "capacity",
      worker.capacity or 0,
      "since_ms",
      time_of(worker.event),
      "offers",
      offers_of(worker),
      "assignments",
      assignments_of(worker),
    }
  end)
end)
