"""A real browser, and the report that most tests open."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.visualization.report.made import MadeSet

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


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
        started.close()


class Tab:
    """A page of the browser that notes all that must not happen."""

    def __init__(self, browser: Browser, width: int, height: int) -> None:
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
        if not url.startswith(("file:", "data:")):
            self.wrong.append(f"network: {url}")

    def open(self, report: Path, view: str) -> Page:
        self.page.goto("about:blank")
        self.page.goto(f"{(report / 'index.html').as_uri()}#{view}")
        return self.page


@pytest.fixture
def desktop(browser: Browser) -> Iterator[Tab]:
    tab = Tab(browser, 1280, 860)
    yield tab
    tab.context.close()
    assert tab.wrong == []


@pytest.fixture
def phone(browser: Browser) -> Iterator[Tab]:
    tab = Tab(browser, 375, 740)
    yield tab
    tab.context.close()
    assert tab.wrong == []


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> MadeSet:
    """Three images with four squares each."""
    return MadeSet(tmp_path_factory.mktemp("made"), images=3)


@pytest.fixture(scope="session")
def report(made: MadeSet) -> Path:
    return made.report("report")


@pytest.fixture(scope="session")
def blind_report(made: MadeSet) -> Path:
    """Without a truth."""
    return made.report("blind", judged=False)
