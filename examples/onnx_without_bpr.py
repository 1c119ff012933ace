"""Refine one mask with a model's ONNX file alone: numpy and ONNX Runtime, without the package bpr.

    python examples/onnx_without_bpr.py starter.onnx image.npy mask.npy refined.npy

image.npy: (H, W, 3) uint8 RGB. mask.npy: (H, W) bool, the coarse mask of one object, not empty. Both sides are at least 64 px long.
The network reads ``patches``, (n, 64, 64, 5) uint8: red, green, blue, coarse mask (0 or 255), colour evidence. It gives
``probability``, (n, 64, 64) float32, that a pixel belongs to the object. The normalisation is inside the file.
The package places its patches more carefully, blends them and judges the result; one patch is the same in both.
"""

import sys

import numpy as np
import onnxruntime

SIDE = 64


def evidence(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """(H, W) uint8: how typical the colour of a pixel is of the object. 255 inside, 1 outside, 128 either."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    near = np.s_[max(rows[0] - 24, 0) : rows[-1] + 25, max(columns[0] - 24, 0) : columns[-1] + 25]
    stride = max(1, int(np.sqrt(mask[near].size / 16384)))  # of a large object, fewer pixels are counted
    coarse, colours = mask[near][::stride, ::stride], image[near][::stride, ::stride]
    reach = max(1, round(0.04 * float(np.sqrt(coarse.sum()))))
    inside, outside = ~grown(~coarse, reach), ~grown(coarse, reach)
    both = [frequencies(colours[chosen]) for chosen in (inside if inside.any() else coarse, outside)]
    table = np.round(128 + 127 * np.clip(np.log(both[0] / both[1]) / 2, -1, 1)).astype(np.uint8)
    return table[bins(image)]


def bins(colours: np.ndarray) -> np.ndarray:
    """The upper four bits of red, green and blue as one number from 0 to 4095."""
    return (colours >> 4).astype(int) @ [256, 16, 1]


def frequencies(colours: np.ndarray) -> np.ndarray:
    """(4096,) frequencies of the colours, smoothed over neighbouring bins along each axis."""
    counts = np.bincount(bins(colours), minlength=4096).reshape(16, 16, 16).astype(float)
    for axis in range(3):
        padded = np.pad(counts, [(int(one == axis),) * 2 for one in range(3)], "edge")
        low, middle, high = (padded.take(np.arange(16) + step, axis) for step in range(3))
        counts = low / 4 + middle / 2 + high / 4
    return counts.ravel() / counts.sum() + 1e-4 if len(colours) else np.full(4096, 1 / 4096 + 1e-4)


def grown(mask: np.ndarray, reach: int) -> np.ndarray:
    """The mask dilated with a disk of 2 reach + 1 pixels."""
    padded, out = np.pad(mask, reach), np.zeros_like(mask)
    for y in range(-reach, reach + 1):
        half = round(np.sqrt(reach**2 - y**2))
        for x in range(-half, half + 1):
            out |= padded[reach + y :, reach + x :][: mask.shape[0], : mask.shape[1]]
    return out


def refine(session: onnxruntime.InferenceSession, image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """(H, W) bool: the mean of the probabilities where patches are, the coarse mask elsewhere."""
    layers = np.dstack([image, mask * np.uint8(255), evidence(image, mask)])
    left = np.argwhere(grown(mask, 1) & grown(~mask, 1))
    total, count = np.zeros(mask.shape, np.float32), np.zeros(mask.shape, np.float32)
    while len(left):  # a patch around a pixel of the boundary, until none is further than 16 px from all centres
        corner = np.clip(left[0] - SIDE // 2, 0, np.subtract(mask.shape, SIDE))
        window = np.s_[corner[0] : corner[0] + SIDE, corner[1] : corner[1] + SIDE]
        total[window] += session.run(["probability"], {"patches": layers[window][None]})[0][0]
        count[window] += 1
        left = left[np.abs(left - left[0]).max(1) > 16]
    return np.where(count > 0, total > count / 2, mask)


if __name__ == "__main__":
    model, photo, coarse, out = sys.argv[1:]
    runner = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    np.save(out, refine(runner, np.load(photo), np.load(coarse)))
