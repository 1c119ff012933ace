"""Every block of docs/neighbours.md runs as it stands, on structures written by hand, and gives the true masks."""

from __future__ import annotations

import re
import runpy
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import decode_mask
from bpr.refinement.predictor import OraclePredictor
from bpr.refinement.refiner import Refiner
from tests.conftest import ROOT
from tests.refinement import neighbours
from tests.refinement.neighbours import COARSE, FRAME, IMAGE, TRUTH

PAGE = (ROOT / "docs" / "neighbours.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
Names = dict[str, Any]


def detectron2() -> Names:
    instances = neighbours.Instances(FRAME, pred_masks=COARSE)
    return {"predictor": lambda image: {"instances": instances}}


def ultralytics() -> Names:
    boxes = np.hstack([neighbours.COARSE_BOXES, np.ones((2, 2))])
    return {"model": lambda path, retina_masks: [neighbours.Results(IMAGE, path, {}, boxes, COARSE.astype(np.uint8))]}


def hugging_face() -> Names:
    result = {"segmentation": neighbours.segment_map(COARSE, 0, -1), "segments_info": neighbours.segments_info(0)}
    return {
        "processor": SimpleNamespace(post_process_instance_segmentation=lambda outputs, target_sizes: [result]),
        "outputs": None,
    }


def pipeline() -> Names:
    pictures = pytest.importorskip("PIL.Image")
    results = [{"score": 0.9, "label": "cat", "mask": pictures.fromarray(mask)} for mask in COARSE]
    return {"pipeline": lambda picture: results, "picture": None}


def generator() -> Names:
    return {
        "generator": SimpleNamespace(
            generate=lambda image: [neighbours.generated(mask, "binary_mask") for mask in COARSE]
        )
    }


def predictor() -> Names:
    answer = COARSE, np.array([0.9, 0.8]), np.zeros((2, 256, 256), np.float32)
    return {"predictor": SimpleNamespace(set_image=lambda image: None, predict=lambda box: answer), "box": None}


def supervision() -> Names:
    return {"detections": neighbours.SupervisionDetections(xyxy=neighbours.COARSE_BOXES, mask=COARSE)}


class Sample(dict[str, Any]):
    filepath = "photo.jpg"


def fiftyone() -> Names:
    labels = [neighbours.fiftyone_label(neighbours.Detection, mask, "a") for mask in COARSE]
    return {"sample": Sample(predictions=neighbours.Detections(labels))}


def coco() -> Names:
    return {"records": [neighbours.generated(mask, "coco_rle") for mask in COARSE]}


def pasted(detection: neighbours.Detection) -> np.ndarray:
    left, top = round(detection.bounding_box[0] * FRAME[1]), round(detection.bounding_box[1] * FRAME[0])
    return BoxMask(np.asarray(detection.mask), left, top, FRAME).to_frame()


CASES: list[tuple[Callable[[], Names], Callable[[Names], Any]]] = [
    (detectron2, lambda names: names["refined"].pred_masks),
    (ultralytics, lambda names: names["refined"].masks.data),
    (hugging_face, lambda names: [names["refined"]["segmentation"] == number for number in (0, 1)]),
    (pipeline, lambda names: [np.asarray(one["mask"]) > 0 for one in names["refined"]]),
    (generator, lambda names: [one["segmentation"] for one in names["refined"]]),
    (predictor, lambda names: names["masks"]),
    (supervision, lambda names: names["refined"].mask),
    (fiftyone, lambda names: [pasted(one) for one in names["sample"]["refined"].detections]),
    (coco, lambda names: [decode_mask(one["segmentation"]).to_frame() for one in names["refined"]]),
]


def test_every_block_has_its_case() -> None:
    assert len(BLOCKS) == len(CASES)


@pytest.mark.parametrize(("block", "case"), zip(BLOCKS, CASES, strict=False), ids=[case[0].__name__ for case in CASES])
def test_a_block_of_the_page_runs(
    block: str, case: tuple[Any, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    cv2.imwrite("photo.jpg", IMAGE)
    make, masks_of = case
    refiner = Refiner(OraclePredictor({index: BoxMask.from_frame(mask) for index, mask in enumerate(TRUTH)}))
    names = {"image": IMAGE, "refiner": refiner, **make()}
    Path("block.py").write_text(block, encoding="utf-8")
    assert np.array_equal(np.array(masks_of(runpy.run_path("block.py", init_globals=names))), TRUTH)
