"""Server-sent events of a router that is really served."""

from __future__ import annotations

import contextlib
import http.client
import random
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from engine.feed import NAME
from tests import support
from tests.events.conftest import DURABLE, Site, serving, short
from tests.events.sse import PATH, Shown, Stream
from tests.support import eventually

CLIENTS = 200


def some_life(site: Site) -> None:
    """Entries with one event and with several."""
    worker = f"w-{site.job()}"
    site.worker(worker, capacity=2)
    for job in [site.job() for _ in range(3)]:
        site.cancel(job)
    site.worker(worker, availableForOffers=False)


def test_events_come_as_they_happen(site: Site) -> None:
    with site.stream() as stream:
        assert stream.retry_ms == 1_000
        before = site.log()
        some_life(site)
        expected = site.log()[len(before) :]
        got = stream.until(expected[-1].id)
    assert short(got) == expected
    for event in got:
        assert event.json["eventType"] == f"Microsoft.Communication.{event.type}"
    assert {"RouterWorkerOfferIssued", "RouterWorkerDeregistered"} <= {event.type for event in got}


def test_a_cut_at_each_place_is_resumed_exactly(site: Site) -> None:
    some_life(site)
    expected = site.log()
    with site.stream("after=0") as stream:
        assert short(stream.until(expected[-1].id)) == expected
    for i, event in enumerate(expected[:-1]):
        with site.stream(last_id=event.id) as stream:
            assert stream.opening == {"retry": "1000", "id": event.id}
            assert short(stream.until(expected[-1].id)) == expected[i + 1 :]


def test_a_cut_between_entries_is_resumed_exactly(site: Site) -> None:
    some_life(site)
    expected = site.log()
    for number in sorted({int(event.id.partition(".")[0]) for event in expected})[:-1]:
        after = [event for event in expected if int(event.id.partition(".")[0]) > number]
        for last_id in (f"{number}-0", f"{number}.999", str(number)):
            with site.stream(last_id=last_id) as stream:
                assert short(stream.until(expected[-1].id)) == after


def test_the_header_counts_before_the_query(site: Site) -> None:
    some_life(site)
    expected = site.log()
    with site.stream("after=0", last_id=expected[-3].id) as stream:
        assert short(stream.take(2)) == expected[-2:]


def test_a_stream_that_was_cut_before_its_first_event_misses_nothing(site: Site) -> None:
    with site.stream() as stream:
        last_id = stream.last_id
    before = site.log()
    some_life(site)
    expected = site.log()[len(before) :]
    with site.stream(last_id=last_id) as stream:
        assert short(stream.until(expected[-1].id)) == expected


def cut_and_resumed(site: Site, seed: int) -> tuple[list[Shown], Stream]:
    """What a client got that began with the oldest event and was cut often, and its last stream."""
    draw = random.Random(seed)
    got: list[Shown] = []
    stream = site.stream("after=0")
    for _ in range(4):
        got += stream.take(draw.randint(1, 120))
        stream.close()
        stream = site.stream(last_id=stream.last_id)
    return got, stream


def test_old_events_join_the_live_ones(site: Site) -> None:
    """Clients begin at the oldest event, and are cut, while others come all the time."""
    with ThreadPoolExecutor() as pool:
        clients = [pool.submit(cut_and_resumed, site, seed) for seed in range(6)]
        for _ in range(200):
            site.job()
        expected = site.log()
        for client in clients:
            got, stream = client.result()
            with stream:
                assert short(got + stream.until(expected[-1].id)) == expected


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("eventType=RouterJobQueued", lambda e: e["eventType"].endswith("RouterJobQueued")),
        (
            "eventType=Microsoft.Communication.RouterJobQueued,RouterJobCancelled",
            lambda e: e["eventType"].endswith(("RouterJobQueued", "RouterJobCancelled")),
        ),
        ("workerId=odd%2Cw", lambda e: e["data"].get("workerId") == "odd,w"),
        ("WORKERID=other,odd%2Cw", lambda e: e["data"].get("workerId") in ("other", "odd,w")),
        ("jobId=f1&jobId=f2", lambda e: e["data"].get("jobId") in ("f1", "f2")),
        ("jobId=f1&queueId=none", lambda e: False),
        ("subjectBeginsWith=job/f1/", lambda e: e["subject"].startswith("job/f1/")),
        ("subjectEndsWith=/job/f2&channelId=voice", lambda e: e["subject"].endswith("/job/f2")),
    ],
)
def test_filters(site: Site, query: str, wanted: Any) -> None:
    """The same on old events, live ones, and pulled pages."""
    site.done("PATCH", "/routing/queues/filtered", {"distributionPolicyId": "p"})
    with site.stream() as everything, site.stream(query) as live:
        for worker in ("other", "odd,w"):
            site.worker(quote(worker), queues=["filtered"])
            site.worker(quote(worker), queues=["filtered"], availableForOffers=worker != "other")
        for job in ("f1", "f2"):
            site.job(job, queueId="filtered")
            site.cancel(job)
        end = f"end-{site.job()}"
        site.worker(end, availableForOffers=False)
        got = everything.until(site.last_id())
        expected = short([event for event in got if wanted(event.json)])
        assert expected or "none" in query
        assert len(expected) < len(got)
        with site.stream(f"{query}&heartbeat=1", last_id=everything.opening["id"]) as old:
            for stream in (old, live):
                if expected:
                    assert short(stream.until(expected[-1].id)) == expected
            if not expected:
                assert old.block() == {"id": f"{site.last_id().partition('.')[0]}-0"}
        pulled = site.log(f"&{query}")
        assert {event.data for event in expected} == {event.data for event in pulled} & {
            event.json["id"] for event in got
        }


