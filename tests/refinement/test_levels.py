"""Objects of any size: from the coarsest copy of their photo to its own scale."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import bpr
from bpr.backends import load_predictor
from bpr.evaluation.boundary_metrics import overlap
from bpr.formats.coco import Record
from bpr.geometry.masks import BoxMask
from bpr.geometry.options import PatchSpec, RefineOptions
from bpr.geometry.placement import SCHEMES
from bpr.geometry.rle import decode_mask, encode_mask
from bpr.io.image_finder import ImageFolder
from bpr.refinement.predictor import IdentityPredictor, Instance, OraclePredictor, PatchBatch
from bpr.refinement.refiner import Refiner
from bpr.refinement.runner import refine_records
from bpr.scenes import coarse_masks, paint_scene

FRAME = (500, 603)


class Bright(IdentityPredictor):
    """What is bright is the object. It remembers the level of every patch."""

    def __init__(self, batch_size: int = 16) -> None:
        super().__init__(PatchSpec(side=32), batch_size)
        self.levels: list[int] = []

    def predict(self, batch: PatchBatch) -> np.ndarray:
        self.levels += [instance.level for instance in batch.instances]
        return (batch.patches[..., :3].mean(axis=3) > 128).astype(np.float32)


def shown(mask: np.ndarray) -> np.ndarray:
    """An image of a bright object."""
    return np.where(mask, 220, 40).astype(np.uint8)[..., None].repeat(3, axis=2)


def rectangle(top: int, left: int, bottom: int, right: int) -> np.ndarray:
    mask = np.zeros(FRAME, bool)
    mask[top:bottom, left:right] = True
    return mask


def rough(seed: int, frame: tuple[int, int] = FRAME) -> np.ndarray:
    """A large mask with parts of all sizes, single pixels too."""
    rng = np.random.default_rng(seed)
    noise = cv2.GaussianBlur(rng.random(frame).astype(np.float32), (0, 0), 25)
    return (noise > np.median(noise)) ^ (rng.random(frame) < 0.01)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("object_size", [32, 77, 200])
def test_identity_is_exact_at_every_size(scheme: str, object_size: int) -> None:
    masks = np.stack([rough(0), rough(1), np.ones(FRAME, bool), np.zeros(FRAME, bool), rectangle(3, 0, 4, 603)])
    image = np.random.default_rng(2).integers(0, 256, (*FRAME, 3), dtype=np.uint8)
    refiner = Refiner(IdentityPredictor(PatchSpec(side=32)), RefineOptions(scheme, object_size=object_size))
    assert np.array_equal(refiner(image, masks), masks)


def test_an_error_far_beyond_a_patch_is_mended() -> None:
    truth, coarse = rectangle(80, 100, 420, 500), rectangle(140, 180, 360, 440)
    one_level = Refiner(Bright(), RefineOptions(object_size=None))(shown(truth), coarse)
    predictor = Bright()
    refined = Refiner(predictor, RefineOptions(object_size=50))(shown(truth), coarse)
    assert (one_level != truth).sum() > 40_000
    assert np.array_equal(refined, truth)
    assert sorted(set(predictor.levels)) == [0, 1, 3]


def test_detail_finer_than_the_coarse_grid_is_kept() -> None:
    truth = rectangle(100, 100, 400, 500)
    truth[80:100, 100:500:3] = True
    coarse = truth.copy()
    coarse[300:, 100:300] = False
    refined = Refiner(Bright(), RefineOptions(object_size=40))(shown(truth), coarse)
    assert np.array_equal(refined, truth)


def test_small_objects_beside_a_large_one_come_out_as_ever() -> None:
    scene = paint_scene(0, (240, 320))
    masks = [np.roll(mask.to_frame(), 12, axis=1) for mask in coarse_masks(scene, "mask_head", 0)]
    sizes = [np.sqrt(mask.sum()) for mask in masks]
    limit = int(np.median(sizes)) + 1
    before, after = (  # without a verdict, which compares the masks of an image
        bpr.load("starter-fast", object_size=size, caution=0)(scene.image, np.stack(masks), return_probability=True)
        for size in (None, limit)
    )
    small = [index for index, size in enumerate(sizes) if size <= limit]
    assert 0 < len(small) < len(masks)
    assert np.array_equal(before.masks[small], after.masks[small])
    assert np.array_equal(before.probability[small], after.probability[small])
    assert not np.array_equal(before.masks, after.masks)


def enlarged(mask: np.ndarray, scale: int) -> np.ndarray:
    return cv2.resize(mask.astype(np.float32), None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC) > 0.5


def gain(scale: int, **options: Any) -> float:
    """Mean change of IoU over the larger objects of two scenes that are enlarged with all their errors."""
    refiner, changes = bpr.load("starter-fast", **options), []
    for seed in range(2):
        scene = paint_scene(seed, (150, 200))
        coarse, truths = coarse_masks(scene, "mask_head", seed), scene.masks
        pairs = [(a.to_frame(), b.to_frame()) for a, b in zip(coarse, truths, strict=True) if b.area > 45**2]
        image = cv2.resize(scene.image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        masks, known = (np.stack([enlarged(pair[side], scale) for pair in pairs]) for side in (0, 1))
        for before, after, truth in zip(masks, refiner(image, masks), known, strict=True):
            a, b, c = (BoxMask.from_frame(mask) for mask in (before, after, truth))
            changes.append(overlap(b, c).iou - overlap(a, c).iou)
    return float(np.mean(changes))


def test_a_scene_enlarged_four_times_gains_what_it_gains_as_it_is() -> None:
    usual, large = gain(1), gain(4, object_size=80)
    assert usual > 0.05
    assert large > 0.9 * usual


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Record], ImageFolder]:
    """Images with objects of one to three levels, and some with small objects only."""
    folder, records, images = tmp_path_factory.mktemp("photos"), [], []
    for number, height in enumerate([200, 70, 130, 60]):
        scene = paint_scene(number, (height, height + 30))
        cv2.imwrite(str(folder / f"{number}.png"), scene.image[..., ::-1])
        images.append({"id": number, "file_name": f"{number}.png"})
        masks = coarse_masks(scene, "mask_head", number)
        records += [{"image_id": number, "score": 0.9, "segmentation": encode_mask(mask)} for mask in masks]
    return records, ImageFolder(folder, images)


def test_batches_workers_and_order_change_no_bit(photos: tuple[list[Record], ImageFolder]) -> None:
    records, images = photos
    options, found = RefineOptions(object_size=40), []
    for batch_size, workers in ((64, 0), (7, 2), (3, 3)):
        predictor = load_predictor("starter-fast")
        predictor.batch_size = batch_size
        found.append(refine_records(records, images, Refiner(predictor, options), workers)[0])
    backwards, _ = refine_records(records[::-1], images, Refiner(load_predictor("starter-fast"), options))
    alone = [
        record
        for number in range(4)
        for record in refine_records(
            [one for one in records if one["image_id"] == number], images, Refiner(load_predictor("starter-fast"), options)
        )[0]
    ]
    assert found[0] == found[1] == found[2] == backwards[::-1] == alone != records


def test_a_stream_gives_the_bits_of_single_calls() -> None:
    frames = [(220, 260), (60, 70), (200, 190)]
    pairs = [(shown(rough(seed, frame)), rough(seed + 10, frame)) for seed, frame in enumerate(frames)]
    refiner = bpr.load("starter-fast", object_size=70)
    single = [refiner(*pair, return_probability=True, return_patches=True) for pair in pairs]
    for one, other in zip(single, refiner.stream(pairs, return_probability=True, return_patches=True), strict=True):
        assert np.array_equal(one.masks, other.masks)
        assert np.array_equal(one.probability, other.probability)
        assert np.array_equal(one.probability > 0.5, one.masks)
        assert np.array_equal(one.patches[0].patches, other.patches[0].patches)


def test_every_batch_but_the_last_ones_is_full() -> None:
    predictor, sizes = Bright(batch_size=16), []
    answer = predictor.predict
    predictor.predict = lambda batch: sizes.append(len(batch)) or answer(batch)  # type: ignore[method-assign]
    refiner = Refiner(predictor, RefineOptions(object_size=80))
    results = list(refiner.stream((shown(rough(seed)), rough(seed + 1)) for seed in range(3)))
    assert len(results) == 3
    assert sum(size != 16 for size in sizes) <= 4  # no more than the levels of the last image
    assert set(predictor.levels) == {0, 1, 3}


def test_the_extras_are_those_of_the_last_level() -> None:
    truth, coarse = rectangle(80, 100, 420, 500), rectangle(140, 180, 360, 440)
    image = shown(truth)
    asked = Refiner(Bright(), RefineOptions(object_size=50))(image, coarse, return_probability=True, return_patches=True)
    (own,) = asked.patches
    for (x0, y0, x1, y1), patch in zip(own.boxes, own.patches, strict=True):
        assert np.array_equal(patch[..., :3], image[y0:y1, x0:x1])
    assert np.array_equal(asked.probability > 0.5, truth)


def test_a_budget_is_that_of_all_levels(photos: tuple[list[Record], ImageFolder]) -> None:
    records, images = photos
    chosen = [one for one in records if one["image_id"] == 0]
    every = refine_records(chosen, images, Refiner(Bright(), RefineOptions(object_size=40)))[1]
    for most in (1, 2, 10, 40, 10**6):
        options = RefineOptions(object_size=40, max_patches=most)
        predictor = Bright()
        report = refine_records(chosen, images, Refiner(predictor, options))[1]
        assert report.patches == len(predictor.levels) <= most
        assert predictor.levels.count(0) >= min(most / 8, 1)
        assert report.left_out > 0 or most >= every.patches
    assert every.left_out == 0
    half = refine_records(chosen, images, Refiner(Bright(), RefineOptions(object_size=40, keep=0.5)))[1]
    assert half.patches < 0.7 * every.patches


@pytest.mark.parametrize("seed", range(2))
def test_masks_that_share_out_an_image_still_do(seed: int, tmp_path: Path) -> None:
    """Four quarters with wavy seams of a picture in which the seams run elsewhere; one segment is a small island."""
    rows, columns = np.mgrid[:200, :260]
    rng = np.random.default_rng(seed)
    segments = (rows > 100 + 20 * np.sin(columns / 25 + seed)).astype(int) * 2 + (columns > 130 + 15 * np.sin(rows / 20))
    segments[80:100, 80:100] = 4
    image = np.stack([segments * 50, 255 - segments * 40, rng.integers(0, 60, rows.shape)], axis=2).astype(np.uint8)
    cv2.imwrite(str(tmp_path / "1.png"), image[..., ::-1])
    images = ImageFolder(tmp_path, [{"id": 1, "file_name": "1.png"}])
    coarse = np.roll(segments, 20, axis=1)
    coarse[:25] = -1
    found = []
    for workers in (0, 2):
        records = [{"image_id": 1, "segmentation": encode_mask(BoxMask.from_frame(coarse == value))} for value in range(5)]
        refiner = bpr.load("starter-fast", object_size=32)
        refined, _ = refine_records(records, images, refiner, workers, exclusive=True)
        found.append(np.stack([decode_mask(record["segmentation"]).to_frame() for record in refined]))
    assert np.array_equal(*found)
    assert found[0].sum(axis=0).max() == 1
    assert found[0].any(axis=(1, 2)).all()
    assert not np.array_equal(found[0], [coarse == value for value in range(5)])


def test_the_oracle_knows_objects_of_any_size() -> None:
    truth = rectangle(80, 100, 420, 500)
    oracle = OraclePredictor({0: BoxMask.from_frame(truth)})
    assert np.array_equal(Refiner(oracle)(shown(truth), rectangle(83, 96, 419, 508)), truth)


def test_an_image_without_large_objects_has_one_level() -> None:
    mask = BoxMask.from_frame(rectangle(100, 100, 200, 200))
    refiner = Refiner(Bright(), RefineOptions(object_size=100))
    assert refiner.start(shown(mask.to_frame()), [Instance(mask)], None).finer is None
    assert refiner.start(shown(mask.to_frame()), [], None).finer is None
    larger = BoxMask.from_frame(rectangle(100, 100, 200, 201))
    assert refiner.start(shown(mask.to_frame()), [Instance(larger)], None).finer is not None
