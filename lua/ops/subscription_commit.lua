--- Write down what a deliverer has done for a subscription. The same number again does nothing again.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { id, token (of its taking), number (1 for its first commit, then one more each),
---   cursor (number of the last entry that is done with), lost (true: entries after it are not kept any more),
---   delivered (how many were, since the last commit) }, 3 ahead (places behind the cursor that are done with, blanks between),
---   4 changes (JSON, see lua/subscriptions/commits.lua), 5 error (why the last failed try has)
--- Replies: outcome (done; outdated: somebody else has it, or it has changed; nothing was written), op, cursor, room (events
---   that may still wait for another try), empty (lanes in which none does any more), due_in (ms to the next try, -1 = none)
--- Refuses: BAD_CALL
--- Events: none
op.write(
  "jr_subscription_commit",
  { id = op.TEXT, token = op.NUMBER, number = op.NUMBER, cursor = op.NUMBER, lost = false, delivered = 0 },
  function(given, ahead, text, failure)
    -- read
    local subscription = deliveries.held(given.id, given.token)
    -- check
    local changes = commits.read(text)
    if not subscription then
      return { "outcome", "outdated", "op", op.last }
    end
    local is_new = given.number == subscription.commits + 1
    if not is_new and given.number ~= subscription.commits then
      refuse.bad_call("number must be that of the last commit or one more")
    end
    if given.cursor > tonumber(op.event) then
      refuse.bad_call("cursor is the number of an entry")
    end
    -- write
    local empty = {}
    if is_new then
      records.set(subscription, "commits", given.number)
      records.set(subscription, "cursor", math.max(given.cursor, subscription.cursor))
      records.set(subscription, "ahead", ahead and ahead ~= "" and ahead or nil)
      empty = commits.apply(subscription, changes)
      if given.lost then
        commits.skip_lost(subscription)
      end
      commits.tell(subscription, given.delivered, failure or "")
      records.save(subscription)
    end
    return {
      "outcome",
      "done",
      "op",
      op.last,
      "cursor",
      subscription.cursor,
      "room",
      parking.room(given.id),
      "empty",
      empty,
      "due_in",
      parking.due_in(given.id),
    }
  end
)
