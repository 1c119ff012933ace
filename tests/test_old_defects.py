"""One regression test per defect of the original code; 5 (order) and 6 (no ground truth) are tested in refinement/test_runner.py."""

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import numpy as np
import pytest

from bpr.cli.main import main
from bpr.evaluation.matching import GroundTruth
from bpr.formats import photos
from bpr.formats.coco import with_mask
from bpr.geometry.boundary import boundary_pixels
from bpr.geometry.masks import BoxMask
from bpr.geometry.options import PatchSpec, Placement
from bpr.geometry.patches import crop_patches, patch_boxes
from bpr.geometry.reassembly import Blended
from bpr.geometry.rle import decode_mask, encode_mask
from bpr.io.image_finder import ImageFolder
from bpr.io.images import read_shown
from bpr.refinement import runner
from bpr.refinement.predictor import IdentityPredictor
from bpr.refinement.refiner import Refiner
from tests.conftest import SmallSet

HUGE = (20_000, 20_000)


@contextmanager
def peak_below(megabytes: float) -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()
    assert peak < megabytes, f"expected a peak below {megabytes} MB, got {peak:.1f}"


def refine_to(mask: BoxMask, value: float, image: np.ndarray) -> BoxMask:
    """Refine with a predictor that answers ``value`` everywhere."""
    boxes = patch_boxes(mask, PatchSpec(), Placement())
    patches = crop_patches(image, mask, boxes, PatchSpec())
    return Blended.of(mask, boxes, np.full(patches.shape[:3], value, np.float32), PatchSpec(), "mean").refined()


def small_disc(frame: tuple[int, int] = HUGE, left: int = 19_900, top: int = 12_345) -> BoxMask:
    disc = cv2.circle(np.zeros((90, 90), np.uint8), (45, 45), 40, 1, -1)
    return BoxMask(disc > 0, left, top, frame)


def test_defect_1_the_last_row_and_column_are_refined() -> None:
    mask = np.zeros((100, 120), bool)
    mask[40:99, 50:119] = True
    refined = refine_to(BoxMask.from_frame(mask), 1.0, np.zeros((100, 120, 3), np.uint8)).to_frame()
    assert refined[99, 60:].all()
    assert refined[50:, 119].all()


def test_defect_2_the_frame_is_no_boundary() -> None:
    mask = np.zeros((200, 300), bool)
    mask[:, :150] = True
    _, columns = boundary_pixels(BoxMask.from_frame(mask))
    assert set(columns.tolist()) == {149, 150}
    assert len(patch_boxes(BoxMask.from_frame(np.ones((200, 300), bool)), PatchSpec(), Placement())) == 0


@pytest.mark.parametrize("nms_iou", [0.15, 0.25, 0.55])
def test_defect_3_no_boundary_pixel_is_left_bare(nms_iou: float) -> None:
    mask = np.zeros((400, 500), bool)
    mask[100:250, 100:400] = True
    covered = np.zeros(mask.shape, bool)
    for x0, y0, x1, y1 in patch_boxes(BoxMask.from_frame(mask), PatchSpec(), Placement(nms_iou=nms_iou)).tolist():
        covered[y0:y1, x0:x1] = True
    assert covered[boundary_pixels(BoxMask.from_frame(mask))].all()


@pytest.mark.parametrize("frame", [(64, 64), (40, 50), (64, 30), (9, 200), (2, 2), (1, 3)])
def test_defect_4_images_not_larger_than_the_patch_are_refined(frame: tuple[int, int]) -> None:
    mask = np.zeros(frame, bool)
    mask[:, : frame[1] // 2] = True
    refined = refine_to(BoxMask.from_frame(mask), 1.0, np.zeros((*frame, 3), np.uint8))
    assert refined.frame == frame
    assert refined.area > mask.sum()


def test_defect_5_bbox_and_area_follow_the_mask() -> None:
    coarse, refined = np.zeros((2, 60, 80), bool)
    coarse[10:30, 10:40], refined[12:28, 15:37] = True, True
    record = {"image_id": 1, "segmentation": encode_mask(BoxMask.from_frame(coarse)), "bbox": [10, 10, 30, 20], "area": 600}
    assert with_mask(record, BoxMask.from_frame(refined))["bbox"] == [15.0, 12.0, 22.0, 16.0]
    assert with_mask(record, BoxMask.from_frame(refined))["area"] == 16 * 22


def test_defect_5_polygons_are_read() -> None:
    mask = decode_mask([[10, 10, 40, 10, 40, 30, 10, 30]], (60, 80))
    assert mask.box == (10, 10, 40, 30)
    assert mask.area == 600


def test_defect_10_no_full_frame_work_for_a_small_instance() -> None:
    """A frame of 400 million pixels; the image is one broadcast pixel, so only the instance's own work counts."""
    image = np.broadcast_to(np.uint8([10, 20, 30]), (*HUGE, 3))
    mask = small_disc()
    with peak_below(20):
        refined = refine_to(mask, 1.0, image)
        again = decode_mask(encode_mask(refined), HUGE)
    assert again.equals(refined)
    assert refined.area > mask.area
    assert refined.box[2] == HUGE[1]


def test_defect_11_truth_is_matched_without_decoding_frames() -> None:
    lefts = range(100, 19_000, 1000)
    identity = {"image_id": 1, "category_id": 1}
    annotations, detections = (
        [{**identity, "segmentation": encode_mask(small_disc(left=left + shift))} for left in lefts] for shift in (0, 3)
    )
    document = {"images": [{"id": 1, "height": HUGE[0], "width": HUGE[1]}], "annotations": annotations}
    with peak_below(20):
        found = GroundTruth(document).matches(detections)
    assert [mask and mask.left for mask, _ in found] == [left + 5 for left in lefts]
    assert all(0.9 < iou < 1 for _, iou in found)


def test_defect_7_9_one_decode_an_image_and_full_batches(small_set: SmallSet, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded, sizes = [], []
    monkeypatch.setattr(photos, "read_shown", lambda path, *frames, **more: decoded.append(path) or read_shown(path, *frames, **more))
    predictor = IdentityPredictor(batch_size=8)
    monkeypatch.setattr(predictor, "predict", lambda batch: sizes.append(len(batch)) or IdentityPredictor.predict(predictor, batch))
    images = ImageFolder(small_set.images, small_set.document["images"])
    _, report = runner.refine_records(small_set.records, images, Refiner(predictor))
    assert sorted(decoded) == sorted(small_set.images.iterdir())
    assert sizes[:-1] == [8] * (report.patches // 8)


def test_defect_12_results_are_parsed_not_evaluated(small_set: SmallSet) -> None:
    trap = small_set.folder / "trap.json"
    trap.write_text(f"[__import__('pathlib').Path('{small_set.folder / 'sprung'}').touch()]")
    options = ["--img-dir", str(small_set.images), "--model", "identity", "--out", str(small_set.folder / "o.json")]
    assert main(["refine", str(trap), *options]) == 1
    assert not (small_set.folder / "sprung").exists()
    assert not (small_set.folder / "o.json").exists()
