"""The protocols of docs/reproduce.md from end to end, on small sets in the layouts of the real ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from bpr.cli.main import main
from bpr.evaluation.boundary_metrics import overlap
from bpr.geometry.rle import decode_mask
from tests.conftest import SmallSet


def rows_of(*words: str, folder: Path) -> dict[str, Any]:
    out = folder / "numbers.json"
    assert main(["eval", *words, "--out", str(out)]) == 0
    return dict(json.loads(out.read_text())["rows"])


def test_noisy_annotations_are_compared_with_those_without_noise(small_set: SmallSet) -> None:
    pairs = zip(small_set.document["annotations"], small_set.records, strict=True)  # the records are 2 px too large
    annotations = [{**annotation, "segmentation": record["segmentation"]} for annotation, record in pairs]
    noisy = str(small_set.write("noisy.json", {**small_set.document, "annotations": annotations}))
    refined = str(small_set.folder / "refined.json")
    assert main(["refine", noisy, "--img-dir", str(small_set.images), "--model", "identity", "--out", refined]) == 0
    rows = rows_of(refined, "--before", noisy, "--ann", str(small_set.ann), folder=small_set.folder)
    assert rows["IoU/matched"]["value"] == rows["IoU/matched"]["before"] < 1


def test_lvis_and_refined_coco_annotations(small_set: SmallSet) -> None:
    """COCO-ReM holds run lengths where COCO has polygons; LVIS names images by address and searches few classes each."""
    first = small_set.document["annotations"][0]["segmentation"]  # one mask is right, the others are 2 px too large
    results = str(small_set.write("r.json", [{**small_set.records[0], "segmentation": first}, *small_set.records[1:]]))
    rows = rows_of(results, "--ann", str(small_set.ann), "--metrics", "ap", "boundary-ap", folder=small_set.folder)
    assert 0 < rows["BoundaryAP@0.02/COCO"]["value"] < rows["AP/COCO"]["value"] < 1
    pytest.importorskip("lvis")
    images = []
    for image in small_set.document["images"]:
        lists = {"neg_category_ids": [], "not_exhaustive_category_ids": []}
        address = f"http://images.cocodataset.org/val2017/{image['file_name']}"
        images.append({"id": image["id"], "coco_url": address, "height": 120, "width": 160, **lists})
    categories = [{**one, "frequency": "f"} for one in small_set.document["categories"]]
    ann = str(small_set.write("lvis_v1_val.json", {**small_set.document, "images": images, "categories": categories}))
    refined = str(small_set.folder / "refined.json")
    words = [results, "--ann", ann, "--img-dir", str(small_set.images), "--model", "identity"]
    assert main(["refine", *words, "--out", refined]) == 0
    chosen = ["--metrics", "lvis-ap", "lvis-boundary-ap"]
    lvis = rows_of(refined, "--before", results, "--ann", ann, *chosen, folder=small_set.folder)
    assert lvis["BoundaryAP@0.02/LVIS"]["value"] == pytest.approx(rows["BoundaryAP@0.02/COCO"]["value"])
    assert lvis["BoundaryAPf@0.02/LVIS"]["change"] == 0


def test_folders_of_big_and_dis5k(small_set: SmallSet) -> None:
    im, gt, seg, refined = (small_set.folder / name for name in ("im", "gt", "seg", "refined"))
    for folder in (im, gt, seg):
        folder.mkdir()
    truth = decode_mask(small_set.document["annotations"][0]["segmentation"], (120, 160)).to_frame()
    for stem in ("2007_000033_aeroplane", "2007_000042_train"):
        cv2.imwrite(str(im / f"{stem}.jpg"), cv2.imread(str(small_set.images / "000001.png")))
        cv2.imwrite(str(gt / f"{stem}.png"), truth * np.uint8(255))
        cv2.imwrite(str(seg / f"{stem}.png"), np.roll(truth, 3, axis=1) * np.uint8(255))
    words = [str(seg), "--img-dir", str(im), "--format", "masks", "--model", "identity", "--out", str(refined)]
    assert main(["refine", *words]) == 0
    rows = rows_of(str(refined), "--before", str(seg), "--ann", str(gt), folder=small_set.folder)
    iou = overlap(np.roll(truth, 3, axis=1), truth).iou
    assert rows["IoU/pixels of all pictures"]["value"] == rows["IoU/pixels of all pictures"]["before"] == pytest.approx(iou)
    assert 0 < rows["mBA/mean of pictures"]["value"] < 1
