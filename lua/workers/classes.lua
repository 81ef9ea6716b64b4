-- Supply classes: workers with equal queues, channels, capacity, offer limit and labels are interchangeable but for load, idle
-- time and id. A class is named by the SHA-1 of its text.

local memo = { size = 0, of = {}, most = 16384 }

local function sorted_lines(lines, mark)
  local list = {}
  for line in lines do
    list[#list + 1] = mark .. line
  end
  table.sort(list)
  return table.concat(list, "\n")
end

function classes.text_of(worker)
  local parts = { (worker.capacity or 0) .. "\t" .. (worker.max_offers or 0) }
  for _, part in ipairs({
    sorted_lines(texts.lines(worker.queues or ""), "Q"),
    sorted_lines(texts.lines(worker.channels or ""), "C"),
    sorted_lines(document.lines(worker.labels or ""), "L"),
  }) do
    if part ~= "" then
      parts[#parts + 1] = part
    end
  end
  return table.concat(parts, "\n")
end

local function add_channel(class, line)
  local id, cost, most = string.match(line, "^([^\t]*)\t([^\t]*)\t([^\t]*)$")
  local channel = { id = document.value(id), cost = tonumber(cost), max = tonumber(most) }
  class.channels[channel.id] = channel
  if channel.max then
    class.limited = true
    class.lanes[#class.lanes + 1] = { name = class.hash .. ":" .. channel.id, cost = channel.cost, channel = channel }
  elseif not class.general then
    class.general = { name = class.hash, cost = channel.cost }
    table.insert(class.lanes, 1, class.general)
  else
    class.general.cost = math.min(class.general.cost, channel.cost)
  end
end

local function parse(hash, text)
  local class = { hash = hash, queues = {}, serves = {}, channels = {}, lanes = {} }
  local labels = {}
  for line in texts.lines(text) do
    local mark, rest = string.sub(line, 1, 1), string.sub(line, 2)
    if mark == "Q" then
      local queue = document.value(rest)
      class.queues[#class.queues + 1] = queue
      class.serves[queue] = true
    elseif mark == "C" then
      add_channel(class, rest)
    elseif mark == "L" then
      labels[#labels + 1] = rest
    else
      local total, offers_limit = string.match(line, "^(%d+)\t(%d+)$")
      class.capacity, class.max_offers = tonumber(total), tonumber(offers_limit)
    end
  end
  class.labels = document.members(document.of_lines(labels))
  return class
end

--- A class by its SHA-1 and its text.
function classes.remember(hash, text)
  return memo.of[hash] or memos.put(memo, hash, parse(hash, text))
end

--- A class by the SHA-1 of its text.
function classes.get(hash)
  return memo.of[hash] or classes.remember(hash, redis.call("HGET", keys.class(hash), "text"))
end

--- The same; nil for one that has lost its last member, unless it is remembered.
function classes.find(hash)
  local text = not memo.of[hash] and redis.call("HGET", keys.class(hash), "text")
  return memo.of[hash] or (text and classes.remember(hash, text)) or nil
end

--- The class of a worker: if it is not active, the one that it would join.
function classes.of(worker)
  if worker.class then
    return classes.get(worker.class)
  end
  local text = classes.text_of(workers.whole(worker))
  return classes.remember(redis.sha1hex(text), text)
end

--- Open offers that a worker of a class may have.
function classes.offer_limit(class)
  local most = op.worker_offers
  return class.max_offers > 0 and class.max_offers < most and class.max_offers or most
end
