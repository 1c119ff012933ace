"""The two compiled operators of mmcv that inference needs, in plain torch: non-maximum suppression and RoIAlign.

mmcv-lite has the Python half of ``mmcv.ops`` without the compiled library below it, ``mmcv._ext``. Importing this
module puts a stand-in where that library is missing. It is enough to run Mask R-CNN and PointRend on a CPU, not to
train them; any other operator raises an ImportError that says what it needs. A full mmcv is left alone.

Legend: N boxes XYXY, K regions, C channels, H W feature map, h w bins.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import math
import sys
from types import ModuleType
from typing import Any, NoReturn

import torch
from torch import Tensor

AVERAGE = 1


def nms(bboxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Indices of the boxes that are kept, best score first; ``offset`` is 1 where a box includes its last pixel.

    >>> nms(torch.tensor([[0., 0, 9, 9], [0, 0, 10, 10], [20, 0, 30, 9]]), torch.tensor([.5, .9, .7]), .5, 0).tolist()
    [1, 2]
    """
    order = scores.argsort(descending=True, stable=True)
    corners, sides = bboxes[order], (bboxes[order, 2:] - bboxes[order, :2] + offset)
    areas, candidates = sides.prod(dim=1), torch.arange(len(order), device=order.device)
    kept = []
    while len(candidates):
        best, candidates = candidates[0], candidates[1:]
        kept.append(best)
        low = torch.maximum(corners[best, :2], corners[candidates, :2])
        high = torch.minimum(corners[best, 2:], corners[candidates, 2:])
        common = (high - low + offset).clamp(min=0).prod(dim=1)
        candidates = candidates[common / (areas[best] + areas[candidates] - common) <= iou_threshold]
    return order[torch.stack(kept)] if kept else order


def roi_align_forward(
    features: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Write the averages over every region's bins into ``output`` (K, C, h, w); ``rois`` are (K, 5): image, XYXY.

    The samples of a bin form a grid and bilinear weights are products, so a region is rows @ features @ columns.
    """
    if pool_mode != AVERAGE:
        raise ImportError("RoIAlign by maximum needs mmcv with compiled ops; this environment has mmcv-lite")
    height, width = features.shape[-2:]
    for out, (image, *box) in zip(output, rois.tolist(), strict=True):
        x0, y0, x1, y1 = (side * spatial_scale - 0.5 * aligned for side in box)
        least = 0.0 if aligned else 1.0
        rows, top = _bin_weights(y0, max(y1 - y0, least), aligned_height, height, sampling_ratio)
        columns, left = _bin_weights(x0, max(x1 - x0, least), aligned_width, width, sampling_ratio)
        part = features[int(image), :, top : top + rows.shape[1], left : left + columns.shape[1]]
        out[:] = rows.to(part) @ part @ columns.to(part).T


def _bin_weights(start: float, length: float, bins: int, size: int, sampling_ratio: int) -> tuple[Tensor, int]:
    """(bins, n) weights of n neighbouring rows (or columns) of the feature map, and the index of the first of them.

    A sample that lies more than one row outside the map has no weight; closer ones count as the outermost row.
    """
    samples = sampling_ratio if sampling_ratio > 0 else math.ceil(length / bins)
    steps = torch.arange(bins * samples, dtype=torch.float64).reshape(bins, samples)
    positions = start + (steps + 0.5) * length / max(bins * samples, 1)
    inside = ((positions >= -1) & (positions <= size)).double() / max(samples, 1)
    positions = positions.clamp(0, size - 1)
    low = positions.floor().long()
    first, last = (int(low.min()), min(int(low.max()) + 1, size - 1)) if samples else (0, 0)
    weights = torch.zeros(bins, last - first + 1, dtype=torch.float64)
    share = positions - low
    weights.scatter_add_(1, low - first, (1 - share) * inside)
    weights.scatter_add_(1, (low + 1).clamp(max=last) - first, share * inside)
    return weights, first


class _CompiledOpsStandIn(ModuleType):
    nms, roi_align_forward = staticmethod(nms), staticmethod(roi_align_forward)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)

        def missing(*args: Any, **kwargs: Any) -> NoReturn:
            raise ImportError(f"{name} needs mmcv with compiled ops; this environment has mmcv-lite")

        return missing


if importlib.util.find_spec("mmcv._ext") is None:
    stand_in = _CompiledOpsStandIn("mmcv._ext")
    stand_in.__spec__ = importlib.machinery.ModuleSpec("mmcv._ext", loader=None)
    sys.modules["mmcv._ext"] = stand_in
