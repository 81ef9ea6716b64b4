--- Which commands of the server the caller may not use on the router's keys, or the server does not have.
--- KEYS: 1 tenant root.  ARGS: 1 now_ms, 2 JSON { commands (of another library, perhaps: those that it calls) }
--- Replies: denied (the names of these)
--- Refuses: VERSION (the data were written by another version)
--- Events: none
op.read("jr_router_rights", { commands = {} }, function(given)
  local denied = {}
  for _, command in ipairs(given.commands) do
    local is_known, is_granted = pcall(function()
      return redis.acl_check_cmd(command, keys.root)
    end)
    if not (is_known and is_granted) then
      denied[#denied + 1] = command
    end
  end
  return { "denied", denied }
end)
