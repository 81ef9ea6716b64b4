-- Round robin: the next ready worker by id after the one that got the queue's last offer, around the circle.

-- the worker of a turn, when it may be asked; notes a turn whose worker has no room at all
local function taken_turn(job, wanted, member, idle)
  local id, hash = string.match(member, "^(.*)%z(%x+)$")
  local class = classes.get(hash)
  local lane, channel = supply.lane(class, wanted.channel)
  local ready = false
  for _, other in ipairs(class.lanes) do
    local score = redis.call("ZSCORE", keys.class_ready(other.name), id)
    ready = ready or score
    if
      score
      and other.name == lane
      and tonumber(score) <= supply.top(class, channel)
      and selectors.class_fits(wanted.selectors, class.labels)
      and modes.may_ask(job, wanted, class, channel, id)
    then
      return { worker = id }
    end
  end
  if not ready then
    idle[#idle + 1] = member
  end
  return nil
end

local function walk_turns(job, wanted, from, to, idle)
  local turns, count, asked = keys.queue_turn(wanted.queue), 4, 0
  while true do
    local members = redis.call("ZRANGEBYLEX", turns, from, to, "LIMIT", 0, count)
    for _, member in ipairs(members) do
      local pick = taken_turn(job, wanted, member, idle)
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
  local cursor, idle = queues.cursor(wanted.queue), {}
  local pick
  if cursor then
    pick = walk_turns(job, wanted, "(" .. cursor .. "\0g", "+", idle)
      or walk_turns(job, wanted, "-", "[" .. cursor .. "\0g", idle)
  else
    pick = walk_turns(job, wanted, "-", "+", idle)
  end
  supply.corrections = nil
  supply.idle_turns(wanted.queue, idle)
  return pick
end
