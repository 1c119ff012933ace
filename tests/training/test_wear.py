"""Worn photos: worse than they were, in several ways, and the same for the same seed."""

from __future__ import annotations

import numpy as np

from bpr.scenes import paint_scene
from bpr.training.data.wear import worn


def detail(image: np.ndarray) -> float:
    return float(np.abs(np.diff(image.astype(float), axis=0)).mean())


def test_every_photo_is_changed_and_the_seed_decides_how() -> None:
    image = paint_scene(0, (60, 80)).image
    results = [worn(image, np.random.default_rng(seed)) for seed in range(20)]
    assert all(result.shape == image.shape and result.dtype == np.uint8 for result in results)
    assert all((result != image).mean() > 0.1 for result in results)
    assert np.array_equal(results[3], worn(image, np.random.default_rng(3)))
    details = [detail(result) / detail(image) for result in results]
    assert min(details) < 0.7  # blurred, or dark and flat
    assert max(details) > 1.3  # noisy