@pytest.mark.parametrize(
    "query",
    [
        "eventType=RouterJobQueud",
        "eventType=",
        "workerId=a,",
        "jobId=" + "x" * 257,
        "jobId=%00",
        "jobId=%FF",
        "worker=w",
        "jobId=" + ",".join("x" * 101),
        "subjectBeginsWith=a&subjectBeginsWith=b",
        "subjectEndsWith=" + "x" * 1025,
        "heartbeat=0",
        "heartbeat=x",
        "after=x",
        "after=5.0",
        "after=5-1",
        "after=-1",
        "after=1e3",
    ],
)
def test_bad_queries_are_json_errors(site: Site, query: str) -> None:
    with site.stream(query) as stream:
        assert stream.status == 400
        assert stream.response.headers["content-type"].startswith("application/json")
        assert stream.error["code"] == "BadRequest"


def test_a_bad_last_id_is_refused(site: Site) -> None:
    with site.stream(last_id="yesterday") as stream:
        assert stream.status == 400
        assert "Last-Event-ID" in stream.error["message"]


def test_it_has_to_be_signed(site: Site) -> None:
    host = site.served.url.removeprefix("http://")
    with closing(http.client.HTTPConnection(host, timeout=15)) as connection:
        connection.request("GET", PATH)
        assert connection.getresponse().status == 401


def number_of(event: Shown) -> int:
    return int(event.id.partition(".")[0])


def trim(site: Site, kept: int) -> None:
    """Forgets all but so many entries."""
    with site.server.client() as client:
        client.xtrim("jr:{main}:events", maxlen=kept, approximate=False)


def test_what_is_not_kept_is_gone(own_site: Site) -> None:
    some_life(own_site)
    whole = own_site.log()
    trim(own_site, 3)
    left = own_site.log()
    lost = whole[: -len(left)]
    oldest, previous = number_of(left[0]), number_of(lost[-1])
    for event in lost:
        for last_id in (event.id, f"{number_of(event)}-0"):
            with own_site.stream(last_id=last_id) as stream:
                if last_id == f"{previous}-0":
                    # behind the whole entry before the oldest one nothing is missing
                    assert short(stream.until(left[-1].id)) == left
                    continue
                assert stream.status == 410
                error = stream.error
                assert error["code"] == "Gone"
                assert error["details"] == [{"code": "Oldest", "message": f"{oldest}-0"}]
    with own_site.stream("after=0") as stream:
        assert short(stream.until(left[-1].id)) == left


def test_what_has_never_been_is_gone(own_site: Site) -> None:
    with own_site.stream(last_id="999.1") as stream:
        assert stream.status == 410
        error = stream.error
        assert error["details"] == [{"code": "Oldest", "message": "1-0"}]
        assert "has not come to 999-0" in error["message"]


def test_nothing_is_kept(own_site: Site) -> None:
    some_life(own_site)
    last = number_of(own_site.log()[-1])
    trim(own_site, 0)
    for last_id in (f"{last - 1}-0", f"{last}.1"):
        with own_site.stream(last_id=last_id) as stream:
            assert stream.status == 410
            assert stream.error["details"] == [{"code": "Oldest", "message": f"{last + 1}-0"}]
    with own_site.stream("after=0") as oldest, own_site.stream(last_id=f"{last}-0") as resumed:
        job = own_site.job()
        for stream in (oldest, resumed):
            assert stream.take(1)[0].json["data"]["jobId"] == job


