"""Calls to the outside: one guarded HTTP client, and the rules that others answer with it.

    async with Client(Allowed.parse(["10.1.0.0/16"])) as client, rule_caller(client) as caller:
        value = await caller.call(rule, rule_payload(labels_object(job_labels)))

RuleFailed: the rule has no value. EndpointBusy: it was not its turn, call again later.
"""
