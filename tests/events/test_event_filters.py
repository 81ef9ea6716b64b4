"""Filters of events: each by itself on events that the library has made, and against a naive reading."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from engine.commands import EventList
from engine.event_filters import PREFIX, TYPES, About, EventFilters, about, type_of
from tests.stories.router import Router
from tests.tree.sources import event_types
from tests.twin.driver import Driver, make
from tests.twin.store import private_client

STEPS = 600


@pytest.fixture(scope="module")
def made() -> list[tuple[str, str]]:
    """Types and payloads of all events of a random life of a router."""
    with private_client() as client:
        pair = (driver := Driver(client)).pair(thorough=False)
        assert driver.run(pair, make(3, STEPS)) is None
        after, events = 0, []
        while rows := pair.store.run(EventList(after, 1000), 0)["rows"]:
            after = rows[-1]["op"]
            for row in rows:
                events += zip(row["events"][::2], row["events"][1::2], strict=True)
    return events


def queues_of(event: dict[str, Any]) -> set[str]:
    """The queues of an event, as its documentation has them."""
    data = event["data"]
    found = {data.get("queueId")} | {queue["id"] for queue in data.get("queueAssignments", [])}
    if "jobId" in data and event["eventType"] == f"{PREFIX}RouterJobClassified":
        head = f"job/{data['jobId']}/channel/{data['channelId']}/queue/"
        assert event["subject"].startswith(head)
        found.add(event["subject"].removeprefix(head))
    return found - {None}


def channels_of(event: dict[str, Any]) -> set[str]:
    data = event["data"]
    served = {channel["channelId"] for channel in data.get("channelConfigurations", [])}
    return (served | {data.get("channelId")}) - {None}


def naive(filters: EventFilters, text: str) -> bool:
    """Whether an event passes, from its whole payload."""
    event = json.loads(text)
    data = event["data"]
    return all(
        [
            not filters.types or event["eventType"].removeprefix(PREFIX) in filters.types,
            event["subject"].startswith(filters.subject_begins),
            event["subject"].endswith(filters.subject_ends),
            not filters.workers or data.get("workerId") in filters.workers,
            not filters.jobs or data.get("jobId") in filters.jobs,
            not filters.queues or bool(queues_of(event) & filters.queues),
            not filters.channels or bool(channels_of(event) & filters.channels),
        ]
    )


def random_filters(events: list[tuple[str, str]], seed: int) -> Iterator[EventFilters]:
    """Filters that some of the events may pass."""
    draw = random.Random(seed)
    while True:
        kind, text = draw.choice(events)
        event = json.loads(text)
        data, subject = event["data"], event["subject"]
        cut = draw.randrange(len(subject))
        whole: dict[str, Any] = {
            "types": frozenset({kind, draw.choice(events)[0]}),
            "subject_begins": subject[:cut],
            "subject_ends": subject[cut:],
            "queues": frozenset(queues_of(event)),
            "channels": frozenset(channels_of(event)),
            "workers": frozenset({data["workerId"], "w"} if "workerId" in data else ()),
            "jobs": frozenset({data["jobId"], "j"} if "jobId" in data else ()),
        }
        yield EventFilters(**{name: whole[name] for name in draw.sample(list(whole), draw.randint(1, 3))})


def test_against_a_naive_reading(made: list[tuple[str, str]]) -> None:
    passed = failed = 0
    for filters in itertools.islice(random_filters(made, 7), 300):
        for kind, text in made:
            wanted = naive(filters, text)
            assert filters.passes(kind, text) == wanted, (filters, text)
            passed, failed = passed + wanted, failed + (not wanted)
    assert passed > 1_000
    assert failed > 1_000


def test_bytes_and_text_are_the_same(made: list[tuple[str, str]]) -> None:
    for _, text in made:
        assert about(text) == about(text.encode())


def test_no_filter_lets_everything_pass_unread() -> None:
    assert EventFilters().passes("RouterJobQueued", b"not even JSON")
    assert EventFilters(types=frozenset({"RouterJobQueued"})).passes("RouterJobQueued", b"not even JSON")
    assert not EventFilters(types=frozenset({"RouterJobClosed"})).passes("RouterJobQueued", b"{}")


@pytest.mark.parametrize(
    "payload",
    [b"", b"no JSON", b"[]", b"{}", b'{"subject":"s"}', b'{"subject":1,"data":{}}', "\udcff", b"\xff"],
)
def test_what_is_no_event_passes_no_filter_of_ids(payload: bytes | str) -> None:
    assert about(payload) == About()
    for name in ("queues", "channels", "workers", "jobs"):
        assert not EventFilters(**{name: frozenset({"x"})}).passes("RouterJobQueued", payload)
    assert not EventFilters(subject_begins="job/").passes("RouterJobQueued", payload)


def payloads(router: Router) -> dict[str, str]:
    """The newest payload of each type."""
    return {event["eventType"].removeprefix(PREFIX): json.dumps(event) for event in router.events()}


@pytest.fixture
def router(server: Any, root: str) -> Iterator[Router]:
    with server.client() as client:
        yield Router(client, root)


def test_each_filter_on_the_life_of_a_job(router: Router) -> None:
    router.policy()
    router.queue()
    router.queue("other")
    router.worker("w1", queues=["q", "other"], channels={"voice": 1, "chat": 1})
    router.job("j1")
    router.accept("w1", "j1")
    router.complete("j1")
    router.job("j2", queue="other", channel="chat")
    router.worker("w1", available=False)
    made = payloads(router)

    def passing(**given: Any) -> set[str]:
        sets = {name: value if isinstance(value, str) else frozenset(value) for name, value in given.items()}
        filters = EventFilters(**sets)
        return {kind.removeprefix("Router") for kind, text in made.items() if filters.passes(kind, text)}

    everything = {kind.removeprefix("Router") for kind in made}
    offered = {"WorkerOfferIssued", "WorkerOfferAccepted"}
    assert passing() == everything
    assert passing(workers=["w1"]) == everything - {"JobReceived", "JobQueued"}
    assert passing(workers=["w2"]) == set()
    assert passing(workers=["w2", "w1"], jobs=["j1"]) == {"JobCompleted"} | offered
    assert passing(jobs=["j1"], queues=["other"]) == set()
    registered = {"WorkerRegistered", "WorkerUpdated"}
    assert passing(queues=["q"]) == {"JobCompleted"} | offered | registered
    assert passing(queues=["q", "other"]) == everything - {"WorkerDeregistered"}
    assert passing(channels=["chat"], queues=["q"]) == registered
    assert passing(channels=["Voice"]) == set()
    assert passing(subject_begins="job/j1/") == {"JobCompleted"}
    assert passing(subject_begins="worker/w1", subject_ends="/job/j1") == offered
    assert passing(subject_ends="J1") == set()


def test_ids_of_any_text(router: Router) -> None:
    router.policy()
    odd = '/queue/"\\ö\U0001f600'
    router.queue(odd)
    router.worker("w/1", queues=[odd])
    router.job("j/channel/x", queue=odd)
    for kind, text in payloads(router).items():
        filters = EventFilters(queues=frozenset({odd}))
        assert filters.passes(kind, text)
        assert not EventFilters(queues=frozenset({odd[:-1]})).passes(kind, text)


def test_a_job_classified_where_it_was_is_of_that_queue(router: Router) -> None:
    router.policy()
    router.queue("own/queue/1")
    router.classification()
    router.job("j1", classification="c", queue="own/queue/1")
    text = payloads(router)["RouterJobClassified"]
    assert "queueId" not in json.loads(text)["data"]
    assert about(text).queues == ("own/queue/1",)


def test_types() -> None:
    assert type_of("RouterJobQueued") == type_of(f"{PREFIX}RouterJobQueued") == "RouterJobQueued"
    for text in ("", "JobQueued", "routerjobqueued", f"{PREFIX}{PREFIX}RouterJobQueued"):
        with pytest.raises(ValueError, match="type of event"):
            type_of(text)


def test_types_are_those_of_the_library() -> None:
    assert event_types() == TYPES - {"RouterJobSchedulingFailed"}
