---@meta
-- What the server gives to a library of functions; for editors only (lua-language-server).

---@class redis
redis = {}

--- Runs a command; an error of the command is raised.
---@param command string
---@param ... string|number
---@return any reply integers as numbers, bulk strings as strings, nil as false, arrays as tables, status as {ok = text}
function redis.call(command, ...) end

--- Runs a command; an error of the command is returned as {err = text}.
---@param command string
---@param ... string|number
---@return any
function redis.pcall(command, ...) end

---@class redis.Function
---@field function_name string letters, digits, underscore
---@field callback fun(KEYS: string[], ARGV: string[]): any
---@field flags string[]|nil no-writes, allow-oom, allow-stale, no-cluster, allow-cross-slot-keys

--- Registers a function; only while the library loads.
---@param definition redis.Function
function redis.register_function(definition) end

--- The SHA-1 of a text in hexadecimal.
---@param text string
---@return string
function redis.sha1hex(text) end

--- May the caller run this command on these keys?
---@param command string
---@param ... string
---@return boolean
function redis.acl_check_cmd(command, ...) end

---@param level number redis.LOG_DEBUG, LOG_VERBOSE, LOG_NOTICE or LOG_WARNING
---@param text string
function redis.log(level, text) end

---@type number
redis.LOG_DEBUG = 0
---@type number
redis.LOG_VERBOSE = 1
---@type number
redis.LOG_NOTICE = 2
---@type number
redis.LOG_WARNING = 3

---@class cjson
cjson = {}

---@param text string
---@return any
function cjson.decode(text) end

---@param value any
---@return string
function cjson.encode(value) end
