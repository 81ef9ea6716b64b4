"""The probes of what random steps reach stand where they should, and count."""

from __future__ import annotations

from tests.twin import reach
from tests.twin.driver import Driver, make
from tests.twin.store import private_client


def test_workers_come_free_together_before_many_classes() -> None:
    with private_client() as client:
        client.function_load(reach.library(), replace=True)
        driver = Driver(client)
        failure = driver.run(driver.pair(thorough=False), make(7_002, 120, "waiting"))
        counts = reach.counted(client.execute_command)
    assert failure is None
    assert max(counts["workers that are matched together"]) >= 3
    assert max(counts["classes before three workers"]) >= 5
    assert next(iter(reach.report(counts))).startswith("jobs that are matched together: ")
