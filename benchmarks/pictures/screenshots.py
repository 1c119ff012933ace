"""Take the pictures of docs/app.md, docs/report.md and docs/review.md in a headless Chromium (needs playwright and Pillow).

    python -m benchmarks.pictures.screenshots [--only app report review]

They show the page of ``bpr app`` with its sample refined, the report of painted scenes, and a person's decisions about
refined polygons of painted scenes.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

import bpr
from benchmarks.measuring import ASSETS, script_parser
from benchmarks.painted_set import write_set
from bpr.app.server import listen, make_app
from bpr.cli.main import main as run_bpr
from bpr.io.files import read_json, write_json

QUALITY = 88
MODEL = "starter"
SLIDER = 42
"""Percent: the line of the slider crosses the object of the sample."""
REPORT_SCENES, REVIEW_SCENES = 10, 6
DECIDED = "kkukku"
"""The keys that decide about the first masks."""


@contextmanager
def browser_page(width: int, height: int) -> Iterator[Page]:
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


def run(*words: str | Path) -> None:
    """Run a command of ``bpr``, which has to succeed."""
    if run_bpr(list(map(str, words))):
        raise RuntimeError(f"bpr {words[0]} failed")


def app() -> None:
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


def report() -> None:
    """The overview, the masks, and the most harmed mask, of painted scenes with their ground truth."""
    with tempfile.TemporaryDirectory() as name, browser_page(1160, 820) as page:
        folder = Path(name)
        write_set(folder, REPORT_SCENES, first_seed=0)
        before, after = folder / "coarse.segm.json", folder / "refined.json"
        files = ["--img-dir", folder / "images", "--ann", folder / "instances.json"]
        run("refine", before, "--out", after, *files)
        run("report", after, "--before", before, "--out", folder / "report", *files)
        index = (folder / "report" / "index.html").as_uri()
        for picture, view in {"report_overview": "overview", "report_masks": "gallery", "report_mask": "gallery?sort=harm"}.items():
            page.goto("about:blank")
            page.goto(f"{index}#{view}")
            if picture == "report_mask":
                open_with_contours(page, 0)
            page.wait_for_timeout(800)
            save_screenshot(page, picture)


def review() -> None:
    """The masks with decisions, and one of them, of an annotation file of polygons without ground truth."""
    with tempfile.TemporaryDirectory() as name, browser_page(1160, 820) as page:
        folder = Path(name)
        write_set(folder, REVIEW_SCENES, first_seed=0)
        document = read_json(folder / "instances.json", "painted scenes")
        coarse = read_json(folder / "coarse.segm.json", "painted scenes")
        drawn = [{**old, "segmentation": new["segmentation"]} for old, new in zip(document["annotations"], coarse, strict=True)]
        write_json(folder / "coarse.json", {**document, "annotations": drawn})
        before, after, images = folder / "annotations.json", folder / "refined.json", ["--img-dir", folder / "images"]
        run("convert", folder / "coarse.json", "--to", "annotations", "--polygons", "--out", before, *images)
        run("refine", before, "--out", after, *images)
        run("report", after, "--before", before, "--out", folder / "report", *images)
        page.goto(f"{(folder / 'report' / 'index.html').as_uri()}#gallery")
        page.locator(".card").first.focus()
        for key in DECIDED:
            page.keyboard.press(key)
        page.wait_for_timeout(800)
        save_screenshot(page, "review_masks")
        open_with_contours(page, DECIDED.index("u"))
        page.wait_for_timeout(800)
        save_screenshot(page, "review_mask")


def open_with_contours(page: Page, number: int) -> None:
    """Open a mask of the gallery, and show its contours."""
    page.locator(".card").nth(number).click()
    page.keyboard.press("m")


PICTURES = {"app": app, "report": report, "review": review}


def main() -> None:
    parser = script_parser(__doc__)
    parser.add_argument("--only", nargs="+", choices=PICTURES, default=list(PICTURES))
    for name in parser.parse_args().only:
        PICTURES[name]()


if __name__ == "__main__":
    main()
