--- Create (doc = 0) or replace a classification, distribution or exception policy.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { kind, id, doc, rev, and by kind: expires_ms, mode, min_offers, max_offers,
---   bypass, descending; uses; fallback }, 3 document, 4 secret, 5 rules, 6 pipeline
--- Replies: outcome (created, updated, exists), op, the record
--- Refuses: CHANGED, INVALID (a classification policy or queue that it names does not exist), BAD_CALL
--- Events: none by itself; offers may follow from a changed distribution policy, rules fire when they are due
op.write("jr_policy_upsert", policy_changes.specification(), policy_changes.apply, true)
