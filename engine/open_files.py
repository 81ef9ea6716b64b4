"""How many files, and so connections, this process may have open."""

from __future__ import annotations

import resource

_KIND = resource.RLIMIT_NOFILE


def allow(wanted: int) -> int:
    """Asks the system for so many, as far as it lets us; never for fewer. Gives what is allowed now."""
    soft, hard = resource.getrlimit(_KIND)
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return soft
    resource.setrlimit(_KIND, (wanted, hard))
    return wanted
