"""Take the picture of docs/app.md: the page of bpr app with its sample refined.

python -m benchmarks.pictures.app
"""

from __future__ import annotations

import threading

import bpr
from benchmarks.pictures.browser import browser_page, save_screenshot
from bpr.app.server import listen, make_app

MODEL = "starter"
SLIDER = 42
"""Percent: the line of the slider crosses the object of the sample."""


def main() -> None:
    server = listen(make_app(bpr.load(MODEL), MODEL), "127.0.0.1", 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with browser_page(1160, 890) as page:
        page.set_default_timeout(60_000)
        page.goto(f"http://127.0.0.1:{server.port}/")
        page.get_by_role("button", name="Try the sample").click()
        page.locator("#refine:enabled").click()
        page.locator("#download[href]").wait_for()
        page.locator("#busy").wait_for(state="hidden")
        page.get_by_label("Show patches").check()
        page.locator("#slider").fill(str(SLIDER))
        page.mouse.move(0, 0)
        page.mouse.wheel(0, -2000)
        page.wait_for_timeout(500)
        save_screenshot(page, "app")
    server.shutdown()


if __name__ == "__main__":
    main()
