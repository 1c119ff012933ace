"""Reports of made-up masks, written once for many tests."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from bpr.cli.main import main
from bpr.formats.coco import Record
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import encode_mask
from bpr.report.html.data import script

FRAME = (200, 260)
HOSTILE_CLASS = "<img src=x onerror=alert(1)>$\\frac$&amp;"
HOSTILE_FILE = "\"'><img src=x onerror=alert(2)>.png"
SHIFTS = (3, 2, 0, -2)
"""How far the masks before lie outside their object in pixels, by instance."""


def square(left: int, top: int, side: int, frame: tuple[int, int] = FRAME) -> dict[str, Any]:
    mask = np.zeros(frame, bool)
    mask[top : top + side, left : left + side] = True
    return encode_mask(BoxMask.from_frame(mask))


class MadeSet:
    """Images with squares side by side: truth, masks before, masks after, as files.

    In every image the first square is refined to its truth, the second is left as it was, the third, right before, is
    harmed by 4 pixels, the fourth grows from too small to too large.
    """

    def __init__(self, folder: Path, images: int, rows: int = 1, columns: int = 4, side: int = 40) -> None:
        self.folder, self.images = folder, folder / "images"
        self.images.mkdir(parents=True)
        pitch = side + 20
        self.frame = rows * pitch + 10, columns * pitch + 10
        entries, annotations, before, after = [], [], [], []
        for image_id in range(1, images + 1):
            name = HOSTILE_FILE if image_id == 1 else f"{image_id:04d}.png"
            entries.append({"id": image_id, "file_name": name, "height": self.frame[0], "width": self.frame[1]})
            cv2.imwrite(
                str(self.images / name), np.random.default_rng(image_id).integers(60, 90, (*self.frame, 3), np.uint8)
            )
            for number in range(rows * columns):
                left, top, kind = 10 + number % columns * pitch, 10 + number // columns * pitch, number % 4
                common = {"image_id": image_id, "category_id": 1 + number % 2}
                annotations.append(
                    {**common, "id": len(annotations) + 1, "iscrowd": 0, "segmentation": self._square(left, top, side)}
                )
                score = round(0.2 + 0.15 * kind, 2)
                before.append({**common, "score": score, "segmentation": self._square(left, top, side + SHIFTS[kind])})
                grown = (0, SHIFTS[1], 4, 1)[kind]
                after.append({**common, "score": score, "segmentation": self._square(left, top, side + grown)})
        categories = [{"id": 1, "name": "square"}, {"id": 2, "name": HOSTILE_CLASS}]
        self.document = {"images": entries, "annotations": annotations, "categories": categories}
        self.records: tuple[list[Record], list[Record]] = before, after
        self.before, self.after = self.write("before.json", before), self.write("after.json", after)
        self.ann = self.write("instances.json", self.document)

    def _square(self, left: int, top: int, side: int) -> dict[str, Any]:
        return square(left, top, side, self.frame)

    def write(self, name: str, value: object) -> Path:
        path = self.folder / name
        path.write_text(json.dumps(value))
        return path

    def report(self, name: str, *more: str, with_truth: bool = True) -> Path:
        """Write the report with ``bpr report``; returns its folder."""
        out = self.folder / name
        truth = ["--ann", str(self.ann)] if with_truth else []
        places = ["--before", str(self.before), "--img-dir", str(self.images), "--out", str(out)]
        assert main(["report", str(self.after), *places, *truth, *more]) == 0
        return out


def multiplied(report: Path, copy: Path, times: int) -> Path:
    """A copy of a report in which every mask stands ``times`` times, each with picture files of its own."""
    shutil.copytree(report, copy)
    data = read_data(report)
    rows, pictures = data["instances"], copy / "data"
    for number in range(len(rows), times * len(rows)):
        for kind in ("cuts", "thumbnails"):
            (pictures / kind / f"{number}.jpg").hardlink_to(pictures / kind / f"{number % len(rows)}.jpg")
    data["instances"] = [{**rows[number % len(rows)], "number": number} for number in range(times * len(rows))]
    (copy / "data" / "instances.js").write_text(script(data))
    return copy


def read_data(report: Path) -> dict[str, Any]:
    """What the page's scripts read."""
    text = (report / "data" / "instances.js").read_text()
    return json.loads(text[text.index("=") + 1 :].strip().removesuffix(";"))
