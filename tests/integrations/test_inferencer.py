"""MMEngine's way to call the refiner gives what the refiner gives."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

import bpr
from bpr.geometry.rle import decode_mask
from bpr.scenes import coarse_masks, paint_scene
from tests.conftest import SmallSet

pytest.importorskip("mmengine")

from bpr.integrations.inferencer import BPRInferencer


@pytest.fixture(scope="module")
def inferencer() -> BPRInferencer:
    return BPRInferencer("starter", caution=0)


def scene(seed: int) -> tuple[np.ndarray, np.ndarray]:
    painted = paint_scene(seed, (120, 160))
    return painted.image, np.stack([mask.to_frame() for mask in coarse_masks(painted, "mask_head", seed)])


def test_predictions_are_those_of_the_refiner(inferencer: BPRInferencer) -> None:
    image, masks = scene(0)
    expected = bpr.load("starter", caution=0)(image, masks)
    assert not np.array_equal(expected, masks)
    result = inferencer(image, masks)
    assert set(result) == {"predictions", "visualization"}
    assert result["visualization"] is None
    (prediction,) = json.loads(json.dumps(result["predictions"]))
    assert np.array_equal([decode_mask(rle).to_frame() for rle in prediction["masks"]], expected)
    (sample,) = inferencer(image, masks, return_datasamples=True)["predictions"]
    assert np.array_equal(sample, expected)


@pytest.mark.parametrize("batch_size", [1, 3])
def test_many_images_in_their_order(inferencer: BPRInferencer, batch_size: int) -> None:
    images, masks = zip(*[scene(seed) for seed in (0, 1)], strict=True)
    result = inferencer(images, masks, return_datasamples=True, return_vis=True, batch_size=batch_size)
    singles = [inferencer(*pair, return_datasamples=True)["predictions"][0] for pair in zip(images, masks, strict=True)]
    assert all(map(np.array_equal, result["predictions"], singles))
    assert [picture.ndim for picture in result["visualization"]] == [3, 3]


def test_a_folder_and_its_files(small_set: SmallSet) -> None:
    masks = [[record["segmentation"] for record in small_set.records if record["image_id"] == number] for number in (1, 2)]
    out = small_set.folder / "out"
    result = BPRInferencer("identity")(small_set.images, masks, out_dir=out)
    assert [prediction["masks"] for prediction in result["predictions"]] == masks
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*.*")) == [
        "preds/000001.json", "preds/000002.json", "vis/000001.png", "vis/000002.png",
    ]  # fmt: skip
    assert json.loads((out / "preds" / "000002.json").read_text()) == {"masks": masks[1]}


def test_files_of_one_name(tmp_path: Path) -> None:
    for folder in "ab":
        (tmp_path / folder).mkdir()
        cv2.imwrite(str(tmp_path / folder / "same.png"), np.zeros((30, 40, 3), np.uint8))
    files = [tmp_path / folder / "same.png" for folder in "ab"]
    BPRInferencer("identity")(files, [np.zeros((1, 30, 40), bool)] * 2, out_dir=tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out" / "preds").iterdir()) == ["same_00000000.json", "same_00000001.json"]


def test_one_mask_of_a_single_image(inferencer: BPRInferencer) -> None:
    image, masks = scene(2)
    assert inferencer(image, masks[0], return_datasamples=True)["predictions"][0].shape == masks[0].shape
    rles = inferencer(image, masks[:0])["predictions"]
    assert rles == [{"masks": []}]


def test_as_many_masks_as_images() -> None:
    with pytest.raises(ValueError, match="masks: expected those of 2 images, got 1"):
        BPRInferencer("identity")([np.zeros((9, 9, 3), np.uint8)] * 2, [np.zeros((1, 9, 9), bool)])
