"""Kill -9 of the worker, of the API, and of both, in the middle of traffic."""

from __future__ import annotations

from contextlib import closing

from tests.faults import verify
from tests.faults.conftest import Parts
from tests.faults.traffic import goes_on, make_lazy, traffic
from tests.signed import Caller


def test_killed_worker(parts: Parts) -> None:
    """The API routes on without a worker; a new one does what is due."""
    with closing(Caller(parts.url, parts.key)) as call:
        with traffic(parts.url, parts.key) as history:
            make_lazy(call)
            parts.worker.process.kill()
            goes_on(history)
            parts.restart_worker()
            goes_on(history)
        assert history.unexpected == []
        verify.kept(call, history)
        verify.ends_of_offers(call)
        verify.once(verify.all_events(call), history)
    verify.sound("--redis-url", parts.server.url)


def test_killed_api(parts: Parts) -> None:
    """Clients repeat what was not answered, and lose nothing; the worker does what is due meanwhile."""
    with closing(Caller(parts.url, parts.key)) as call:
        with traffic(parts.url, parts.key) as history:
            make_lazy(call)
            parts.api.process.kill()
            parts.restart_api()
            goes_on(history)
        assert history.unexpected == []
        assert history.interrupted > 0
        call.close()
        verify.kept(call, history)
        assert set(verify.ends_of_offers(call, latest=2.0)) == {"Expired"}
        verify.once(verify.all_events(call), history)
    verify.sound("--redis-url", parts.server.url)
