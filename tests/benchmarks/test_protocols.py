"""The protocols of rivals from end to end, on small sets in the layouts of the real ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("skimage")

from benchmarks.studies import protocols
from bpr.cli.main import main
from bpr.evaluation.boundary_metrics import overlap
from bpr.evaluation.prepare import prepare_annotations
from bpr.formats.coco import read_annotations
from bpr.geometry.rle import decode_mask
from bpr.io.image_finder import ImageFolder
from bpr.refinement.predictor import OraclePredictor
from bpr.refinement.refiner import Refiner
from tests.conftest import SmallSet


def prepared(small_set: SmallSet) -> dict[str, Any]:
    return prepare_annotations(read_annotations(small_set.ann), "ann")


def truths(document: dict[str, Any]) -> list[np.ndarray]:
    return [decode_mask(item["segmentation"]).to_frame() for item in document["annotations"]]


def rows_of(*words: str, folder: Path) -> dict[str, Any]:
    out = folder / "numbers.json"
    assert main(["eval", *words, "--out", str(out)]) == 0
    return dict(json.loads(out.read_text())["rows"])


def test_initial_masks_have_the_promised_iou(small_set: SmallSet) -> None:
    out = small_set.folder / "initial.segm.json"
    words = ["defects", str(small_set.ann), "--img-dir", str(small_set.images), "--out", str(out)]
    assert protocols.main(words) == 0
    made = json.loads(out.read_text())
    for record, truth in zip(made, truths(prepared(small_set)), strict=True):
        iou = overlap(decode_mask(record["segmentation"]).to_frame(), truth).iou
        assert protocols.LOWEST <= iou <= protocols.HIGHEST
    before = out.read_bytes()
    assert protocols.main(words) == 0
    assert out.read_bytes() == before
    assert rows_of(str(out), "--ann", str(small_set.ann), folder=small_set.folder)["AP50/COCO"]["value"] == 1


def test_noise_keeps_classes_and_grows_with_the_level(small_set: SmallSet) -> None:
    document, lost = prepared(small_set), []
    copies = [{**one, "id": one["id"] + 4 * n} for n in range(50) for one in document["annotations"]]
    many = {**document, "annotations": copies}
    for level in protocols.LEVELS:
        changed = protocols.with_noise(many, level)["annotations"]
        assert [item["category_id"] for item in changed] == [item["category_id"] for item in many["annotations"]]
        sides = [[decode_mask(item["segmentation"]) for item in items] for items in (changed, many["annotations"])]
        ious = [overlap(*pair).iou for pair in zip(*sides, strict=True)]
        lost.append(1 - np.mean(ious))
        untouched = 1 - 3 * protocols.LEVELS[level].share
        assert np.mean(np.array(ious) == 1) == pytest.approx(untouched, abs=0.1)
    assert 0 < lost[0] < lost[1] < lost[2]


def test_an_oracle_takes_all_noise_back(small_set: SmallSet) -> None:
    noisy = small_set.folder / "noisy.json"
    assert protocols.main(["noise", str(small_set.ann), "--level", "hard", "--out", str(noisy)]) == 0
    document = prepared(small_set)
    records = [{**item, "score": 1.0} for item in json.loads(noisy.read_text())["annotations"]]
    oracle = OraclePredictor(dict(enumerate(decode_mask(item["segmentation"]) for item in document["annotations"])))
    images = ImageFolder(small_set.images, document["images"])
    found = protocols.measured(records, document, images, Refiner(oracle))
    assert found["before"][0] < 1
    assert found["after"] == [1, 1, 1]
    assert found["taken_back"] == [1, 1, 1]
    # The same by the commands of docs/reproduce.md, with a refiner that changes nothing.
    refined = str(small_set.folder / "refined.json")
    assert main(["refine", str(noisy), "--img-dir", str(small_set.images), "--model", "identity", "--out", refined]) == 0
    rows = rows_of(refined, "--before", str(noisy), "--ann", str(small_set.ann), folder=small_set.folder)
    assert rows["IoU/matched"]["value"] == rows["IoU/matched"]["before"] == found["before"][0]


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


def test_folders_of_big_and_dis5k(small_set: SmallSet, capsys: pytest.CaptureFixture[str]) -> None:
    big, out = small_set.folder / "BIG", small_set.folder / "big"
    big.mkdir()
    assert protocols.main(["big", str(big), "--out", str(out)]) == 1
    assert "expected BIG's files" in capsys.readouterr().err
    truth = truths(prepared(small_set))[0]
    for stem in ("2007_000033_aeroplane", "2007_000042_train"):
        cv2.imwrite(str(big / f"{stem}_im.jpg"), cv2.imread(str(small_set.images / "000001.png")))
        cv2.imwrite(str(big / f"{stem}_gt.png"), truth * np.uint8(255))
        cv2.imwrite(str(big / f"{stem}_seg.png"), np.roll(truth, 3, axis=1) * np.uint8(255))
    assert protocols.main(["big", str(big), "--out", str(out)]) == 0
    # From here on the layout is that of DIS5K: im/ and gt/ of one name, and the folder of the coarse masks.
    im, gt, seg, refined = (str(out / name) for name in ("im", "gt", "seg", "refined"))
    assert main(["refine", seg, "--img-dir", im, "--format", "masks", "--model", "identity", "--out", refined]) == 0
    rows = rows_of(refined, "--before", seg, "--ann", gt, folder=small_set.folder)
    iou = overlap(np.roll(truth, 3, axis=1), truth).iou
    assert rows["IoU/pixels of all pictures"]["value"] == rows["IoU/pixels of all pictures"]["before"] == pytest.approx(iou)
    assert 0 < rows["mBA/mean of pictures"]["value"] < 1
