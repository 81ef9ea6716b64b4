"""Rate limits of the routers, as operators write them."""

from __future__ import annotations

import re

import msgspec

from api.serving.access_keys import BadOption
from engine.settings import Rate, Tenant

MOST = 1_000_000
LONGEST_MS = 3_600_000

_RATE = re.compile(r"([1-9][0-9]{0,6})/([1-9][0-9]{0,4})?(ms|s|m|h)")
_UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000}
_FORM = "'1000/10s' for every router, or for some: '1000/10s;main=5000/10s;other=none'"


def rate(text: str) -> Rate | None:
    """``1000/10s``, ``20/s``, ``none``. Raises ValueError."""
    if text == "none":
        return None
    found = _RATE.fullmatch(text)
    if not found:
        raise ValueError
    it = Rate(int(found[1]), int(found[2] or 1) * _UNITS_MS[found[3]])
    if it.limit > MOST or it.window_ms > LONGEST_MS:
        raise ValueError
    return it


def with_rates(tenants: dict[str, Tenant], text: str) -> dict[str, Tenant]:
    """The same tenants with their limits: one for all that have none of their own. Raises BadOption."""
    rates: dict[str, Rate | None] = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        name, equals, value = (word.strip() for word in part.rpartition("="))
        try:
            given = rate(value)
        except ValueError:
            raise BadOption(
                f"The rate limit '{part}' cannot be used: it is {_FORM}, "
                f"with at most {MOST} requests and one hour (1h)."
            ) from None
        if equals and name not in tenants:
            raise BadOption(f"The rate limits name the router '{name}', which has no access key.")
        if name in rates:
            router = f"the router '{name}'" if name else "every router"
            raise BadOption(f"The rate limits name {router} twice.")
        rates[name] = given
    return {
        name: msgspec.structs.replace(tenant, rate=rates.get(name, rates.get("")))
        for name, tenant in tenants.items()
    }
