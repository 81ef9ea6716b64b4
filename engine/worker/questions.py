"""Asks what a task asks: rules of a job's classification policy, or an endpoint whether it wants events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from engine.outgoing.errors import EndpointBusy, RuleFailed
from engine.outgoing.payloads import labels_object, rule_payload
from engine.outgoing.rules import Rule, RuleCaller
from engine.outgoing.scores import score
from engine.pipelines import Given, answers_text, pipeline_of_text, rules
from engine.subscriptions import handshake
from engine.worker.called import called_rule, secrets_of_text


class Reading(NamedTuple):
    """How answers are read that are to be selectors: their document, or None when they are no such list."""

    worker: Callable[[Any], str | None]
    queue: Callable[[Any], str | None]


class Answers(NamedTuple):
    """What a task's rules have given, as the store takes it, and whether they have all given something."""

    text: str
    complete: bool


class Questions:
    """Asks what tasks ask; the rules of one task at the same time."""

    def __init__(self, caller: RuleCaller, reading: Reading, client: handshake.Caller) -> None:
        self.total_seconds = caller.total_seconds
        self._client = client
        self._caller = caller
        self._reading = reading

    async def handshake(self, tenant: str, row: Mapping[str, Any]) -> str:
        """The answer of an endpoint, as the store takes it. Raises EndpointBusy."""
        return await handshake.answer(self._client, tenant, row)

    async def answers(self, row: Mapping[str, Any]) -> Answers:
        """The answers to a leased task. Raises EndpointBusy."""
        secrets = secrets_of_text(row["secret"])
        payload = rule_payload(labels_object(row["labels"]))
        found: dict[str, Given] = {}

        async def ask(place: str, rule: Rule, read: Callable[[Any], Given]) -> None:
            try:
                found[place] = read(await self._caller.call(rule, payload))
            except RuleFailed as failed:
                found[place] = Given("failed", failed.reason)

        busy: EndpointBusy | None = None
        try:
            async with asyncio.TaskGroup() as group:
                for place, rule, is_list in rules(pipeline_of_text(row["pipeline"])):
                    if rule.kind in ("function", "webhook"):
                        called = called_rule(rule.kind, rule.text, secrets.get(place, {}))
                        group.create_task(ask(place, called, self._reader(place) if is_list else _value))
        except* EndpointBusy as several:
            busy = EndpointBusy(*several.exceptions[0].args)
        if busy:
            raise busy
        return Answers(answers_text(found), all(given.kind != "failed" for given in found.values()))

    def _reader(self, place: str) -> Callable[[Any], Given]:
        to_document = self._reading.worker if place.startswith("worker.") else self._reading.queue

        def read(value: Any) -> Given:
            text = "" if value is None else to_document(value)
            if text is None:
                return Given("failed", "the rule does not give a list of selectors")
            return Given("selectors", text)

        return read


def _value(value: Any) -> Given:
    """What counts of any other answer: a number or a boolean."""
    if isinstance(value, bool):
        return Given("value", "true" if value else "false")
    return Given("value", msgspec.json.encode(score(value)).decode())
