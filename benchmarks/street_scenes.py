"""Seeded scenes as large as Cityscapes images, in memory and as files.

Legend: N instances, H W frame.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import encode_mask
from bpr.io.files import write_json

FRAME = (1024, 2048)


def scene(seed: int, instances: int = 20, frame: tuple[int, int] = FRAME, size: float = 50) -> tuple[np.ndarray, np.ndarray]:
    """A smooth random image and (N, H, W) bool masks of blobs about as large as the cars and people of a street.

    Args:
        size: median radius of a blob in pixels.
    """
    rng = np.random.default_rng(seed)
    image = cv2.GaussianBlur(rng.integers(0, 256, (*frame, 3), dtype=np.uint8), (0, 0), 3)
    masks = np.zeros((instances, *frame), np.uint8)
    for mask in masks:
        centre = np.array([rng.integers(0, frame[1]), rng.integers(frame[0] // 4, frame[0])])
        angles = np.linspace(0, 2 * np.pi, 60, endpoint=False)
        radii = np.exp(rng.normal(np.log(size), 0.6)) * (1 + 0.25 * np.sin(angles * rng.integers(2, 6) + rng.uniform(0, 6)))
        outline = centre + np.stack([np.cos(angles), np.sin(angles)], axis=1) * radii[:, None]
        cv2.fillPoly(mask, [outline.astype(np.int32)], 1)
    return image, masks.astype(bool)


def write_scenes(folder: Path, scenes: list[tuple[np.ndarray, np.ndarray]]) -> Path:
    """The scenes as PNG files 0.png, 1.png ... and their masks as COCO results; returns the results file."""
    records = []
    for number, (image, masks) in enumerate(scenes):
        cv2.imwrite(str(folder / f"{number}.png"), image[..., ::-1])
        for mask in masks:
            if mask.any():
                segmentation = encode_mask(BoxMask.from_frame(mask))
                records.append({"image_id": number, "category_id": 1, "score": 0.9, "segmentation": segmentation})
    write_json(folder / "results.json", records)
    return folder / "results.json"
