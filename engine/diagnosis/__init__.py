"""What is not right with a store and its routers, in sentences, with what to do about it.

Everything here only reads: settings and state of the server, then of each router its agenda, its tasks, its
subscriptions, and the invariants of some or all of its entities.
"""

from __future__ import annotations

from engine.diagnosis.findings import Finding, worst
from engine.diagnosis.store import diagnose

__all__ = ["Finding", "diagnose", "worst"]
