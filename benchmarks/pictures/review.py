"""Take the pictures of docs/review.md: painted scenes whose polygons were refined, while a person decides about them.

python -m benchmarks.pictures.review
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from benchmarks.painted_set import write_set
from benchmarks.pictures.browser import browser_page, save_screenshot
from bpr.cli.main import main as bpr
from bpr.io.files import write_json

SCENES = 6
DECIDED = "kkukku"
"""The keys that decide about the first masks."""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, browser_page(1160, 820) as page:
        page.goto(f"{make_report(Path(folder)).as_uri()}#gallery")
        page.locator(".card").first.focus()
        for key in DECIDED:
            page.keyboard.press(key)
        page.wait_for_timeout(800)
        save_screenshot(page, "review_masks")
        page.locator(".card").nth(DECIDED.index("u")).click()
        page.keyboard.press("m")
        page.wait_for_timeout(800)
        save_screenshot(page, "review_mask")


def make_report(folder: Path) -> Path:
    """Refine an annotation file of polygons with the starter model, and write a report without ground truth."""
    write_set(folder, SCENES, first_seed=0)
    document = json.loads((folder / "instances.json").read_text())
    coarse = json.loads((folder / "coarse.segm.json").read_text())
    drawn = [{**old, "segmentation": new["segmentation"]} for old, new in zip(document["annotations"], coarse, strict=True)]
    write_json(folder / "coarse.json", {**document, "annotations": drawn})
    before, after = str(folder / "annotations.json"), str(folder / "refined.json")
    images = ["--img-dir", str(folder / "images")]
    for words in (
        ["convert", str(folder / "coarse.json"), "--to", "annotations", "--polygons", "--out", before],
        ["refine", before, "--out", after],
        ["report", after, "--before", before, "--out", str(folder / "report")],
    ):
        if bpr([*words, *images]):
            raise RuntimeError(f"bpr {words[0]} failed")
    return folder / "report" / "index.html"


if __name__ == "__main__":
    main()
