-- The time of the call in epoch milliseconds: the caller's, or Redis's own when that is 0; taken once.

-- milliseconds of a second as three digits, made when first asked for
local thousandths = {}

local function three_digits(n)
  local text = thousandths[n]
  if not text then
    text = string.format("%03d", n)
    thousandths[n] = text
  end
  return text
end

--- Sets clock.now for this call, and clock.text, the same as text.
---@param given string|nil ARGV[1]
function clock.use(given)
  if given == "0" then
    local time = redis.call("TIME")
    clock.text = time[1] .. three_digits(math.floor(time[2] / 1000))
    clock.now = tonumber(clock.text)
    return
  end
  local now = tonumber(given)
  if not now or now <= 0 or now ~= math.floor(now) or now >= 2 ^ 53 then
    refuse.bad_call("now_ms must be an integer of milliseconds, 0 for the server's clock")
  end
  clock.now, clock.text = now, string.format("%.0f", now)
end

local DAY = 86400000

-- days since 1970-01-01 to a civil date (the usual era arithmetic: years begin in March)
local function civil(days)
  local z = days + 719468
  local era = math.floor(z / 146097)
  local doe = z - era * 146097
  local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
  local mp = math.floor((5 * doy + 2) / 153)
  local day = doy - math.floor((153 * mp + 2) / 5) + 1
  local month = mp < 10 and mp + 3 or mp - 9
  local year = yoe + era * 400 + (month <= 2 and 1 or 0)
  return string.format("%04d-%02d-%02dT", year, month, day)
end

local shown_day, shown_date, shown_second, shown_time

local function to_the_second(second)
  local day = math.floor(second * 1000 / DAY)
  if day ~= shown_day then
    shown_day, shown_date = day, civil(day)
  end
  local rest = second - day * (DAY / 1000)
  shown_time = string.format("%s%02d:%02d:%02d.", shown_date, rest / 3600, rest / 60 % 60, rest % 60)
  shown_second = second
end

-- one call shows the same two times in several events: its own, and when an offer runs out
local last, last_text, other, other_text

--- A time as ISO-8601 in UTC, with milliseconds and the suffix Z.
---@param ms number epoch milliseconds
function clock.iso(ms)
  if ms == last then
    return last_text
  elseif ms == other then
    return other_text
  end
  local second = math.floor(ms / 1000)
  if second ~= shown_second then
    to_the_second(second)
  end
  other, other_text = last, last_text
  last, last_text = ms, shown_time .. three_digits(ms - second * 1000) .. "Z"
  return last_text
end
