-- Linted is the assembled library, so the modules are its locals and the globals are exactly those that the server gives
-- to a function; anything else is a mistake.
std = {
  read_globals = {
    "redis", "cjson", "cmsgpack", "struct", "bit",
    "math", "string", "table",
    "assert", "error", "pcall", "xpcall", "select", "type", "next", "pairs", "ipairs",
    "rawget", "rawset", "rawequal", "setmetatable", "getmetatable", "tonumber", "tostring", "unpack",
  },
}
max_line_length = 130
