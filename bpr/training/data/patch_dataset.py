"""MMSegmentation's view of patch stores: samples, flip and photometric distortion on the image only."""

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


@DATASETS.register_module()
class PatchDataset(Dataset):
    """Patches of one or more stores.

    A sample enters the pipeline as ``img`` (S, S, 3) RGB, ``extra`` (S, S, C - 3) mask and further inputs, without channels
    for a network that sees the image alone, and ``gt_seg_map`` (S, S); ``extra`` is a segmentation field, so
    MMSegmentation's geometric transforms move it along.

    Args:
        stores: folders made by ``extract_patches``, whole or in shards.
        patch: the values of a :class:`~bpr.geometry.options.PatchSpec`; a store cut otherwise is refused.
        pipeline: transforms, ended by ``bpr.PackPatch``.
    """

    def __init__(self, stores: Sequence[str] | str, patch: dict[str, Any], pipeline: Sequence[dict[str, Any]]) -> None:
        expected = PatchSpec(**patch)
        folders = [stores] if isinstance(stores, str) else stores
        self.stores = [PatchStore(own, expected) for folder in folders for own in stores_in(folder)]
        self.ends = np.cumsum([len(store) for store in self.stores])
        self.pipeline = Compose(pipeline)
        self.metainfo = {"classes": ("background", "foreground"), "palette": [[0, 0, 0], [255, 255, 255]]}

    def __len__(self) -> int:
        return int(self.ends[-1])

    def __getitem__(self, index: int) -> dict[str, Any]:
        which = int(np.searchsorted(self.ends, index, side="right"))
        store = self.stores[which]
        row = index - int(self.ends[which]) + len(store)
        return self.pipeline(as_sample(*store.read(row)))


def as_sample(patch: np.ndarray, target: np.ndarray) -> dict[str, Any]:
    """What a pipeline takes: an (S, S, C) patch and its (S, S) ground truth, in MMSegmentation's fields."""
    fields = {"img": patch[..., :3], "extra": patch[..., 3:], "gt_seg_map": target}
    return {**fields, "seg_fields": ["gt_seg_map", "extra"], "img_shape": patch.shape[:2]}


@TRANSFORMS.register_module()
class PackPatch(BaseTransform):
    """Image and further inputs -> ``inputs`` (C, S, S) uint8; ground truth -> ``truth`` (S, S) uint8. Plain tensors, so that
    a batch leaves its worker as two of them; the preprocessor makes MMSegmentation's samples."""

    def transform(self, results: dict[str, Any]) -> dict[str, torch.Tensor]:
        image = np.clip(results["img"], 0, 255).astype(np.uint8)
        inputs = torch.from_numpy(np.dstack([image, results["extra"]])).permute(2, 0, 1)
        return {"inputs": inputs, "truth": torch.from_numpy(np.ascontiguousarray(results["gt_seg_map"], np.uint8))}
