-- The documents of a subscription, as Python writes and reads them; nothing in them is acted on here. What Python could not read
-- is refused, so that one subscription that was written by hand cannot stop lists or deliveries of the others.

local SCHEMAS = { eventGrid = true, cloudEventsStructured = true, cloudEventsBinary = true }

local function is_text(value)
  return type(value) == "string" and not string.find(value, "\0", 1, true)
end

local function is_between(value, least, most)
  return type(value) == "number" and value % 1 == 0 and value >= least and value <= most
end

local function are_texts(value)
  if type(value) ~= "table" then
    return false
  end
  for place, text in pairs(value) do
    if type(place) ~= "number" or not is_text(text) then
      return false
    end
  end
  return true
end

local FILTERS = {
  types = are_texts,
  subject_begins = is_text,
  subject_ends = is_text,
  queues = are_texts,
  channels = are_texts,
  workers = are_texts,
  jobs = are_texts,
}

local function fits(value, members)
  if type(value) ~= "table" then
    return false
  end
  for name, member in pairs(value) do
    if not members[name] or not members[name](member) then
      return false
    end
  end
  return true
end

local MEMBERS = {
  url = is_text,
  name = is_text,
  schema = function(value)
    return SCHEMAS[value] ~= nil
  end,
  filters = function(value)
    return fits(value, FILTERS)
  end,
  attempts = function(value)
    return is_between(value, 1, limits.DELIVERY_ATTEMPTS)
  end,
  minutes = function(value)
    return is_between(value, 1, limits.DELIVERY_MINUTES)
  end,
  signing = function(value)
    return is_between(value, 0, limits.SIGNING_SECRETS)
  end,
  enabled = function(value)
    return type(value) == "boolean"
  end,
  after = function(value)
    return is_between(value, -1, 2 ^ 53)
  end,
}

local SECRET = {
  url = is_text,
  request = is_text,
  signing = function(value)
    return are_texts(value) and #value <= limits.SIGNING_SECRETS
  end,
}

local function verify(text, members, what)
  local decoded, value = pcall(cjson.decode, text or "")
  if not decoded or not fits(value, members) or not value.url or value.url == "" then
    refuse.bad_call(what)
  end
end

--- Refuses what is no document of a subscription.
---@param text string|nil
function subscription_documents.check(text)
  verify(text, MEMBERS, "document is { url, schema, name, filters, attempts, minutes, signing, enabled, after }")
end

--- Refuses what is no secret of one.
---@param text string|nil
function subscription_documents.check_secret(text)
  verify(text, SECRET, "secret is { url, signing, request }")
end
