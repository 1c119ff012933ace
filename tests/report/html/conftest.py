"""The report that most tests open, and tabs to open it in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser import Tab
from tests.report.html.made import MadeSet

if TYPE_CHECKING:
    from playwright.sync_api import Browser


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
    return made.report("blind", with_truth=False)
