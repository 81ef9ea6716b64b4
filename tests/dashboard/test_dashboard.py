"""The dashboard in a real browser, over a served router."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.communication.jobrouter import JobRouterAdministrationClient, JobRouterClient, models

from api.pages.dashboard import STATIC
from tests.dashboard.conftest import Watched
from tests.runtime.processes import Process, jobrouter, serving
from tests.support import eventually
from tests.tree.sources import event_types

Open = Callable[..., Watched]

MARKUP = "<img src=x onerror=\"document.title='run'\"><b>&amp;\"'"


def read(address: str, key: str, path: str) -> Any:
    """The rows that the interface tells a viewer."""
    asked = urllib.request.Request(f"{address}ext/v1/{path}", headers={"authorization": f"Bearer {key}"})
    with urllib.request.urlopen(asked) as answer:
        return json.load(answer)["value"]


class Site:
    """A served router: its clients, and where to watch it."""

    def __init__(self, process: Process) -> None:
        text = process.wait_for(r"connection string: (\S+)")[1]
        trust: dict[str, Any] = {"connection_verify": process.wait_for(r"development CA: (\S+)")[1]}
        self.administration = JobRouterAdministrationClient.from_connection_string(text, **trust)
        self.client = JobRouterClient.from_connection_string(text, **trust)
        found = process.wait_for(r"dashboard: (\S+)dashboard +viewing key: (\S+)")
        self.address, self.key = found[1], found[2]

    def close(self) -> None:
        self.administration.close()
        self.client.close()

    def read(self, path: str) -> Any:
        return read(self.address, self.key, path)

    def queue(self, name: str) -> None:
        policy = models.DistributionPolicy(offer_expires_after_seconds=600, mode=models.LongestIdleMode())
        self.administration.upsert_distribution_policy("fair", policy)
        self.administration.upsert_queue(name, models.RouterQueue(distribution_policy_id="fair"))

    def worker(self, name: str, queue: str, *, capacity: int = 2, available: bool = True) -> None:
        channel = models.RouterChannel(channel_id="voice", capacity_cost_per_job=1)
        worker = models.RouterWorker(
            capacity=capacity, queues=[queue], channels=[channel], available_for_offers=available
        )
        self.client.upsert_worker(name, worker)

    def job(self, name: str, queue: str, *, priority: int = 1, skill: str = "") -> None:
        wanted = [models.RouterWorkerSelector(key=skill, label_operator="equal", value=True)] if skill else []
        job = models.RouterJob(
            channel_id="voice", queue_id=queue, priority=priority, requested_worker_selectors=wanted
        )
        self.client.upsert_job(name, job)

    def accept(self, worker: str) -> None:
        offer = self.client.get_worker(worker).offers[0]
        self.client.accept_job_offer(worker, offer.offer_id)


@pytest.fixture(name="site")
def _site(tmp_path: Path) -> Iterator[Site]:
    with serving(tmp_path) as process:
        site = Site(process)
        yield site
        site.close()


def test_the_page_hears_every_event() -> None:
    heard = set(re.findall(r'^  "(\w+)",$', (STATIC / "dashboard" / "feed.js").read_text(), re.MULTILINE))
    assert {f"Router{name}" for name in heard} == event_types()


def test_the_numbers_are_those_of_the_interface(site: Site, open_page: Open) -> None:
    site.queue("sales")
    site.queue("support")
    for name in ("ann", "bob"):
        site.worker(name, "support")
    site.worker("off", "support", available=False)
    for number in range(6):
        site.job(f"job-{number}", "support", priority=number % 2)
    site.accept("ann")
    site.job("nobody", "sales", skill="juggling")
    page = open_page(viewport={"width": 1400, "height": 900})
    page.sign_in(site.address, site.key)
    queues, workers = site.read("queues"), site.read("workers")

    def shows_all() -> bool:
        waiting, offers = sum(q["length"] for q in queues), sum(len(w["offers"]) for w in workers)
        return (
            page.text("#total-waiting") == str(waiting)
            and page.text("#total-offers") == str(offers)
            and page.text("#total-active") == str(sum(w["state"] == "active" for w in workers))
            and len(page.texts("#offer-rows tr")) == offers
        )

    eventually(shows_all)
    used = sum(w["usedCapacity"] for w in workers if w["state"] == "active")
    assert page.text("#total-load") == f"{100 * used // 4} %"
    shown = {
        row.locator("td").nth(0).text_content(): row for row in page.page.locator("#queue-rows tr").all()
    }
    assert set(shown) == {"sales", "support"}
    for queue in queues:
        cells = shown[queue["id"]].locator("td").all_text_contents()
        assert cells[1] == str(queue["length"])
        assert cells[2] == "".join(f"{one['priority']}: {one['jobs']}" for one in queue["waiting"])
        assert cells[5] == f"{queue['activeWorkers']} of {queue['workers']} active"
    assert shown["sales"].locator("td").nth(6).text_content() == "1 of the first 1 fit nobody"
    assert shown["support"].locator("td").nth(6).text_content() == "yes"
    states = dict(
        zip(page.texts("#worker-rows td:nth-child(1)"), page.texts("#worker-rows .badge"), strict=True)
    )
    assert states == {worker["id"]: worker["state"] for worker in workers}
    page.keep("dashboard")


def test_what_happens_is_seen_without_a_reload(site: Site, open_page: Open) -> None:
    site.queue("support")
    page = open_page()
    page.sign_in(site.address, site.key)
    site.worker("ann", "support")
    site.job("call", "support")
    eventually(lambda: page.texts("#offer-rows tr td:first-child") == ["call"])
    eventually(lambda: any("worker offer issued" in text for text in page.texts("#event-rows li")))
    site.accept("ann")
    eventually(lambda: page.texts("#offer-rows tr") == [])
    eventually(lambda: "call" in page.text("#worker-rows .holds"))


def test_a_stream_that_is_refused_is_asked_for_again(site: Site, open_page: Open) -> None:
    page = open_page()
    page.page.route("**/events/stream", lambda route: route.fulfill(status=503))
    page.open(site.address, site.key)
    page.page.wait_for_selector('#connection[data-state="lost"]')
    page.page.unroute("**/events/stream")
    page.page.wait_for_selector('#connection[data-state="live"]')
    # browsers tell the 503 as an error
    page.complaints.clear()


def test_ids_and_labels_of_markup_are_text(site: Site, open_page: Open) -> None:
    for name in (MARKUP, f"queue {MARKUP}"):
        site.queue(name)
    site.worker(MARKUP, MARKUP)
    site.job(MARKUP, MARKUP)
    page = open_page()
    page.sign_in(site.address, site.key)
    eventually(lambda: MARKUP in page.texts("#queue-rows td:first-child"))
    eventually(lambda: page.texts("#offer-rows tr td:first-child") == [MARKUP])
    page.page.click("#offer-rows td:first-child button")
    page.page.wait_for_selector("#details[open]")
    assert page.text("#details-title") == f"job {MARKUP}"
    assert page.page.locator("main img, dialog img").count() == 0
    assert page.page.title() == "jobrouter"


def test_a_job_and_a_worker_in_full(site: Site, open_page: Open) -> None:
    site.queue("support")
    site.worker("ann", "support", capacity=1)
    site.job("call", "support")
    site.accept("ann")
    site.job("next", "support")
    page = open_page()
    page.sign_in(site.address, site.key)
    page.page.fill("#search-id", "next")
    page.page.click("#search button[value=job]")
    eventually(lambda: "ann has no room" in page.text("#details-body"))
    assert "job received" in page.text("#details-body ol")
    # another can be asked for without closing it, from the list or by hand
    page.page.fill("#search-id", "call")
    page.page.click("#search button[value=job]")
    eventually(lambda: "worker offer accepted ann in support" in page.text("#details-body ol"))
    page.page.click("#details-body ol button:text('ann') >> nth=0")
    eventually(lambda: page.text("#details-title") == "worker ann")
    page.keep("details")
    page.page.keyboard.press("Escape")
    page.page.wait_for_selector("#details", state="hidden")
    page.page.click("#worker-rows td:first-child button")
    eventually(lambda: page.text("#details-title") == "worker ann")
    eventually(lambda: "worker offer accepted" in page.text("#details-body"))
    page.page.click("#details-close")
    page.page.fill("#search-id", "nobody")
    page.page.click("#search button[value=worker]")
    eventually(lambda: "not found" in page.text("#details-body"))
    # browsers tell a 404 as an error
    assert all("404" in complaint for complaint in page.complaints)
    page.complaints.clear()


def test_a_wrong_key_is_told_and_signing_out_ends_it(site: Site, open_page: Open) -> None:
    page = open_page()
    page.page.goto(site.address)
    assert page.page.url == f"{site.address}dashboard"
    assert not page.page.is_visible("#search")
    page.page.fill("#key", "not the key at all")
    page.page.keyboard.press("Enter")
    eventually(lambda: page.text("#sign-in-problem") == "This is not the viewing key.")
    page.sign_in(site.address, site.key)
    page.page.click("#sign-out")
    page.page.reload()
    page.page.wait_for_selector("#sign-in", state="visible")


def test_by_keyboard_alone(site: Site, open_page: Open) -> None:
    site.queue("support")
    site.job("call", "support")
    page = open_page()
    page.sign_in(site.address, site.key)
    page.page.focus("#search-id")
    page.page.keyboard.type("call")
    page.page.keyboard.press("Tab")
    page.page.keyboard.press("Enter")
    page.page.wait_for_selector("#details[open]")
    page.page.keyboard.press("Escape")
    page.page.wait_for_selector("#details", state="hidden")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone(site: Site, open_page: Open, scheme: str) -> None:
    site.queue("support")
    site.worker("ann", "support")
    site.job("call", "support")
    page = open_page(viewport={"width": 390, "height": 844}, color_scheme=scheme)
    page.sign_in(site.address, site.key)
    eventually(lambda: page.texts("#offer-rows tr td:first-child") == ["call"])
    assert page.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.keep(f"phone-{scheme}")


def test_the_demo_flows(open_page: Open) -> None:
    with jobrouter("demo", "--forever") as process:
        found = process.wait_for(r"dashboard: (\S+)dashboard +viewing key: (\S+)")
        page = open_page(viewport={"width": 1400, "height": 900})
        page.sign_in(found[1], found[2])
        eventually(lambda: page.page.locator("#event-rows li").count() >= 20)
        page.keep("demo")

        def agrees() -> bool:
            workers = read(found[1], found[2], "workers")
            states = zip(
                page.texts("#worker-rows td:nth-child(1)"), page.texts("#worker-rows .badge"), strict=False
            )
            return dict(states) == {worker["id"]: worker["state"] for worker in workers}

        eventually(agrees)
        # before the router goes, of which the page would complain
        page.page.goto("about:blank")
