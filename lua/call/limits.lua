-- Every bound in one place. What is a setting of the tenant is read with each call and kept here for its length.

--- The settings, their defaults, least values (1 unless said) and, where one call's work hangs on it, greatest values, in the
--- order in which the root hash's field `settings` lists them.
limits.SETTINGS = {
  { "keep_finished_ms", 7776000000 },
  { "keep_finished_count", 1000000 },
  { "keep_events_ms", 604800000 },
  { "keep_events_count", 1000000 },
  { "outage_ms", 5000, 0 },
  { "unassign_limit", 3 },
  { "worker_offers", 1000 },
  { "batch", 100, 1, 1000 },
  { "parked_events", 10000, 1, 100000 },
  { "keep_dead_letters_ms", 604800000 },
  { "keep_dead_letters_count", 10000 },
  { "questions", 100, 1, 1000 },
  { "recording", 0, 0, 10000000 },
}

--- A worker idle for longer is deregistered (ms).
limits.IDLE_MS = 604800000
--- A job older than this is cancelled (ms).
limits.LIFETIME_MS = 7776000000
--- What was due and has failed is tried again after so long (ms).
limits.FAILED_DUE_MS = 60000
--- An offer that is made or taken back costs as much as so many due rows: a portion of offers is a batch of rows over this.
limits.ROWS_PER_OFFER = 5
--- So many bytes of labels and tags in its event make an offer cost as much as one more.
limits.OFFER_BYTES = 16384
--- Bytes of labels and tags of jobs in the events of due rows, after which the rest of a batch waits.
limits.TOLD_BYTES = 524288
--- Rows that a listing looks at in one call.
limits.LISTED_ROWS = 1000
--- Bytes of a page after which it ends, though more rows were wanted: entities may be long.
limits.LISTED_BYTES = 1048576
--- Events that a history shows in one call, and the bytes of them after which it stops.
limits.HISTORY_ROWS = 100
limits.HISTORY_BYTES = 1048576
--- Offers that a worker remembers: those lost to another worker's acceptance, and those it has declined.
limits.REMEMBERED_OFFERS = 16
--- Queues of a worker times its labels and channels: so many places are looked at for its next job, or wait for it.
limits.REACH = 10000
--- Jobs that a worker declines between two clearings of its bars; each looks at twice as many of them.
limits.DECLINES_PER_CLEARING = 32
--- Exception rules that fire on one way into a queue; a job that queues send on for longer joins where it is.
limits.RULES_ON_THE_WAY = 100
--- Labels of a job: as many as a client may give it. Exception rules add none beyond them.
limits.LABELS = 100
--- A share's weight at most: the sum of many is a number still.
limits.WEIGHT = 1000000
--- Selectors that a classification attaches to a job, and by which it looks for a queue.
limits.SELECTORS = 100
--- Actions of one exception rule.
limits.ACTIONS = 10
--- Work that exception rules do on one way into a queue, in one due row, or in a batch of them. A rule costs one and one more
--- for each of its actions, times the so many bytes of the job's labels and selectors that are begun.
limits.RULE_WORK = 100
limits.RULE_BYTES = 512
--- Entries that a memo of decoded texts holds before it starts anew. Small: all that is remembered makes each collection of
--- Lua's garbage dearer, and with it every call.
limits.MEMO = 256
--- Bytes of text that one evaluation of an expression may work on.
limits.EXPRESSION_TEXT = 32768
--- Bytes of a text that is read as a number: people write none that is longer, and reading takes more than linear time.
limits.NUMERAL = 256
--- Tasks that a worker takes in one call.
limits.LEASED_TASKS = 100
--- Subscriptions that are taken, given back or freed in one call.
limits.TAKEN_SUBSCRIPTIONS = 100
--- Events that one commit of deliveries may speak of, and those of them that are given up or lost.
limits.COMMITTED_EVENTS = 512
limits.GIVEN_UP_EVENTS = 128
--- Dead letters that one call replays.
limits.REPLAYED_EVENTS = 100
--- Subscriptions of a tenant.
limits.SUBSCRIPTIONS = 1000
--- Subscriptions of a page: each may be long.
limits.LISTED_SUBSCRIPTIONS = 100
--- Of one subscription: tries for an event, minutes in which it has to arrive, signing secrets that are live at a time.
limits.DELIVERY_ATTEMPTS = 30
limits.DELIVERY_MINUTES = 1440
limits.SIGNING_SECRETS = 2
--- Time in which an endpoint has to agree to a subscription (ms), and the pause before one that gave no answer is asked again.
limits.HANDSHAKE_MS = 600000
limits.HANDSHAKE_PAUSE_MS = 15000
--- Workers that a ranking names: many more than a call makes offers.
limits.RANKED = 100
--- Workers that are told in one call to whoever scores them, and lanes that are looked at for them.
limits.CANDIDATES = 200
--- Compatible lanes that are looked at directly instead of walking.
limits.DIRECT_LANES = 16
--- Classes of a queue up to which compatible lanes are remembered.
limits.REMEMBERED_CLASSES = 512
--- Bytes of a text that the label index holds.
limits.INDEXED_BYTES = 64
--- Classes that are taken from the label index at a time.
limits.INDEXED_CLASSES = 512
--- So many classes of the label index cost about as much as one lane of a walk.
limits.CLASSES_PER_LANE = 4
--- Turns of a round-robin queue that a search walks before it asks the label index who fits at all.
limits.TURNS_FIRST = 64
--- Classes, and workers in them, that are then looked at each.
limits.FEW_TURNS = 256

--- Jobs, offers or workers that one reason of an explanation names.
limits.EXPLAINED_JOBS = 10
--- Reasons of a worker that tell what it holds.
limits.REASONS_IN_FULL = 3
--- Classes of a queue whose workers one call counts for a job with few selectors, about 10 µs each.
limits.SURVEYED_CLASSES = 100
limits.FEW_SELECTORS = 10
--- Workers that are explained one by one beside the counts, and how many of a queue are looked at to find them.
limits.SAMPLE = 10
limits.SAMPLED_FROM = 30
--- Queues of a worker that one call explains, and the jobs of each.
limits.EXPLAINED_QUEUES = 5
limits.FIRST_JOBS = 3
--- Open offers of a job up to which an explanation asks the matcher who would be next.
limits.QUICK_OFFERS = 64

--- The defaults by name, as specification of control fields.
function limits.defaults()
  local defaults = {}
  for i = 1, #limits.SETTINGS do
    defaults[limits.SETTINGS[i][1]] = limits.SETTINGS[i][2]
  end
  return defaults
end

local memo = { size = 0, of = {} }
local current

local function parse(text)
  local values, number = {}, string.gmatch(text, "%d+")
  for _, setting in ipairs(limits.SETTINGS) do
    values[setting[1]] = tonumber(number() or "") or setting[2]
  end
  return values
end

--- Starts a call: the settings are read when they are first asked for.
function limits.forget()
  current = nil
end

--- A setting of the tenant.
---@param name string one of SETTINGS
function limits.setting(name)
  if not current then
    local text = redis.call("HGET", keys.root, "settings") or ""
    current = memo.of[text] or memos.put(memo, text, parse(text))
  end
  return current[name]
end
