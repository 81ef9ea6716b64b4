"""Deliveries through a real store to real endpoints."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from engine import commands as c
from engine.deliveries import delivery, sender, service
from engine.deliveries.sender import now_ms
from engine.deliveries.slots import EXTRA
from engine.deliveries.tries import Tries
from engine.errors import Unavailable
from engine.event_filters import EventFilters
from engine.store import root_of
from tests import support
from tests.deliveries.receiver import after, ok, receiver, refuses, silence
from tests.deliveries.router import CODE, Router, eventually, subscription

Run = Callable[[Any], None]


def test_events_arrive_in_order(with_router: Run) -> None:
    async def test(router: Router) -> None:
        async with receiver() as endpoint, router.delivering():
            await router.subscribe("s", endpoint.url)
            for n in range(20):
                await router.job(f"job-{n}")
            for n in range(20):
                await router.cancel(f"job-{n}")
            await endpoint.until(lambda: len(endpoint.taken) == 60)
            for n in range(20):
                assert endpoint.kinds(f"job-{n}") == [
                    "RouterJobReceived",
                    "RouterJobQueued",
                    "RouterJobCancelled",
                ]

    with_router(test)


def test_a_failed_event_is_tried_again_and_holds_up_only_its_job(with_router: Run) -> None:
    async def test(router: Router) -> None:
        def answer(event: dict[str, Any], time: int) -> Any:
            return after(3 if event["data"]["jobId"] == "bad" else 1)(event, time)

        async with receiver(answer) as endpoint, router.delivering():
            await router.subscribe("s", endpoint.url)
            await router.job("bad")
            await router.cancel("bad")
            await router.job("good")
            await endpoint.until(lambda: len(endpoint.taken) == 5)
            assert endpoint.kinds("bad") == ["RouterJobReceived", "RouterJobQueued", "RouterJobCancelled"]
            assert len(endpoint.events) == 11
            assert endpoint.ids()[:2] == [e["id"] for e in endpoint.taken if e["data"]["jobId"] == "good"]

    with_router(test)


def test_what_is_refused_is_given_up_at_once(with_router: Run) -> None:
    async def test(router: Router) -> None:
        async with receiver(refuses(403)) as endpoint, router.delivering():
            await router.subscribe("s", endpoint.url)
            await router.job("a")
            await eventually(lambda: router.counts("s", dead=2))
        assert len(endpoint.events) == 2

    with_router(test)


def test_an_endpoint_that_hangs_delays_nobody_else(with_router: Run) -> None:
    async def test(router: Router) -> None:
        async with receiver(silence) as dead, receiver() as endpoint, router.delivering(seconds=0.3):
            await router.subscribe("dead", dead.url, attempts=2)
            await router.subscribe("s", endpoint.url)
            for n in range(10):
                await router.job(f"job-{n}")
            await endpoint.until(lambda: len(endpoint.taken) == 20)
            await eventually(lambda: router.counts("dead", dead=20))
        assert len(endpoint.taken) == 20
        # of its tries, some may have been over before they had arrived
        assert 0 < len(dead.events) <= 40

    with_router(test)


def test_two_workers_share_and_hand_over(with_router: Run) -> None:
    async def test(router: Router) -> None:
        async with receiver() as endpoint, router.delivering() as first:
            for n in range(6):
                await router.subscribe(f"s{n}", endpoint.url)
            await eventually(lambda: router.holds(first, 6))
            async with router.delivering() as second:
                await eventually(lambda: router.holds(second, 3))
                await eventually(lambda: router.holds(first, 3))
                await router.job("a")
                await endpoint.until(lambda: len(endpoint.taken) == 12)
            # a clean end leaves nothing to its lease
            await eventually(lambda: router.holds(first, 6), 2.5)
            await router.job("b")
            await endpoint.until(lambda: len(endpoint.taken) == 24)
        assert len(set(endpoint.ids())) == 4

    with_router(test)


def test_who_begins_anew_takes_and_delivers_again(with_router: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """After its work was over, however that came."""
    real = service.Deliveries.run

    async def test(router: Router) -> None:
        async def twice(deliveries: service.Deliveries) -> None:
            first = asyncio.create_task(real(deliveries))
            await eventually(lambda: router.holds(deliveries, 1))
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
            await router.job("a")
            await real(deliveries)

        monkeypatch.setattr(service.Deliveries, "run", twice)
        async with receiver() as endpoint:
            await router.subscribe("s", endpoint.url)
            async with router.delivering():
                await endpoint.until(lambda: len(endpoint.taken) == 2)

    with_router(test)


def test_a_change_acts_as_soon_as_workers_hear_of_it(with_router: Run) -> None:
    async def test(router: Router) -> None:
        async with receiver() as old, receiver() as new, router.delivering() as deliveries:

            async def change(**asked: Any) -> None:
                doc = int((await router.read("s"))["doc"])
                await router.run(subscription("s", new.url, doc=doc, **asked))
                claims = deliveries.claims
                deliveries.alarm_set()
                await eventually(lambda: _is(deliveries.claims > claims))

            await router.subscribe("s", old.url)
            await router.job("a")
            await old.until(lambda: len(old.taken) == 2)
            await eventually(lambda: router.counts("s", delivered=2))
            filters = EventFilters(types=frozenset({"RouterJobQueued"}))
            await change(filters=filters)
            await router.run(c.SubscriptionConfirm("s", CODE))
            await router.job("b")
            await new.until(lambda: new.taken)
            assert new.kinds() == ["RouterJobQueued"]
            await change(enabled=False)
            await router.job("c")
            await change()
            await new.until(lambda: new.kinds("c") == ["RouterJobReceived", "RouterJobQueued"])
        assert old.kinds() == ["RouterJobReceived", "RouterJobQueued"]

    with_router(test)


def test_what_is_taken_away_ends_and_begins_nothing_new(with_router: Run) -> None:
    async def test(router: Router) -> None:
        async with receiver(silence) as endpoint, router.delivering(seconds=60.0) as deliveries:
            await router.subscribe("s", endpoint.url)
            for n in range(60):
                await router.job(f"job-{n}")
            await endpoint.until(lambda: endpoint.under_way == 32)
            await router.run(subscription("s", endpoint.url, doc=1, enabled=False))
            deliveries.alarm_set()
            await eventually(lambda: _is(endpoint.under_way == 0))
            assert len(endpoint.events) == 32
            assert await router.holds(deliveries, 0)
            # the places are free again
            assert deliveries.slots.free == EXTRA

    with_router(test)


async def _is(answer: bool) -> bool:
    return answer


def test_a_replay_brings_back_what_was_given_up(with_router: Run) -> None:
    async def test(router: Router) -> None:
        async with receiver(refuses(400)) as endpoint, router.delivering() as deliveries:
            await router.subscribe("s", endpoint.url)
            await router.job("a")
            await eventually(lambda: router.counts("s", dead=2))
            endpoint.answer = ok
            await router.run(c.DeadLetterReplay("s"))
            deliveries.alarm_set()
            await endpoint.until(lambda: len(endpoint.taken) == 2)
            assert endpoint.kinds("a") == ["RouterJobReceived", "RouterJobQueued"]
            await eventually(lambda: router.counts("s", dead=0, parked=0))

    with_router(test)


def test_a_replay_that_is_not_heard_of_begins_with_the_next_round(
    with_router: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "RENEW_SECONDS", 0.01)
    monkeypatch.setattr(delivery, "DUE_SECONDS", 3600.0)

    async def test(router: Router) -> None:
        async with receiver(refuses(400)) as endpoint, router.delivering():
            await router.subscribe("s", endpoint.url)
            await router.job("a")
            await eventually(lambda: router.counts("s", dead=2))
            endpoint.answer = ok
            await router.run(c.DeadLetterReplay("s"))
            await endpoint.until(lambda: len(endpoint.taken) == 2)
            assert endpoint.kinds("a") == ["RouterJobReceived", "RouterJobQueued"]

    with_router(test)


def test_a_subscription_behind_the_oldest_entry_is_lagged_and_goes_on(with_router: Run) -> None:
    async def test(router: Router) -> None:
        async with receiver() as endpoint:
            await router.subscribe("s", endpoint.url, after=0)
            for name in ("a", "b", "c"):
                await router.job(name)
            events = f"{root_of(router.tenant)}:events"
            await router.store.ask(root_of(router.tenant), "XTRIM", events, "MAXLEN", "1")
            async with router.delivering():
                await endpoint.until(lambda: len(endpoint.taken) == 2)
                assert endpoint.kinds("c") == ["RouterJobReceived", "RouterJobQueued"]
                await eventually(lambda: router.counts("s", dead=1))
            assert (await router.read("s"))["status"] == "lagged"

    with_router(test)


def test_a_full_subscription_waits_and_goes_on(with_router: Run) -> None:
    async def test(router: Router) -> None:
        await router.run(c.SettingsWrite(parked_events=4))
        async with receiver(refuses(500)) as endpoint, router.delivering(scale=0.01):
            await router.subscribe("s", endpoint.url)
            for n in range(100):
                await router.job(f"job-{n}")

            async def is_failing() -> bool:
                return (await router.read("s"))["status"] == "failing"

            await eventually(is_failing)
            # its cursor waits: only what was under way at that moment is parked beyond the bound
            assert int((await router.read("s"))["parked"]) < 150
            endpoint.answer = ok
            await endpoint.until(lambda: len(set(endpoint.ids())) == 200)
            await eventually(lambda: router.counts("s", parked=0))
            assert (await router.read("s"))["status"] == "enabled"

    with_router(test)


def test_an_event_older_than_it_may_be_is_tried_once(with_router: Run) -> None:
    async def test(router: Router) -> None:
        day_ago = now_ms() - 86_400_000
        await router.store.run(root_of(router.tenant), c.JobCreate(id="a", queue="q", channel="v"), day_ago)
        async with receiver(refuses(500)) as endpoint, router.delivering():
            await router.subscribe("s", endpoint.url, minutes=60)
            await eventually(lambda: router.counts("s", dead=2))
        letters = (await router.run(c.DeadLetterList("s")))["rows"]
        assert {(Tries.parse(one["facts"]).count, Tries.parse(one["facts"]).why) for one in letters} == {
            (1, "age")
        }

    with_router(test)


def test_lost_connections_to_the_store_lose_nothing(with_router: Run, server: support.Server) -> None:
    async def test(router: Router) -> None:
        def answer(event: dict[str, Any], time: int) -> Any:
            return after(2 if event["data"]["jobId"] == "job-1" else 1)(event, time)

        async def made(job_id: str) -> bool:
            with contextlib.suppress(Unavailable):
                await router.job(job_id)
                return True
            return False

        async with receiver(answer) as endpoint, router.delivering():
            await router.subscribe("s", endpoint.url)
            with server.client() as client:
                for n in range(10):
                    await eventually(lambda number=n: made(f"job-{number}"))
                    await endpoint.until(lambda count=n: len(endpoint.events) > 2 * count)
                    client.client_kill_filter(_type="normal", skipme=True)
            await endpoint.until(lambda: len(set(endpoint.ids())) == 20)
            await eventually(lambda: router.counts("s", parked=0))
        for n in range(10):
            first = [kind for kind in dict.fromkeys(endpoint.kinds(f"job-{n}"))]
            assert first == ["RouterJobReceived", "RouterJobQueued"]

    with_router(test)


def test_what_cannot_be_sent_at_all_stands_in_nobodys_way(
    with_router: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tell = sender.notification

    def notification(recipient: Any, payload: bytes, failed: int, at_seconds: int) -> Any:
        if b'"jobId":"odd"' in payload:
            raise ValueError(f"text with s3cret: {payload.decode()}")
        return tell(recipient, payload, failed, at_seconds)

    monkeypatch.setattr(sender, "notification", notification)

    async def test(router: Router) -> None:
        async with receiver() as endpoint, router.delivering():
            await router.subscribe("s", endpoint.url, attempts=1)
            await router.job("odd")
            await router.job("good")
            await eventually(lambda: router.counts("s", dead=2, delivered=2))
            letters = (await router.run(c.DeadLetterList("s")))["rows"]
        assert {Tries.parse(one["facts"]).outcome for one in letters} == {"the event cannot be sent"}
        assert endpoint.kinds() == endpoint.kinds("good")

    with_router(test)
    assert "subscription s: cannot be sent (ValueError)" in caplog.text
    ours = [record for record in caplog.records if record.name.startswith("jobrouter")]
    assert "s3cret" not in "".join(f"{record.getMessage()} {record.exc_info}" for record in ours)


def test_a_thousand_subscriptions_of_one_host_do_not_starve_each_other(with_router: Run) -> None:
    async def test(router: Router) -> None:
        async with receiver(silence) as dead, receiver() as endpoint:
            for n in range(1_000):
                await router.subscribe(f"s{n}", (dead if n % 4 == 0 else endpoint).url)
            async with router.delivering(seconds=30.0) as deliveries:
                await router.job("a")
                await endpoint.until(lambda: len(endpoint.taken) == 1_500, 60.0)
                assert deliveries.claims > 0
            assert len(dead.events) >= 250

    with_router(test)
