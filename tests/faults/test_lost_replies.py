"""A reply is lost, to the client or to the API: the same request, repeated, acts once."""

from __future__ import annotations

import random
import tempfile
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from azure.communication.jobrouter import JobRouterClient
from azure.core.credentials import AzureKeyCredential

from tests import support
from tests.chaos.network import Link, network
from tests.faults import verify
from tests.faults.traffic import make_queue, make_worker
from tests.signed import Caller
from tests.support import eventually

THROUGH_A_SOCKET = pytest.mark.one_server("nodes tell where others are, past whatever stands between")


@pytest.fixture
def name() -> str:
    """An id that no other test has."""
    return uuid.uuid4().hex[:12]


@pytest.fixture
def between(server: support.Server) -> Iterator[Link]:
    """A link in front of the store."""
    with tempfile.TemporaryDirectory(prefix="jr") as folder, network(random.Random(0)) as net:
        yield net.before(server.socket, Path(folder, "s"))


@pytest.fixture
def behind(between: Link) -> Iterator[support.Served]:
    """The application over that link."""
    with support.served(between.url, works=False) as it:
        yield it


def offer(call: Caller, name: str) -> str:
    """A job for a worker of the same name; gives the path of the offer."""
    make_queue(call, name, 600)
    make_worker(call, name, name)
    assert call("PATCH", f"/routing/jobs/{name}", {"channelId": "voice", "queueId": name})[0] == 201
    return path_of_offer(call, name)


def path_of_offer(call: Caller, name: str) -> str:
    """The path of the worker's only offer."""
    (found,) = call("GET", f"/routing/workers/{name}")[1]["offers"]
    return f"/routing/workers/{name}/offers/{found['offerId']}"


def path_of_assignment(call: Caller, name: str) -> str:
    """The path of the job's only assignment."""
    (found,) = call("GET", f"/routing/jobs/{name}")[1]["assignments"]
    return f"/routing/jobs/{name}/assignments/{found}"


def counts(call: Caller, name: str) -> Counter[str]:
    """How often each event of a job has happened."""
    events = verify.all_events(call)
    return Counter(verify.kind_of(event) for event in events if event["data"].get("jobId") == name)


def test_client_goes_away_before_the_answer(served: support.Served, name: str) -> None:
    """What was sent is executed; accept, complete and close are known when they come again."""
    with closing(Caller(served.url, served.key)) as call:

        def status() -> str:
            return str(call("GET", f"/routing/jobs/{name}")[1]["status"])

        path = f"{offer(call, name)}:accept"
        call.send_only("POST", path, "one")
        eventually(lambda: status() == "assigned")
        code, accepted = call("POST", path, request_id="one")
        assert code == 200
        assert path_of_assignment(call, name).endswith(accepted["assignmentId"])
        assert call("POST", path, request_id="two")[0] == 404
        assignment = path_of_assignment(call, name)
        for action, reached in (("complete", "completed"), ("close", "closed")):
            call.send_only("POST", f"{assignment}:{action}", action)
            eventually(lambda reached=reached: status() == reached)  # type: ignore[misc]
            assert call("POST", f"{assignment}:{action}", request_id=action) == (200, {})
        happened = counts(call, name)
        for kind in ("RouterWorkerOfferAccepted", "RouterJobCompleted", "RouterJobClosed"):
            assert happened[kind] == 1, happened


def test_a_create_that_comes_again_after_the_end(served: support.Served, name: str) -> None:
    """It begins no new life: the job that it made is done. Another request does."""
    job, body = f"/routing/jobs/{name}", {"channelId": "voice", "queueId": name}
    with closing(Caller(served.url, served.key)) as call:
        make_queue(call, name, 600)
        make_worker(call, name, name)
        assert call("PATCH", job, body, "one")[0] == 201
        assert call("POST", f"{path_of_offer(call, name)}:accept")[0] == 200
        for action in ("complete", "close"):
            assert call("POST", f"{path_of_assignment(call, name)}:{action}")[0] == 200
        status, again = call("PATCH", job, body, "one")
        assert (status, again["status"], counts(call, name)["RouterJobReceived"]) == (200, "closed", 1)
        status, anew = call("PATCH", job, body, "two")
        assert (status, anew["status"], counts(call, name)["RouterJobReceived"]) == (200, "created", 2)


@THROUGH_A_SOCKET
def test_reply_of_the_store_is_lost(between: Link, behind: support.Served, name: str) -> None:
    """Unknown is answered as 503, never guessed; every action that is repeated then acts once."""
    with closing(Caller(behind.url, behind.key)) as call:

        def answered(*request: Any) -> tuple[int, Any] | None:
            status, answer = call(*request)
            return None if status == 503 else (status, answer)

        def twice(operation: str, method: str, path: str, body: Any = None) -> Any:
            between.cut(operation)
            before = between.lost
            status, answer = call(method, path, body, operation)
            assert (status, between.lost) == (503, before + 1), (operation, answer)
            assert "unknown" in answer["error"]["message"]
            # until the API has found the store again
            repeated = eventually(lambda: answered(method, path, body, operation))
            assert repeated
            status, answer = repeated
            assert status == 200, (operation, answer)
            assert call(method, path, body, operation)[0] == 200
            return answer

        path = offer(call, name)
        twice("jr_offer_decline", "POST", f"{path}:decline", {"retryOfferAt": "2020-01-01T00:00:00Z"})
        accepted = twice("jr_offer_accept", "POST", f"{path_of_offer(call, name)}:accept")
        assignment = path_of_assignment(call, name)
        assert assignment.endswith(accepted["assignmentId"])
        result = twice("jr_assignment_unassign", "POST", f"{assignment}:unassign")
        assert result == {"jobId": name, "unassignmentCount": 1}
        twice("jr_offer_accept", "POST", f"{path_of_offer(call, name)}:accept")
        assignment = path_of_assignment(call, name)
        twice("jr_assignment_complete", "POST", f"{assignment}:complete", {"note": "done"})
        twice("jr_assignment_close", "POST", f"{assignment}:close", {"dispositionCode": "d"})
        job = f"/routing/jobs/{name}-more"
        twice("jr_job_create", "PATCH", job, {"channelId": "voice", "queueId": name})
        twice("jr_job_update", "PATCH", job, {"priority": 7})
        twice("jr_job_cancel", "POST", f"{job}:cancel", {"note": "enough"})
        read = call("GET", f"/routing/jobs/{name}")[1]
        assert (read["status"], [note["message"] for note in read["notes"]]) == ("closed", ["done"])
        happened = counts(call, name)
        assert (happened["RouterWorkerOfferDeclined"], happened["RouterWorkerOfferAccepted"]) == (1, 2)
        assert (happened["RouterJobUnassigned"], happened["RouterJobClosed"]) == (1, 1)
        more = counts(call, f"{name}-more")
        assert (more["RouterJobReceived"], more["RouterJobCancelled"]) == (1, 1)


@THROUGH_A_SOCKET
def test_official_client_repeats_by_itself(between: Link, behind: support.Served, name: str) -> None:
    """A program on the official SDK notices nothing but a second of patience."""
    with closing(Caller(behind.url, behind.key)) as call:
        offer_id = offer(call, name).rpartition("/")[2]
        with JobRouterClient(behind.url, AzureKeyCredential(behind.key)) as client:
            between.cut("jr_offer_accept")
            accepted = client.accept_job_offer(name, offer_id)
            assert between.lost == 1
            assert list(client.get_job(name).assignments or ()) == [accepted.assignment_id]
        assert counts(call, name)["RouterWorkerOfferAccepted"] == 1
