-- What payloads of events have in common, with the names that ACS gives it: ids and selectors.

--- The id of a job or worker as JSON. Hardly two calls speak of the same, so that it is not worth remembering for longer.
function payloads.id(record)
  local text = record.id_json or cjson.encode(record.id)
  record.id_json = text
  return text
end

local OPERATORS = {
  ["="] = "Equal",
  ["!="] = "NotEqual",
  ["<"] = "Less",
  ["<="] = "LessThanOrEqual",
  [">"] = "Greater",
  [">="] = "GreaterThanOrEqual",
}

local function has_expired(selector, job)
  return not selectors.is_active(selector, job.enqueued_at, job.expired_to or 0)
end

local function selector_json(selector, job)
  local expires, expired = selectors.expires_at(selector, job.enqueued_at), has_expired(selector, job)
  return '{"key":'
    .. selector.key
    .. ',"labelOperator":"'
    .. OPERATORS[selector.operator]
    .. '"'
    .. (selector.text == "" and "" or ',"value":' .. selector.text)
    .. (selector.lasts and ',"ttlSeconds":' .. selector.seconds or "")
    .. ',"expedite":'
    .. tostring(selector.expedite)
    .. ',"state":"'
    .. (expired and "expired" or "active")
    .. '"'
    .. (expires and ',"expirationTime":"' .. clock.iso(expires) .. '"' or "")
    .. "}"
end

--- A list of selectors as JSON. One whose selectors do not run out is always the same, and remembers it.
function payloads.selectors(given, job)
  if #given == 0 then
    return "[]"
  elseif given.json then
    return given.json
  end
  local parts, last = {}, false
  for i, selector in ipairs(given) do
    parts[i] = selector_json(selector, job)
    last = last or selector.lasts ~= nil
  end
  local json_text = "[" .. table.concat(parts, ",") .. "]"
  given.json = not last and json_text or nil
  return json_text
end

--- Of the selectors in a text of a job, those that have run out, as JSON.
function payloads.expired(text, job)
  local expired = {}
  for _, selector in ipairs(selectors.list(text)) do
    if has_expired(selector, job) then
      expired[#expired + 1] = selector
    end
  end
  return payloads.selectors(expired, job)
end
