--- Verify the invariants of the named entities and of all they link to. Give all ids of a small store to verify all of it.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { ids: ["job:<id>", "worker:<id>", "queue:<id>", "subscription:<id>" …] }
--- Replies: op, problems (texts; empty when all is sound)
--- Refuses: BAD_CALL
--- Events: none
op.read("jr_check", { ids = {} }, function(given)
  return { "op", op.last, "problems", check.entities(given.ids) }
end)
