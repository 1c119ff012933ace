"""Take the pictures of docs/report.md: the report of painted scenes.

python -m benchmarks.pictures.report
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.painted_set import write_set
from benchmarks.pictures.browser import browser_page, save_screenshot
from bpr.cli.main import main as bpr

SCENES = 10
VIEWS = {"report_overview": "overview", "report_masks": "gallery", "report_mask": "gallery?sort=harm"}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, browser_page(1160, 820) as page:
        index = make_report(Path(folder)) / "index.html"
        for name, view in VIEWS.items():
            page.goto("about:blank")
            page.goto(f"{index.as_uri()}#{view}")
            if name == "report_mask":  # open the first mask, with its contours
                page.locator(".card").first.click()
                page.keyboard.press("m")
            page.wait_for_timeout(800)
            save_screenshot(page, name)


def make_report(folder: Path) -> Path:
    """Refine painted scenes with the starter model, and write a report."""
    write_set(folder, SCENES, first_seed=0)
    before, after = str(folder / "coarse.segm.json"), str(folder / "refined.json")
    files = ["--img-dir", str(folder / "images"), "--ann", str(folder / "instances.json")]
    report = ["report", after, "--before", before, "--out", str(folder / "report")]
    for words in (["refine", before, "--out", after], report):
        if bpr([*words, *files]):
            raise RuntimeError(f"bpr {words[0]} failed")
    return folder / "report"


if __name__ == "__main__":
    main()
