"""Streams and long polls when ``jobrouter serve`` ends."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
import redis

from engine.feed import NAME
from tests.events.sse import Stream
from tests.runtime.processes import serving
from tests.runtime.test_serve import inside
from tests.signed import Caller
from tests.support import eventually


def reads(folder: Path) -> bool:
    with inside(folder) as client:
        return any(one["name"] == NAME for one in client.client_list())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_they_end_at_once(tmp_path: Path, number: int) -> None:
    with serving(tmp_path) as it:
        url = f"http://localhost:{it.port}"
        key = (tmp_path / "access-key").read_text().strip()
        with (
            closing(Caller(url, key)) as call,
            closing(Caller(url, key)) as waiting,
            ThreadPoolExecutor() as pool,
        ):
            assert call("PATCH", "/routing/workers/w", {"capacity": 1})[0] == 201
            poll = pool.submit(waiting, "GET", "/ext/v1/workers/w/offers/next?wait=60")
            eventually(lambda: reads(tmp_path))
            with Stream(url, key) as stream:
                assert it.end(number) == 0
                assert list(stream) == []
                assert stream.whole
                assert stream.comments == ["the server is about to end; connect again"]
            assert poll.result() == (200, {"value": [], "next": ""})
        # nothing had to be cancelled, and nothing has failed
        assert "exceeded" not in it.rest()
        assert "Traceback" not in it.rest()
    with pytest.raises(redis.ConnectionError):
        reads(tmp_path)


def test_a_client_that_does_not_read_delays_no_end(tmp_path: Path) -> None:
    tags = {f"tag{i}": "x" * 1000 for i in range(100)}
    with serving(tmp_path) as it:
        url = f"http://localhost:{it.port}"
        key = (tmp_path / "access-key").read_text().strip()
        with closing(Caller(url, key)) as call, Stream(url, key, receive_bytes=4096):
            for i in range(60):
                body = {"channelId": "voice", "classificationPolicyId": "c", "tags": tags}
                if i == 0:
                    assert call("PATCH", "/routing/classificationPolicies/c", {})[0] == 201
                assert call("PATCH", f"/routing/jobs/j{i}", body)[0] == 201
            assert it.end(signal.SIGTERM) == 0
        assert "exceeded" not in it.rest()
