-- The only place where a key name is made. Every key carries the tenant's hash tag; the id stands last.

local prefix

--- Whether a text is a tenant's root: the keys below it cannot then be those of another tenant.
---@param text string
function keys.is_root(text)
  return string.find(text, "^jr:{[^{}%z]+}$") ~= nil
end

--- Starts a call: all names below belong to this tenant root from here on.
---@param root string for example jr:{main}
function keys.use(root)
  if keys.root ~= root then
    keys.root = root
    prefix = root .. ":"
  end
end

function keys.job(id)
  return prefix .. "job:" .. id
end

function keys.worker(id)
  return prefix .. "worker:" .. id
end

function keys.worker_declined(id)
  return prefix .. "worker.declined:" .. id
end

function keys.queue(id)
  return prefix .. "queue:" .. id
end

function keys.queue_jobs(id)
  return prefix .. "queue.jobs:" .. id
end

function keys.queue_workers(id)
  return prefix .. "queue.workers:" .. id
end

function keys.queue_order(id)
  return prefix .. "queue.order:" .. id
end

function keys.queue_supply(id)
  return prefix .. "queue.supply:" .. id
end

function keys.queue_turn(id)
  return prefix .. "queue.turn:" .. id
end

--- Jobs of a queue whose workers others are asked to score.
function keys.queue_questions(id)
  return prefix .. "queue.questions:" .. id
end

function keys.queue_classes(id)
  return prefix .. "queue.classes:" .. id
end

function keys.queue_version(id)
  return prefix .. "queue.version:" .. id
end

--- Queues with equal labels: SHA-1 of the labels to the labels, and the version of all of this.
function keys.label_sets()
  return prefix .. "label_sets"
end

--- Which of them have a label value.
function keys.label_sets_index()
  return prefix .. "label_sets.index"
end

function keys.label_set(hash)
  return prefix .. "label_set:" .. hash
end

function keys.policy(kind, id)
  return prefix .. "policy." .. kind .. ":" .. id
end

function keys.policy_queues(kind, id)
  return prefix .. "policy.queues." .. kind .. ":" .. id
end

--- A subscription to events.
function keys.subscription(id)
  return prefix .. "subscription:" .. id
end

--- Subscriptions that are to be delivered to and that nobody has taken, by the time since when.
function keys.deliveries()
  return prefix .. "deliveries"
end

--- Those who deliver, by the end of their leases.
function keys.deliverers()
  return prefix .. "deliverers"
end

--- The subscriptions that one of them has taken.
function keys.deliverer(holder)
  return prefix .. "deliverer:" .. holder
end

--- Events of a subscription that wait for another try, or behind one that does: lane and place.
function keys.parked(id)
  return prefix .. "parked:" .. id
end

--- Their lanes by the time of the next try.
function keys.parked_due(id)
  return prefix .. "parked.due:" .. id
end

--- What is known of the tries of an event, by its place.
function keys.parked_tries(id)
  return prefix .. "parked.tries:" .. id
end

--- Events that are delivered once more from their dead letters, by their places.
function keys.parked_copies(id)
  return prefix .. "parked.copies:" .. id
end

--- Events of a subscription that were given up.
function keys.dead_letters(id)
  return prefix .. "dead_letters:" .. id
end

--- Set when a subscription has changed.
function keys.deliveries_bell()
  return prefix .. "deliveries.bell"
end

function keys.secret(kind, id)
  return prefix .. "secret." .. kind .. ":" .. id
end

function keys.class(hash)
  return prefix .. "class:" .. hash
end

function keys.class_ready(lane)
  return prefix .. "class.ready:" .. lane
end

function keys.class_labels()
  return prefix .. "class.labels"
end

function keys.demand()
  return prefix .. "demand"
end

function keys.demand_bucket(bucket)
  return prefix .. "demand.bucket:" .. bucket
end

function keys.demand_jobs(class)
  return prefix .. "demand.jobs:" .. class
end

function keys.demand_access(queue)
  return prefix .. "demand.access:" .. queue
end

--- Listing of one kind of entity, newest first by its score.
---@param kind string jobs, workers, queues, policies.<kind>, subscriptions, finished
function keys.listing(kind)
  return prefix .. kind
end

function keys.agenda()
  return prefix .. "agenda"
end

--- Jobs that are set aside while they are offered over several calls.
function keys.filling_jobs()
  return prefix .. "filling.jobs"
end

--- Workers that are set aside likewise.
function keys.filling_workers()
  return prefix .. "filling.workers"
end

--- Queues of whose jobs too many wait for others, and the place from which they are closed.
function keys.closed()
  return prefix .. "closed"
end

--- Work that is done outside, by the time at which it is to be taken.
function keys.tasks()
  return prefix .. "tasks"
end

--- Set when there is a new task.
function keys.bell()
  return prefix .. "bell"
end

--- Offers that are over but not yet taken back.
function keys.void()
  return prefix .. "void"
end

--- The same in the order in which they are taken back.
---@param number number|string op number of what made them void
function keys.revocation(number)
  return prefix .. "revocation:" .. number
end

function keys.alarm()
  return prefix .. "alarm"
end

function keys.events()
  return prefix .. "events"
end

--- The log of calls, where they are recorded.
function keys.oplog()
  return prefix .. "oplog"
end

--- Who counts what the outbox tells, and how far.
function keys.observer()
  return prefix .. "observer"
end

--- When the bucket of requests is full again.
function keys.allowance()
  return prefix .. "allowance"
end
