"""Take screenshots in a headless Chromium (needs playwright and Pillow)."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from benchmarks.measuring import ROOT

ASSETS = ROOT / "docs" / "assets"
QUALITY = 88


@contextmanager
def browser_page(width: int, height: int) -> Iterator[Page]:
    """A page of a new Chromium."""
    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu"]
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=options)
        yield chromium.new_page(viewport={"width": width, "height": height})
        chromium.close()


def save_screenshot(page: Page, name: str) -> None:
    """Write docs/assets/NAME.jpg: small enough for a repository, with full colour resolution for letters."""
    path, image = ASSETS / f"{name}.jpg", Image.open(BytesIO(page.screenshot())).convert("RGB")
    image.save(path, quality=QUALITY, subsampling=0, optimize=True)
    print(f"{path.name}: {path.stat().st_size // 1024} KiB")
