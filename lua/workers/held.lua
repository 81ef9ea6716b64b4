-- What a worker holds: open offers (fields o:<id> of its hash) and assignments (a:<id>), each as a text.

--- Writes or removes (nil) a field that holds an offer (o:<id>) or an assignment (a:<id>).
function held.write(worker, field, text)
  records.put(worker, field, text)
  worker.known[field] = text or false
end

--- A held offer or assignment as text in the worker's hash.
function held.offer_text(offer)
  return offer.cost
    .. " "
    .. (offer.offered_at == clock.now and clock.text or offer.offered_at)
    .. " "
    .. offer.expires_at
    .. " "
    .. texts.sized(offer.queue)
    .. texts.sized(offer.channel)
    .. offer.job
end

--- Reads an offer's text.
function held.parse_offer(id, text)
  local cost, offered_at, expires_at, from = string.match(text, "^(%d+) (%d+) (%d+) ()")
  local queue, channel
  queue, from = texts.read_sized(text, from)
  channel, from = texts.read_sized(text, from)
  return {
    id = id,
    cost = tonumber(cost),
    offered_at = tonumber(offered_at),
    expires_at = tonumber(expires_at),
    queue = queue,
    channel = channel,
    job = string.sub(text, from),
  }
end

-- one held field: as this call has left it or read it, or as it is stored
local function held_text(worker, field)
  local text = worker.known[field]
  if text == nil then
    text = redis.call("HGET", worker.key, field)
    worker.known[field] = text
  end
  return text
end

--- The open offer of this id, or nil.
function held.offer(worker, offer_id)
  local text = held_text(worker, "o:" .. offer_id)
  return text and held.parse_offer(offer_id, text) or nil
end

--- Reads an assignment's text.
function held.parse_assignment(id, text)
  local cost, assigned_at, from = string.match(text, "^(%d+) (%d+) ()")
  local channel
  channel, from = texts.read_sized(text, from)
  return {
    id = id,
    cost = tonumber(cost),
    assigned_at = tonumber(assigned_at),
    channel = channel,
    job = string.sub(text, from),
  }
end

--- The assignment of this id, or nil.
function held.assignment(worker, assignment_id)
  local text = held_text(worker, "a:" .. assignment_id)
  return text and held.parse_assignment(assignment_id, text) or nil
end

-- all fields of the hash that begin with o: or a:, as this call has left them
local function held_texts(worker)
  return records.overlay(worker, worker.stored and texts.pairs(redis.call("HGETALL", worker.key)) or {})
end

--- The open offers of a worker, oldest first: id and text of each.
function held.offers(worker)
  local sorted, list, known = {}, {}, held_texts(worker)
  for field, text in pairs(known) do
    if string.sub(field, 1, 2) == "o:" then
      -- one text to sort by: a function that compares costs more than all the rest
      sorted[#sorted + 1] = string.format("%016.0f", string.match(text, "^%d+ (%d+)")) .. field
    end
  end
  table.sort(sorted)
  for i = 1, #sorted do
    local field = string.sub(sorted[i], 17)
    list[i] = { id = string.sub(field, 3), text = known[field] }
  end
  return list
end

--- The assignments of a worker, newest first.
function held.assignments(worker)
  local list = {}
  for field, text in pairs(held_texts(worker)) do
    if string.sub(field, 1, 2) == "a:" then
      list[#list + 1] = held.parse_assignment(string.sub(field, 3), text)
    end
  end
  table.sort(list, function(a, b)
    if a.assigned_at ~= b.assigned_at then
      return a.assigned_at > b.assigned_at
    end
    return a.id < b.id
  end)
  return list
end

--- Open offers and assignments alike: each with channel and cost.
function held.all(worker)
  local list = {}
  for field, text in pairs(held_texts(worker)) do
    local kind = string.sub(field, 1, 2)
    if kind == "o:" then
      list[#list + 1] = held.parse_offer(string.sub(field, 3), text)
    elseif kind == "a:" then
      list[#list + 1] = held.parse_assignment(string.sub(field, 3), text)
    end
  end
  return list
end
