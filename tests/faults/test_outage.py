"""An outage longer than the setting: offers that ran out in it are revoked, nobody is signed off."""

from __future__ import annotations

from contextlib import closing

import pytest

from engine.commands import RouterStatus
from engine.store import root_of
from tests import support
from tests.faults import verify
from tests.faults.conftest import Parts
from tests.faults.traffic import LAZY, make_lazy
from tests.signed import Caller
from tests.support import eventually

OUTAGE_SECONDS = 2


@pytest.fixture
def outage() -> str:
    """Shorter than usual, yet longer than the longest pause between two sweeps."""
    return f"{OUTAGE_SECONDS}s"


def test_offers_of_an_outage_are_revoked(parts: Parts) -> None:
    with closing(Caller(parts.url, parts.key)) as call:
        make_lazy(call)
        parts.worker.process.kill()
        parts.worker.process.wait()
        offers = [call("GET", f"/routing/workers/{name}")[1]["offers"][0] for name in LAZY]
        last = max(verify.seconds(offer["expiresAt"]) for offer in offers)
        with parts.server.client() as client:
            status = support.SyncStore(client).run(root_of("main"), RouterStatus())
            away = max(last, status["swept_at"] / 1000 + OUTAGE_SECONDS)
            eventually(lambda: client.time()[0] > away)
        parts.restart_worker()
        ends = verify.ends_of_offers(call)
        for name, offer in zip(LAZY, offers, strict=True):
            assert call("POST", f"/routing/workers/{name}/offers/{offer['offerId']}:accept")[0] == 404
    # offered again, and these run out while the worker lives
    assert ends[: len(LAZY)] == ["Revoked"] * len(LAZY)
    assert ends[len(LAZY) :] == ["Expired"] * len(LAZY)
    verify.sound("--redis-url", parts.server.url)
