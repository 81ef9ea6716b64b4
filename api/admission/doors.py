"""The door of each router: what may come in, and what is refused at once instead of waiting in a line."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from api.admission.allowance import Allowance
from api.admission.gates import Gate, Lane
from api.admission.refusals import Refusals
from api.errors import Overloaded, TooManyRequests

if TYPE_CHECKING:
    from api.call import Runner
    from engine.metrics import Metrics
    from engine.settings import Settings

WAITING = frozenset({"/ext/v1/events/stream", "/ext/v1/workers/{}/offers/next"})
"""Routes whose clients wait for what happens: they hold their place for minutes, and cost nearly nothing."""

FULL = "more requests are under way than this process works on at once"
CROWDED = "more clients wait for offers and events than this process takes"


class Door:
    """The door of one router."""

    __slots__ = ("_refusals", "_requests", "_tenant", "_waiting", "allowance")

    def __init__(
        self, tenant: str, requests: Lane, waiting: Lane, refusals: Refusals, allowance: Allowance | None
    ) -> None:
        self.allowance = allowance
        self._tenant = tenant
        self._requests = requests
        self._waiting = waiting
        self._refusals = refusals

    def look(self) -> None:
        """Refuses what would be refused anyway, before its body is read. Raises Overloaded."""
        if not self._requests.has_room():
            raise self._full()

    def enter(self, route: str) -> Lane:
        """Lets one in, which must leave the lane at its end. Raises Overloaded."""
        if route in WAITING:
            lane = self._waiting
            if not lane.has_room():
                self._refusals.note(self._tenant, "waiting", CROWDED)
                raise Overloaded(f"The request was refused: {CROWDED}. Try again later, or another one.")
        else:
            lane = self._requests
            if not lane.has_room():
                raise self._full()
        lane.enter()
        return lane

    async def take(self, allowance: Allowance) -> None:
        """Takes one request off what the router may be asked. Raises TooManyRequests."""
        try:
            await allowance.take()
        except TooManyRequests:
            self._over(allowance)
            raise

    def check(self, allowance: Allowance) -> None:
        """Refuses what would be refused anyway, without looking closer. Raises TooManyRequests."""
        try:
            allowance.check()
        except TooManyRequests:
            self._over(allowance)
            raise

    def _over(self, allowance: Allowance) -> None:
        self._refusals.note(self._tenant, "rate", f"they are more than the limit of {allowance.rate}")

    def _full(self) -> Overloaded:
        self._refusals.note(self._tenant, "requests", FULL)
        return Overloaded(f"The request was refused: {FULL}. Nothing was done; repeat it in a moment.")


def _number(lane: Lane) -> Callable[[], float]:
    return lambda: lane.under_way


def doors(store: Runner, settings: Settings, metrics: Metrics | None) -> dict[str, Door]:
    """The doors of all routers of a process, by name."""
    refusals = Refusals(metrics)
    requests = Gate(settings.max_requests, settings.tenants)
    waiting = Gate(settings.max_waiting, settings.tenants)
    if metrics is not None:
        for kind, gate in (("requests", requests), ("waiting", waiting)):
            for tenant, lane in gate.lanes.items():
                metrics.under_way(tenant, kind, _number(lane))
    return {
        name: Door(
            name,
            requests.lanes[name],
            waiting.lanes[name],
            refusals,
            Allowance(store, name, tenant.rate) if tenant.rate else None,
        )
        for name, tenant in settings.tenants.items()
    }
