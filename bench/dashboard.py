"""Measures the dashboard under a steady stream of events: ``python -m bench.dashboard --help`` tells how.

Jobs are created and cancelled so that events come at a fixed rate, while headless Chromium shows the page.
Its own clock tells for how long its main thread was held up at a time, and how many frames it drew.
"""

from __future__ import annotations

import argparse
import shutil
import time
from typing import Any

from playwright.sync_api import Page, sync_playwright

from bench.entities import job, policy, queue, region_and_skill, worker
from bench.http import VIEW_KEY, served
from bench.site import Site, site
from engine.commands import JobCancel

WORKERS = 200
EVENTS_A_JOB = 4
"""Received, queued, offered, and cancelled with its offer revoked: at least."""
TICK_SECONDS = 0.05

_WATCH = """
  window.bench = { held: [], frames: 0 };
  new PerformanceObserver((list) => list.getEntries().forEach((one) => bench.held.push(one.duration)))
    .observe({ type: "longtask", buffered: true });
  requestAnimationFrame(function count() { bench.frames += 1; requestAnimationFrame(count); });
"""
_SEEN = "parseInt(document.getElementById('events-note').textContent) || 0"
_START = f"() => {{ bench.held = []; bench.frames = 0; bench.seen = {_SEEN}; }}"
_READ = f"() => ({{ ...bench, now: {_SEEN} }})"


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(prog="bench.dashboard", description=__doc__.partition(":")[0])
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--rate", type=int, default=1_000, help="events a second")
    given = parser.parse_args()
    for name, value in measure(given.rate, given.seconds).items():
        print(f"{name:44}{value:12,.1f}")


def measure(rate: int, seconds: int) -> dict[str, float]:
    """Times in milliseconds."""
    chromium = shutil.which("chromium")
    if not chromium:
        raise SystemExit("there is no Chromium: apt-get install chromium")
    with site(None) as here, served(here.url) as port, sync_playwright() as playwright:
        here.build([policy(), queue()])
        here.build(worker(number, region_and_skill(number)) for number in range(WORKERS))
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.add_init_script(_WATCH)
        page.goto(f"http://localhost:{port}/dashboard")
        page.fill("#key", VIEW_KEY)
        page.click("#sign-in button")
        page.wait_for_selector('#connection[data-state="live"]')
        _load(here, page, rate, 3)
        page.evaluate(_START)
        made = _load(here, page, rate, seconds)
        found: dict[str, Any] = page.evaluate(_READ)
        browser.close()
    held = found["held"]
    return {
        "events_per_s": made / seconds,
        "events_seen_per_s": (found["now"] - found["seen"]) / seconds,
        "frames_per_s": found["frames"] / seconds,
        "held_over_50_ms_count": len(held),
        "held_longest_ms": max(held, default=0),
        "held_share_percent": sum(held) / seconds / 10,
    }


def _load(here: Site, page: Page, rate: int, seconds: int) -> int:
    """Makes events at a rate; gives their number."""
    before, started, done = _events(here), time.monotonic(), 0
    while (passed := time.monotonic() - started) < seconds:
        due = int(passed * rate / EVENTS_A_JOB) - done
        if due > 0:
            serials = here.take_serials(due)
            here.build(job(number) for number in serials)
            here.build(JobCancel(f"job-{number}") for number in serials)
            done += due
        page.wait_for_timeout(1000 * TICK_SECONDS)
    return _events(here) - before


def _events(here: Site) -> int:
    """Events that were ever told."""
    entries = here.client.call("XRANGE", f"{here.root}:events", "-", "+")
    return sum(name.startswith("Router") for _, fields in entries for name in fields[::2])


if __name__ == "__main__":
    main()
