"""The plain operators do what mmcv's compiled ones are documented to do, checked by loops over single samples."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from bpr.training import mmcv_ops


def iou(a: list[float], b: list[float], offset: int) -> float:
    width, height = (min(a[side + 2], b[side + 2]) - max(a[side], b[side]) + offset for side in (0, 1))
    common = max(width, 0) * max(height, 0)
    areas = [(box[2] - box[0] + offset) * (box[3] - box[1] + offset) for box in (a, b)]
    return common / (sum(areas) - common)


@pytest.mark.parametrize("offset", [0, 1])
def test_nms_keeps_the_best_of_what_overlaps(offset: int) -> None:
    rng = np.random.default_rng(offset)
    corners, scores = rng.uniform(0, 50, (60, 2)), rng.permutation(60) / 60
    boxes = np.hstack([corners, corners + rng.uniform(5, 30, (60, 2))])
    kept: list[int] = []
    for index in np.argsort(-scores).tolist():
        if all(iou(boxes[index].tolist(), boxes[other].tolist(), offset) <= 0.4 for other in kept):
            kept.append(index)
    assert 5 < len(kept) < 55
    assert mmcv_ops.nms(torch.from_numpy(boxes), torch.from_numpy(scores), 0.4, offset).tolist() == kept
    assert mmcv_ops.nms(torch.zeros(0, 4), torch.zeros(0), 0.4, offset).tolist() == []


def bilinear(plane: np.ndarray, y: float, x: float) -> float:
    height, width = plane.shape
    if not (-1 <= y <= height and -1 <= x <= width):
        return 0.0
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    top, left = int(y), int(x)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    upper = plane[top, left] * (left + 1 - x) + plane[top, right] * (x - left)
    lower = plane[bottom, left] * (left + 1 - x) + plane[bottom, right] * (x - left)
    return float(upper * (top + 1 - y) + lower * (y - top))


def averaged(plane: np.ndarray, box: list[float], bins: tuple[int, int], sampling_ratio: int, aligned: bool) -> np.ndarray:
    """One region of one channel, sample by sample."""
    x0, y0, x1, y1 = (side * 0.5 - 0.5 * aligned for side in box)
    height, width = (y1 - y0, x1 - x0) if aligned else (max(y1 - y0, 1), max(x1 - x0, 1))
    rows, columns = (sampling_ratio or math.ceil(side / count) for side, count in zip((height, width), bins, strict=True))
    out = np.zeros(bins)
    for i, j in np.ndindex(*bins):
        ys = [y0 + (i + (k + 0.5) / rows) * height / bins[0] for k in range(rows)]
        xs = [x0 + (j + (k + 0.5) / columns) * width / bins[1] for k in range(columns)]
        out[i, j] = np.mean([bilinear(plane, y, x) for y in ys for x in xs])
    return out


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("sampling_ratio", [0, 2])
def test_roi_align_averages_bilinear_samples(aligned: bool, sampling_ratio: int) -> None:
    from mmcv.ops import roi_align

    features = torch.randn(2, 3, 12, 16, generator=torch.Generator().manual_seed(0))
    rois = torch.tensor([[0, 4, 2, 20, 18], [1, -6, -4, 9, 40], [0, 28, 20, 31.5, 23.5], [1, 5, 5, 5.5, 5.5]])
    out = roi_align(features, rois, (3, 4), 0.5, sampling_ratio, "avg", aligned)
    assert out.shape == (4, 3, 3, 4)
    for region, (image, *box) in zip(out, rois.tolist(), strict=True):
        for channel, plane in zip(region, features[int(image)], strict=True):
            assert np.allclose(channel, averaged(plane.numpy(), box, (3, 4), sampling_ratio, aligned), atol=1e-5)


def test_other_operators_say_what_they_need() -> None:
    import mmcv.ops

    with pytest.raises(ImportError, match="needs mmcv with compiled ops; this environment has mmcv-lite"):
        mmcv.ops.roi_align(torch.zeros(1, 1, 4, 4), torch.zeros(1, 5), 2, 1.0, 0, "max")
    with pytest.raises(ImportError, match="softnms needs mmcv with compiled ops"):
        mmcv.ops.soft_nms(torch.zeros(1, 4), torch.zeros(1))
