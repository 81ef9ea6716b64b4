-- Round robin: the next ready worker by id after the one that got the queue's last offer, around the circle.

-- what a search needs to know of a class, or false where it does not fit
local function suit(wanted, hash)
  local class = classes.get(hash)
  local lane, channel = supply.lane(class, wanted.channel)
  if not lane or not selectors.class_fits(wanted.selectors, class.labels) then
    return false
  end
  return { class = class, lane = lane, channel = channel, top = supply.top(class, channel) }
end

-- the worker of a turn, when it may be asked; notes a turn whose worker has no room at all
local function taken_turn(job, wanted, member, search)
  local id, hash = string.sub(member, 1, -42), string.sub(member, -40)
  local found = search.suits[hash]
  if found == nil then
    found = suit(wanted, hash)
    search.suits[hash] = found
  end
  if not found then
    return nil
  end
  local ready = false
  for _, other in ipairs(found.class.lanes) do
    local score = redis.call("ZSCORE", keys.class_ready(other.name), id)
    ready = ready or score
    if
      score
      and other.name == found.lane
      and tonumber(score) <= found.top
      and modes.may_ask(job, wanted, found.class, found.channel, id)
    then
      return { worker = id }
    end
  end
  if not ready then
    search.idle[#search.idle + 1] = member
  end
  return nil
end

local function walk_turns(job, wanted, from, to, search)
  local turns, count, asked = keys.queue_turn(wanted.queue), 4, 0
  while true do
    local members = redis.call("ZRANGEBYLEX", turns, from, to, "LIMIT", 0, count)
    for _, member in ipairs(members) do
      local pick = taken_turn(job, wanted, member, search)
      if pick then
        return pick
      end
    end
    if #members < count then
      return nil
    end
    asked = asked + count
    if asked > 64 and asked - count <= 64 and not longest_idle.pick(job, wanted, false) then
      return nil
    end
    from, count = "(" .. members[#members], math.min(count * 2, 256)
  end
end

--- The next ready worker by id after the one that got the queue's last offer, around the circle.
function round_robin.pick(job, wanted, alone)
  if alone and demand.is_stuck(wanted.name, job.id) then
    return nil
  end
  local cursor, search = queues.cursor(wanted.queue), { suits = {}, idle = {} }
  local pick
  if cursor then
    pick = walk_turns(job, wanted, "(" .. cursor .. "\0g", "+", search)
      or walk_turns(job, wanted, "-", "[" .. cursor .. "\0g", search)
  else
    pick = walk_turns(job, wanted, "-", "+", search)
  end
  supply.corrections = nil
  supply.idle_turns(wanted.queue, search.idle)
  return pick
end
