-- What an upsert of a subscription changes: its document, its secret, whether its endpoint has to be asked.

local function verify(given, subscription, document_text, secret, code)
  subscription_documents.check(document_text)
  subscription_documents.check_secret(secret)
  if given.target == "" or not code or #code < 16 then
    refuse.bad_call("target and a code of at least 16 characters are needed")
  end
  if given.after < -1 then
    refuse.bad_call("after must be -1 (from now on), 0 (from the oldest kept) or the number of an entry")
  end
  if not subscription and redis.call("ZCARD", keys.listing("subscriptions")) >= limits.SUBSCRIPTIONS then
    refuse.limit("there are " .. limits.SUBSCRIPTIONS .. " subscriptions already, as many as there may be")
  end
end

local function change_status(subscription, given, code)
  records.set(subscription, "target", given.target)
  if not given.enabled then
    handshakes.stop(subscription)
    subscriptions.stop(subscription, "disabled")
  elseif subscription.agreed ~= given.target then
    handshakes.begin(subscription, code, given.origin)
  else
    handshakes.stop(subscription)
    if subscriptions.delivers(subscription) then
      -- anew: who delivers must learn what has changed
      deliveries.start(subscription)
    else
      subscriptions.deliver(subscription)
    end
  end
end

--- Control fields of both operations.
function subscription_changes.specification()
  return { id = op.TEXT, doc = 0, rev = -1, enabled = true, after = -1, target = "", origin = "" }
end

--- The body of both operations.
function subscription_changes.apply(given, document_text, secret, code)
  -- read
  local subscription = subscriptions.load(given.id)
  -- check
  if upsert.check(subscription, given) then
    return subscriptions.with_secret(upsert.reply("exists", subscription), given.id)
  end
  verify(given, subscription, document_text, secret, code)
  local cursor = subscription and subscription.cursor or subscriptions.first_cursor(given.after)
  -- write
  local outcome = subscription and "updated" or "created"
  op.number()
  if not subscription then
    subscription = subscriptions.new(given.id)
    records.set(subscription, "created", op.number())
    records.set(subscription, "cursor", cursor)
    listings.add("subscriptions", given.id, op.number())
  end
  upsert.count(subscription)
  records.set(subscription, "document", document_text)
  redis.call("SET", keys.secret("subscription", given.id), secret)
  change_status(subscription, given, code)
  local reply = upsert.reply(outcome, subscription)
  records.save(subscription)
  subscriptions.ring()
  return reply
end
