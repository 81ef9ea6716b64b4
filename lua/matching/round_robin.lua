-- Round robin: the next ready worker by id after the one that got the queue's last offer, around the circle.

-- what a search needs to know of a class, or false where it does not fit
local function suit(wanted, hash, search)
  local found = search.suits[hash]
  if found == nil then
    local class = classes.get(hash)
    local lane, channel = supply.lane(class, wanted.channel)
    found = lane
      and class.serves[wanted.queue]
      and selectors.class_fits(wanted.selectors, class.labels)
      and { class = class, lane = lane, channel = channel, top = supply.top(class, channel) }
    search.suits[hash] = found or false
  end
  return found
end

-- the worker of a turn, when it may be asked; notes a turn whose worker has no room at all
local function taken_turn(job, wanted, member, search)
  decisions.search()
  local id, hash = string.sub(member, 1, -42), string.sub(member, -40)
  local found = suit(wanted, hash, search)
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

-- the ready workers of the classes that fit, each with its class, or nil where the label index does not tell or they are many
local function few_that_fit(wanted, search)
  local range, few = label_index.narrowest(keys.class_labels(), wanted.selectors), {}
  if not range or range.count > limits.FEW_TURNS then
    return nil
  end
  label_index.each_portion(keys.class_labels(), range, function(hashes)
    for _, hash in ipairs(hashes) do
      local found, left = suit(wanted, hash, search), limits.FEW_TURNS + 1 - #few
      local ids = found
          and redis.call("ZRANGEBYSCORE", keys.class_ready(found.lane), "-inf", found.top, "LIMIT", 0, left)
        or {}
      for _, id in ipairs(ids) do
        few[#few + 1] = { id = id, class = found.class, channel = found.channel }
      end
    end
  end)
  return #few <= limits.FEW_TURNS and few or nil
end

-- the next of a few workers around the circle
local function next_of(job, wanted, few, cursor)
  local best
  for _, one in ipairs(few) do
    one.around = cursor and not texts.before(cursor, one.id) or false
    local sooner = not best
    if best and one.around ~= best.around then
      sooner = best.around
    elseif best then
      sooner = texts.before(one.id, best.id)
    end
    if sooner and modes.may_ask(job, wanted, one.class, one.channel, one.id) then
      best = one
    end
  end
  return best and { worker = best.id }
end

-- the first turn of a range that may be taken; false where it is certain that none of the whole circle may
local function walk_turns(job, wanted, from, to, search)
  local turns, count = keys.queue_turn(wanted.queue), 4
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
    search.walked = search.walked + count
    if search.walked > limits.TURNS_FIRST and not search.is_long then
      search.is_long = true
      local few = few_that_fit(wanted, search)
      if few then
        return next_of(job, wanted, few, search.cursor) or false
      elseif not longest_idle.pick(job, wanted, false) then
        return false
      end
    end
    from, count = "(" .. members[#members], math.min(count * 2, 256)
  end
end

--- The next ready worker by id after the one that got the queue's last offer, around the circle.
function round_robin.pick(job, wanted, alone)
  if alone and demand.is_stuck(wanted.name, job.id) then
    return nil
  end
  local cursor = queues.cursor(wanted.queue)
  local search = { cursor = cursor, suits = {}, idle = {}, walked = 0 }
  local pick = walk_turns(job, wanted, cursor and "(" .. cursor .. "\0g" or "-", "+", search)
  if pick == nil and cursor then
    pick = walk_turns(job, wanted, "-", "[" .. cursor .. "\0g", search)
  end
  supply.corrections = nil
  supply.idle_turns(wanted.queue, search.idle)
  if not pick then
    return nil
  end
  pick.after = cursor
  return pick
end
