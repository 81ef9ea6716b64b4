"""A real browser: Debian's Chromium, without a window."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.support import PATIENCE_SECONDS

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SCREENSHOTS = Path(os.environ.get("JOBROUTER_SCREENSHOTS", ".screenshots"))


@pytest.fixture(name="browser")
def _browser() -> Iterator[Browser]:
    # for each test anew: while it lives an event loop runs in this thread, which other tests could not bear
    if not CHROMIUM:
        pytest.skip("there is no Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Watched:
    """A page, and all that it has complained of."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.set_default_timeout(PATIENCE_SECONDS * 1000)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._heard)

    def _heard(self, message: Any) -> None:
        # the first look without a session is answered by 401, which browsers tell as an error
        if message.type == "error" and "401" not in message.text:
            self.complaints.append(message.text)

    def open(self, address: str, key: str) -> None:
        """Opens the dashboard and gives a key."""
        self.page.goto(f"{address}dashboard")
        self.page.fill("#key", key)
        self.page.click("#sign-in button")

    def sign_in(self, address: str, key: str) -> None:
        """The same, until events come."""
        self.open(address, key)
        self.page.wait_for_selector('#connection[data-state="live"]')

    def text(self, selector: str) -> str:
        """The text of an element."""
        return (self.page.text_content(selector) or "").strip()

    def texts(self, selector: str) -> list[str]:
        """The texts of all elements."""
        return [text.strip() for text in self.page.locator(selector).all_text_contents()]

    def keep(self, name: str) -> None:
        """Keeps a screenshot."""
        SCREENSHOTS.mkdir(exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


@pytest.fixture(name="open_page")
def _open_page(browser: Browser) -> Iterator[Callable[..., Watched]]:
    """Opens pages, each in a context of its own; afterwards none may have complained."""
    pages: list[Watched] = []

    def make(**context: Any) -> Watched:
        pages.append(Watched(browser.new_context(**context).new_page()))
        return pages[-1]

    yield make
    for watched in pages:
        watched.page.context.close()
        assert watched.complaints == []
