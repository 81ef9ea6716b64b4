--- Agree to a subscription by the code that its endpoint was sent. Who has the code needs no key.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { id, look (boolean: only tell whether the code is valid) }, 3 code
--- Replies: op
--- Refuses: NOT_FOUND (no such subscription or code, or not any more)
--- Events: none
op.write("jr_subscription_confirm", { id = op.TEXT, look = false }, function(given, code)
  -- read
  local subscription = subscriptions.load(given.id)
  -- check
  handshakes.check(subscription, given.id, code or "")
  if given.look then
    return { "op", 0 }
  end
  -- write
  handshakes.confirm(subscription)
  return { "op", op.number() }
end)
