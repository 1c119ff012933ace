"""A real browser for the tests of pages, and tabs that note all that must not happen."""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
DISK = ("file:", "data:")
"""Where a page of the disk may load from."""


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium; where there is none (outside CI) the test is skipped."""
    program = next(filter(None, map(shutil.which, CHROMIUM)), None)
    assert program or os.environ.get("CI") != "true", "CI promises a chromium"
    if program is None:
        pytest.skip("no chromium is installed")
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=list(QUIET))
        yield started
        # The loading processes of an earlier test's training hold the pipe on which the browser's driver waits for its end.
        gc.collect()
        started.close()


class Tab:
    """A page of the browser; ``wrong`` has every console message, error, alert, and request beyond ``allowed``."""

    def __init__(self, browser: Browser, width: int, height: int, allowed: tuple[str, ...] = DISK) -> None:
        self.allowed = allowed
        self.context = browser.new_context(viewport={"width": width, "height": height})
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(10_000)
        self.wrong: list[str] = []
        self.loaded: list[str] = []
        self.page.on("console", lambda message: self.wrong.append(f"console: {message.text}"))
        self.page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        self.page.on("dialog", lambda dialog: (self.wrong.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        self.context.on("request", lambda request: self._note(request.url))

    def _note(self, url: str) -> None:
        self.loaded.append(url)
        if not url.startswith(self.allowed):
            self.wrong.append(f"network: {url}")

    def open(self, report: Path, view: str) -> Page:
        self.page.goto("about:blank")
        self.page.goto(f"{(report / 'index.html').as_uri()}#{view}")
        return self.page
