--- Deliver events once more that were given up: those of the ids, or the oldest portion up to an id. They leave the dead letters.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { id, ids, after, last (without ids: those after
---   one, up to another; "" = from the first, to the last) }
--- Replies: op, replayed, next (without ids: after of the next portion, "" when this was the last)
--- Refuses: NOT_FOUND, LIMIT (too many events wait already), BAD_CALL
--- Events: none
op.write("jr_dead_letter_replay", { id = op.TEXT, ids = {}, after = "", last = "" }, function(given)
  -- read
  local subscription = subscriptions.need(given.id)
  -- check
  if #given.ids > limits.REPLAYED_EVENTS then
    refuse.bad_call("ids are at most " .. limits.REPLAYED_EVENTS)
  end
  for _, id in ipairs(given.ids) do
    dead_letters.check_id(id)
  end
  dead_letters.check_id(given.after)
  dead_letters.check_id(given.last)
  if parking.size(given.id) >= limits.setting("parked_events") then
    refuse.limit("as many events as may wait for another try do already")
  end
  -- write
  local found, more_from = dead_letters.chosen(given.id, given.ids, given.after, given.last)
  local replayed = dead_letters.replay(subscription, found)
  return { "op", op.last, "replayed", replayed, "next", more_from }
end)
