"""Take the pictures of docs/report.md: the report of painted scenes, in a headless Chromium.

    python benchmarks/report_picture.py
"""

from __future__ import annotations

import json
import shutil
import tempfile
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from bpr.cli.main import main as run_bpr
from bpr.geometry.rle import encode_mask
from bpr.report.draw import write_image
from bpr.scenes import coarse_masks, paint_scene

OUT = Path(__file__).parents[1] / "docs" / "assets"
SCENES = 10
KINDS = ("mask_head", "prototype")
VIEWS = {"report_overview": "overview", "report_masks": "gallery", "report_mask": "gallery?sort=harm"}
SIZE = {"width": 1160, "height": 820}
QUALITY = 88


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        report = make_report(Path(folder))
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"])
            page = chromium.new_page(viewport=SIZE)
            for name, view in VIEWS.items():
                page.goto("about:blank")
                page.goto(f"{(report / 'index.html').as_uri()}#{view}")
                if name == "report_mask":
                    open_first(page)
                page.wait_for_timeout(800)
                save(page.screenshot(), OUT / f"{name}.jpg")
            chromium.close()


def make_report(folder: Path) -> Path:
    """Scenes painted, made coarse, refined by the starter model and reported on; one class for each kind of coarse mask."""
    images, annotations, coarse = [], [], []
    for seed in range(SCENES):
        scene, kind = paint_scene(seed), KINDS[seed % 2]
        height, width = scene.image.shape[:2]
        images.append({"id": seed, "file_name": f"scene_{seed}.png", "height": height, "width": width})
        write_image(folder / "images" / images[-1]["file_name"], scene.image)
        for truth, mask in zip(scene.masks, coarse_masks(scene, kind, seed), strict=True):
            common = {"image_id": seed, "category_id": 1 + seed % 2}
            annotations.append({**common, "id": len(annotations) + 1, "iscrowd": 0, "segmentation": encode_mask(truth)})
            coarse.append({**common, "score": 0.9, "segmentation": encode_mask(mask)})
    categories = [{"id": number, "name": name} for number, name in enumerate(("mask head", "prototype"), start=1)]
    document = {"images": images, "annotations": annotations, "categories": categories}
    before, truth, after = write(folder / "coarse.json", coarse), write(folder / "instances.json", document), str(folder / "refined.json")
    found = ["--img-dir", str(folder / "images"), "--ann", truth]
    run_bpr(["refine", before, *found, "--out", after])
    run_bpr(["report", after, "--before", before, *found, "--out", str(folder / "report")])
    return folder / "report"


def open_first(page: Page) -> None:
    """Open the first of the masks, with its contours."""
    page.locator(".card").first.click()
    page.keyboard.press("m")


def write(path: Path, value: Any) -> str:
    path.write_text(json.dumps(value), encoding="utf-8")
    return str(path)


def save(screenshot: bytes, path: Path) -> None:
    """As a JPEG, which a repository can hold; letters keep their colours."""
    Image.open(BytesIO(screenshot)).convert("RGB").save(path, quality=QUALITY, subsampling=0, optimize=True)
    print(f"{path.name}: {path.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main()
