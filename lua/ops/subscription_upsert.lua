--- Create (doc = 0) or replace a subscription to events. Its endpoint is asked first, unless it has agreed to the same target.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { id, doc, rev, enabled, after (of a new one: entry after which it begins;
---   0 = oldest kept, -1 = now), target (what the endpoint has to agree to), origin (URL under which it reaches the router) },
---   3 document, 4 secret (URL and signing secrets), 5 code (with which the endpoint may agree)
--- Replies: outcome (created, updated, exists), op, the record
--- Refuses: CHANGED, INVALID (after is not kept any more, or not there yet), LIMIT (as many as there may be), BAD_CALL
--- Events: none
op.write("jr_subscription_upsert", subscription_changes.specification(), subscription_changes.apply, true)
