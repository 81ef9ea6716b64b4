-- What an upsert of a policy changes: its document, how its queues distribute.

local MODES = { roundRobin = true, longestIdle = true, bestWorker = true }

local function check_distribution(given, rules)
  if not MODES[given.mode] then
    refuse.bad_call("mode must be roundRobin, longestIdle or bestWorker")
  end
  if given.expires_ms < 1 or given.min_offers < 1 or given.max_offers < given.min_offers then
    refuse.invalid("offers must expire after some time, and 1 <= minConcurrentOffers <= maxConcurrentOffers")
  end
  if rules ~= "" and given.mode ~= "bestWorker" then
    refuse.bad_call("only mode bestWorker has a scoring rule")
  end
  scoring_rules.check(rules)
end

local function verify(given, rules, pipeline)
  if given.kind == "distribution" then
    check_distribution(given, rules)
  elseif given.kind == "exception" then
    exception_rules.check(rules)
    for _, id in ipairs(given.uses) do
      if redis.call("EXISTS", keys.policy("classification", id)) == 0 then
        refuse.invalid("Provided ClassificationPolicyId: " .. id .. " for ReclassifyExceptionAction does not exist")
      end
    end
  else
    if given.fallback ~= "" and not queues.load(given.fallback) then
      refuse.invalid("fallbackQueueId: queue '" .. given.fallback .. "' does not exist")
    end
    pipelines.check(pipeline)
  end
end

local function write_distribution(policy, given, rules)
  records.set(policy, "mode", given.mode)
  records.set(policy, "changed", op.number())
  records.set(
    policy,
    "plan",
    table.concat({
      given.mode,
      given.expires_ms,
      given.max_offers,
      given.bypass and 1 or 0,
      given.descending and 1 or 0,
      scoring_rules.kind(rules),
      rules == "" and "" or redis.sha1hex(rules),
    }, " ")
  )
end

local function write_fallback(policy, given)
  local fallback = given.fallback ~= "" and given.fallback or nil
  if policy.fallback ~= fallback then
    if policy.fallback then
      queues.count_fallback(policy.fallback, -1)
    end
    if fallback then
      queues.count_fallback(fallback, 1)
    end
    records.set(policy, "fallback", fallback)
  end
end

local function write_pipeline(policy, pipeline)
  local before = policies.asks_for_queues(policy)
  records.set(policy, "pipeline", pipeline ~= "" and pipeline or nil)
  local after = policies.asks_for_queues(policy)
  if before ~= after then
    label_sets.change_asking(after and 1 or -1)
  end
end

--- Control fields of both operations.
function policy_changes.specification()
  return {
    kind = op.TEXT,
    id = op.TEXT,
    doc = 0,
    rev = -1,
    expires_ms = 0,
    mode = "",
    min_offers = 1,
    max_offers = 1,
    bypass = false,
    descending = true,
    uses = {},
    fallback = "",
  }
end

--- The body of both operations.
function policy_changes.apply(given, document_text, secret, rules, pipeline)
  -- read
  local policy = policies.load(given.kind, given.id)
  -- check
  if upsert.check(policy, given) then
    return policies.with_secret(upsert.reply("exists", policy), given.kind, given.id)
  end
  rules = given.kind ~= "classification" and rules or ""
  pipeline = given.kind == "classification" and pipeline or ""
  verify(given, rules, pipeline)
  -- write
  local outcome = policy and "updated" or "created"
  if not policy then
    policy = records.new(keys.policy(given.kind, given.id), given.id)
    records.set(policy, "created", op.number())
    listings.add("policies." .. given.kind, given.id, op.number())
  end
  op.number()
  local plan, mode, former_rules = policy.plan, policy.mode, policy.rules
  upsert.count(policy)
  records.set(policy, "document", document_text)
  records.set(policy, "rules", rules ~= "" and rules or nil)
  if given.kind == "distribution" then
    write_distribution(policy, given, rules)
  elseif given.kind == "classification" then
    write_fallback(policy, given)
    write_pipeline(policy, pipeline)
  end
  if secret and secret ~= "" then
    redis.call("SET", keys.secret(given.kind, given.id), secret)
  elseif outcome == "updated" then
    redis.call("DEL", keys.secret(given.kind, given.id))
  end
  local reply = upsert.reply(outcome, policy)
  records.save(policy)
  if plan and plan ~= policy.plan then
    queues.forget_plan(given.id)
    queues.each_using("distribution", given.id, function(queue)
      queues.change_mode(queue, mode, given.mode)
      review.start(queue)
    end)
  elseif given.kind == "exception" and policy.rules ~= former_rules then
    queues.each_using("exception", given.id, function(queue)
      queues.load(queue).rules = nil
      review.start(queue)
    end)
  end
  return reply
end
