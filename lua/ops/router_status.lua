--- State of the router itself: versions, settings, and how late its agenda is.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON {}
--- Replies: version, digest, data_version, op, swept_at, next (due time, 0 = none), overdue_ms, each setting
--- Refuses: VERSION (the data were written by another version)
--- Events: none
op.read("jr_router_status", {}, function()
  local first = agenda.first()
  local reply = {
    "version",
    LIBRARY_VERSION,
    "digest",
    LIBRARY_DIGEST,
    "data_version",
    op.DATA_VERSION,
    "op",
    op.last,
    "swept_at",
    (op.sweeps()),
    "next",
    first or 0,
    "overdue_ms",
    first and math.max(0, clock.now - first) or 0,
  }
  for _, setting in ipairs(limits.SETTINGS) do
    reply[#reply + 1] = setting[1]
    reply[#reply + 1] = limits.setting(setting[1])
  end
  return reply
end)
