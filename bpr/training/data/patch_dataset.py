"""Patch stores as a dataset of MMSegmentation, and the transform that ends every pipeline.

Legend: S window side, C channels of a patch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform, Compose
from torch.utils.data import Dataset

from bpr.geometry.options import PatchSpec
from bpr.training.data.patch_store import PatchStore, stores_in
from bpr.training.registry import DATASETS, TRANSFORMS

METAINFO = {"classes": ("background", "foreground"), "palette": [[0, 0, 0], [255, 255, 255]]}


@DATASETS.register_module()
class PatchDataset(Dataset):
    """Patches of one or more stores.

    Args:
        stores: folders that ``bpr extract-patches`` made, whole or in shards.
        patch: the values of a :class:`~bpr.geometry.options.PatchSpec`; a store that was cut otherwise is refused.
        pipeline: transforms of an :func:`as_sample`, ended by ``bpr.PackPatch``.
    """

    def __init__(self, stores: Sequence[str] | str, patch: dict[str, Any], pipeline: Sequence[dict[str, Any]]) -> None:
        expected = PatchSpec(**patch)
        folders = [stores] if isinstance(stores, str) else stores
        self.stores = [PatchStore(part, expected) for folder in folders for part in stores_in(folder)]
        self.ends = np.cumsum([len(store) for store in self.stores])
        self.pipeline = Compose(pipeline)
        self.metainfo = METAINFO

    def __len__(self) -> int:
        return int(self.ends[-1])

    def __getitem__(self, index: int) -> dict[str, Any]:
        store_index = int(np.searchsorted(self.ends, index, side="right"))
        store = self.stores[store_index]
        row = index - int(self.ends[store_index]) + len(store)
        return self.pipeline(as_sample(*store.read(row)))


def as_sample(patch: np.ndarray, target: np.ndarray) -> dict[str, Any]:
    """An (S, S, C) patch and its (S, S) ground truth in the fields of MMSegmentation's pipelines.

    ``img`` is the (S, S, 3) RGB, ``extra`` the (S, S, C - 3) mask and further channels (none for a network that reads
    the image alone), ``gt_seg_map`` the ground truth. ``extra`` counts as a segmentation, so geometric transforms move
    it with the image and photometric ones leave it alone.
    """
    fields = {"img": patch[..., :3], "extra": patch[..., 3:], "gt_seg_map": target}
    return {**fields, "seg_fields": ["gt_seg_map", "extra"], "img_shape": patch.shape[:2]}


@TRANSFORMS.register_module()
class PackPatch(BaseTransform):
    """A sample -> ``inputs`` (C, S, S) uint8 and ``truth`` (S, S) uint8.

    Both are plain tensors, so that a batch leaves its worker process as two tensors. The preprocessor makes
    MMSegmentation's data samples of them.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, torch.Tensor]:
        image = np.clip(results["img"], 0, 255).astype(np.uint8)
        inputs = torch.from_numpy(np.dstack([image, results["extra"]])).permute(2, 0, 1)
        return {"inputs": inputs, "truth": torch.from_numpy(np.ascontiguousarray(results["gt_seg_map"], np.uint8))}
