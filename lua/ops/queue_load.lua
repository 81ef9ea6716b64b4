--- Count the waiting jobs and the ready workers of a queue by channel, a slice at a time.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { id, jobs (place of the slice's first waiting job, from 0; -1 = none are
---   wanted), classes (cursor of the classes of workers, 0 at first; empty = none are wanted) }
--- Replies: length (waiting jobs), next_jobs (-1 = all are counted), next_classes (empty = all are counted), rows: channel,
---   jobs, workers (with room for one more of the channel)
--- Refuses: NOT_FOUND
--- Events: none

local SLICE, CLASSES = 250, "100"

local function count(rows, channel, name, number)
  rows[channel] = rows[channel] or { jobs = 0, workers = 0 }
  rows[channel][name] = rows[channel][name] + number
end

-- waiting jobs from a place on; gives the next place
local function count_jobs(rows, queue_id, from)
  local ids = redis.call("ZRANGE", keys.queue_order(queue_id), from, from + SLICE - 1)
  for _, id in ipairs(ids) do
    count(rows, redis.call("HGET", keys.job(id), "channel"), "jobs", 1)
  end
  return #ids == SLICE and from + SLICE or -1
end

-- some classes of workers; gives the next cursor
local function count_workers(rows, queue_id, cursor)
  local found = redis.call("SSCAN", keys.queue_classes(queue_id), cursor, "COUNT", CLASSES)
  for _, hash in ipairs(found[2]) do
    local class = classes.get(hash)
    for id in pairs(class.channels) do
      local lane, channel = supply.lane(class, id)
      local top = string.format("%.0f", supply.top(class, channel))
      count(rows, id, "workers", redis.call("ZCOUNT", keys.class_ready(lane), "-inf", top))
    end
  end
  return found[1] == "0" and "" or found[1]
end

op.read("jr_queue_load", { id = op.TEXT, jobs = 0, classes = "0" }, function(given)
  if given.classes ~= "" and not string.find(given.classes, "^%d+$") then
    refuse.bad_call("classes must be a cursor")
  end
  if not queues.load(given.id) then
    refuse.not_found("The item was not found.")
  end
  local rows = {}
  local next_jobs = given.jobs >= 0 and count_jobs(rows, given.id, given.jobs) or -1
  local next_classes = given.classes ~= "" and count_workers(rows, given.id, given.classes) or ""
  local shown = {}
  for channel, counts in pairs(rows) do
    shown[#shown + 1] = { "channel", channel, "jobs", counts.jobs, "workers", counts.workers }
  end
  table.sort(shown, function(a, b)
    return texts.before(a[2], b[2])
  end)
  return {
    "length",
    redis.call("ZCARD", keys.queue_order(given.id)),
    "next_jobs",
    next_jobs,
    "next_classes",
    next_classes,
    "rows",
    shown,
  }
end)
