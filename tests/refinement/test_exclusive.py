"""Masks that share out an image still do after refinement."""

import json
from pathlib import Path

import numpy as np
import pytest

from bpr.geometry.masks import BoxMask
from bpr.geometry.options import PatchSpec, RefineOptions
from bpr.geometry.rle import decode_mask, encode_mask
from bpr.io.image_finder import OneImage
from bpr.refinement.predictor import PatchBatch
from bpr.refinement.refiner import Refiner
from bpr.refinement.runner import refine_records
from tests.conftest import SmallSet


class Opinion:
    """The same probability for every pixel of an instance, by the instance's key."""

    spec, recommended, batch_size = PatchSpec(), RefineOptions(), 8

    def __init__(self, *probabilities: float) -> None:
        self.probabilities = probabilities

    def predict(self, batch: PatchBatch) -> np.ndarray:
        return np.stack([np.full((64, 64), self.probabilities[instance.key], np.float32) for instance in batch.instances])


def halves(image: Path, *probabilities: float, workers: int = 2) -> list[np.ndarray]:
    left = np.arange(160) < 80
    records = [{"image_id": 1, "segmentation": encode_mask(BoxMask.from_frame(np.tile(half, (120, 1))))} for half in (left, ~left)]
    refined, _ = refine_records(records, OneImage(image), Refiner(Opinion(*probabilities)), workers, exclusive=True)
    return [decode_mask(record["segmentation"]).to_frame() for record in refined]


@pytest.mark.parametrize(
    ("probabilities", "first_holds"),
    [((0.9, 0.8), [True, True]), ((0.8, 0.9), [False, False]), ((0.1, 0.9), [False, False]), ((0.1, 0.2), [True, False])],
)
def test_the_surer_instance_takes_the_seam(small_set: SmallSet, probabilities: tuple[float, float], first_holds: list[bool]) -> None:
    """The seam is columns 79 and 80; where no instance wants them, each keeps its own."""
    first, second = halves(small_set.images / "000001.png", *probabilities)
    assert np.array_equal(first, ~second)
    assert (first[:, 79:81] == first_holds).all()


def test_the_result_does_not_depend_on_the_workers(small_set: SmallSet) -> None:
    image = small_set.images / "000001.png"
    results = [json.dumps([mask.tolist() for mask in halves(image, 0.9, 0.8, workers=workers)]) for workers in (0, 1, 4)]
    assert len(set(results)) == 1