def test_heartbeats(site: Site) -> None:
    with site.stream("heartbeat=1") as stream:
        assert stream.block() == {"": ""}
        assert stream.block() == {"": ""}
        job = site.job()
        assert stream.take(1)[0].json["data"]["jobId"] == job


def test_a_filtered_stream_is_told_how_far_it_has_seen(site: Site) -> None:
    with site.stream("heartbeat=1&jobId=nobody") as stream:
        site.job()
        number = site.last_id().partition(".")[0]
        block = stream.block()
        while block == {"": ""}:
            block = stream.block()
        assert block == {"id": f"{number}-0"}
        assert stream.block() == {"": ""}


def test_who_does_not_read_is_let_go_and_can_resume(server_program: Path) -> None:
    big = {f"tag{i}": "x" * 1000 for i in range(100)}
    with (
        serving(server_program, room=30) as site,
        site.stream(receive_bytes=4096) as slow,
    ):
        with site.stream() as healthy:
            seen = []
            # more than fits into the buffers of both sockets and the room of a client
            for _ in range(100):
                site.job(tags=big)
                seen += healthy.take(2)
            assert short(seen) == site.log()
        # nobody else listens, and it was let go
        site.nobody_reads()
        expected = site.log()
        got = slow.rest()
        assert len(got) < len(expected)
        with site.stream(last_id=slow.last_id) as again:
            assert short(got + again.until(expected[-1].id)) == expected


def test_two_hundred_clients_one_read(site: Site) -> None:
    site.nobody_reads()
    with contextlib.ExitStack() as stack:
        streams = [stack.enter_context(site.stream()) for _ in range(CLIENTS)]
        assert site.readers() == 1
        job = site.job()
        last = site.last_id()
        for stream in streams:
            assert stream.until(last)[0].json["data"]["jobId"] == job
        assert site.readers() == 1
    site.nobody_reads()


def test_another_replica_goes_on(site: Site) -> None:
    some_life(site)
    expected = site.log()
    with site.stream("after=0") as stream:
        got = stream.take(5)
    with (
        support.served(site.server.url, works=False) as second,
        Stream(second.url, second.key, last_id=stream.last_id) as again,
    ):
        got += again.until(expected[-1].id)
        assert short(got) == expected
        job = site.job()
        assert again.take(1)[0].json["data"]["jobId"] == job


def test_a_client_that_leaves_frees_all(site: Site) -> None:
    site.nobody_reads()
    for query in ("", "after=0", "jobId=x"):
        with site.stream(query):
            assert site.readers() == 1
        site.nobody_reads()


def test_lost_connections_of_the_read_lose_no_event(site: Site) -> None:
    with site.stream() as stream, site.server.client() as client:
        before = site.log()
        for _ in range(10):
            for one in client.client_list():
                if one["name"] == NAME:
                    client.client_kill_filter(_id=one["id"])
            site.job()
        expected = site.log()[len(before) :]
        assert short(stream.until(expected[-1].id)) == expected


def test_clients_stay_when_the_store_is_killed_and_comes_back(site: Site) -> None:
    with site.stream("heartbeat=1") as stream, site.stream("after=0") as old:
        before = site.log()
        for _ in range(3):
            site.job()
            site.server.kill()
            site.server.start(**DURABLE)
            eventually(lambda: site.call("GET", "/ext/v1/events?limit=1")[0] == 200)
            site.job()
        whole = site.log()
        expected = whole[len(before) :]
        assert short(stream.until(expected[-1].id)) == expected
        assert short(old.until(expected[-1].id)) == whole


def test_a_store_that_is_away_is_no_stream(own_site: Site) -> None:
    own_site.server.kill()
    with own_site.stream() as stream:
        assert stream.status == 503
        assert stream.response.headers["retry-after"] == "1"
        assert stream.error["code"] == "ServiceUnavailable"


def test_a_log_that_begins_anew_lets_all_go(own_site: Site) -> None:
    with own_site.stream() as stream:
        job = own_site.job()
        assert stream.take(1)[0].json["data"]["jobId"] == job
        own_site.server.kill()
        own_site.server.start()
        assert list(stream)[1:] == []
        assert stream.whole
        assert "has begun anew" in stream.comments[-1]
        eventually(lambda: own_site.call("GET", "/ext/v1/events")[0] == 200)
        with own_site.stream(last_id=stream.last_id) as again:
            assert again.status == 410


def test_a_missing_entry_lets_all_go(own_site: Site) -> None:
    with own_site.stream() as stream, own_site.server.client() as client:
        client.xadd("jr:{main}:events", {"at": "1", "call": "x", "previous": "7"}, id="9-0")
        assert list(stream) == []
        assert stream.whole
        assert "are missing" in stream.comments[-1]
