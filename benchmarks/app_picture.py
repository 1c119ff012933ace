"""Take the picture of docs/app.md: the page of bpr app with its demo refined, in a headless Chromium.

    python benchmarks/app_picture.py
"""

from __future__ import annotations

import shutil
import sys
import threading
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1]))  # benchmarks/ is part of the checkout, not of the package

import bpr
from benchmarks.report_picture import save
from bpr.app.server import listen, make_app

OUT = Path(__file__).parents[1] / "docs" / "assets" / "app.jpg"
SIZE = {"width": 1040, "height": 890}
MODEL = "starter"
SLIDER = 56
"""Percent; the line stands on the object of the demo."""


def main() -> None:
    server = listen(make_app(bpr.load(MODEL), MODEL), "127.0.0.1", 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"])
        page = chromium.new_page(viewport=SIZE)
        page.set_default_timeout(60_000)
        page.goto(f"http://127.0.0.1:{server.port}/")
        refine_demo(page)
        save(page.screenshot(), OUT)
        chromium.close()
    server.shutdown()


def refine_demo(page: Page) -> None:
    """As a visitor does, with the patches shown."""
    page.get_by_role("button", name="Try the demo").click()
    page.get_by_role("button", name="Refine").click()
    page.locator("#download[href]").wait_for()
    page.get_by_label("Show patches").check()
    page.locator("#slider").fill(str(SLIDER))
    page.mouse.move(0, 0)
    page.mouse.wheel(0, -2000)
    page.wait_for_timeout(500)


if __name__ == "__main__":
    main()
