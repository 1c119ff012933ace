"""Three PNGs per patch, as the released code keeps them: what a patch store is measured against.

FOLDER/image/0000042.png    FOLDER/mask/0000042.png    FOLDER/truth/0000042.png
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmcv.transforms import Compose

from bpr.training.data.patch_dataset import as_sample
from bpr.training.data.patch_store import PatchStore

PARTS = ("image", "mask", "truth")


def write_triplets(store: PatchStore, rows: Sequence[int], folder: Path) -> None:
    """The given rows of a store as files, numbered from 0."""
    for part in PARTS:
        (folder / part).mkdir(parents=True)
    for number, row in enumerate(rows):
        patch = store.patches[row]
        for part, pixels in zip(PARTS, (patch[..., 2::-1], patch[..., 3], store.targets[row]), strict=True):
            cv2.imwrite(str(folder / part / f"{number:07d}.png"), pixels)


class TripletDataset:
    """The plain way to read them; gives what :class:`bpr.training.data.patch_dataset.PatchDataset` gives."""

    def __init__(self, folder: Path, count: int, pipeline: Sequence[dict[str, Any]]) -> None:
        self.files = [tuple(str(folder / part / f"{number:07d}.png") for part in PARTS) for number in range(count)]
        self.pipeline = Compose(pipeline)

    def __len__(self) -> int:
        return len(self.files)

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """(S, S, 4) patch and (S, S) truth."""
        image, mask, truth = self.files[index]
        colours = cv2.imread(image, cv2.IMREAD_COLOR_RGB)
        patch = np.concatenate([colours, cv2.imread(mask, cv2.IMREAD_GRAYSCALE)[..., None]], axis=2)
        return patch, cv2.imread(truth, cv2.IMREAD_GRAYSCALE)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.pipeline(as_sample(*self.read(index)))
