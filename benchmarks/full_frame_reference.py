"""The procedure as the released code does it, kept as the readable reference: everything on the full frame.

Written from the description of the method, to be compared with, not to be fast. Unlike the released code it pads
nothing at the frame and shifts boxes by half-open coordinates, so that both sides compute the same patches.
"""

from __future__ import annotations

import cv2
import numpy as np


def boundary_pixels(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, columns and scores of the boundary pixels of an (H, W) bool mask, the best first."""
    neighbours = cv2.boxFilter(mask.astype(np.float32), -1, (3, 3), normalize=False, borderType=cv2.BORDER_REPLICATE)
    score = np.minimum(neighbours, 9 - neighbours) / 4.5
    rows, columns = np.nonzero(score > 0)
    order = np.argsort(-score[rows, columns], kind="stable")
    return rows[order], columns[order], score[rows, columns][order]


def suppress(boxes: np.ndarray, iou: float) -> np.ndarray:
    """Indices that greedy suppression of (N, 4) boxes keeps, by general box arithmetic."""
    left, kept = np.arange(len(boxes)), []
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    while left.size:
        best, left = left[0], left[1:]
        kept.append(best)
        low, high = np.maximum(boxes[best, :2], boxes[left, :2]), np.minimum(boxes[best, 2:], boxes[left, 2:])
        shared = np.prod(np.maximum(high - low, 0), axis=1)
        left = left[shared <= iou * (area[best] + area[left] - shared)]
    return np.array(kept, np.intp)


def cut_instance(image: np.ndarray, mask: np.ndarray, side: int, iou: float) -> tuple[np.ndarray, np.ndarray]:
    """(K, 4) boxes and (K, side, side, 4) patches of one instance."""
    height, width = mask.shape
    rows, columns, _ = boundary_pixels(mask)
    centred = np.stack([columns - side // 2, rows - side // 2, columns + side // 2, rows + side // 2], axis=1)
    boxes = centred[suppress(centred.astype(np.float64), iou)]
    boxes[:, [0, 2]] -= np.minimum(boxes[:, :1], 0) + np.maximum(boxes[:, 2:3] - width, 0)
    boxes[:, [1, 3]] -= np.minimum(boxes[:, 1:2], 0) + np.maximum(boxes[:, 3:4] - height, 0)
    patches = [np.dstack([image[y0:y1, x0:x1], mask[y0:y1, x0:x1] * np.uint8(255)]) for x0, y0, x1, y1 in boxes]
    return boxes, np.array(patches)


def put_back(mask: np.ndarray, boxes: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """The refined (H, W) mask, accumulated and averaged on the full frame."""
    total, count = np.zeros(mask.shape, np.float32), np.zeros(mask.shape, np.float32)
    for (x0, y0, x1, y1), probability in zip(boxes, probabilities, strict=True):
        total[y0:y1, x0:x1] += probability
        count[y0:y1, x0:x1] += 1
    mean = total / np.maximum(count, 1)
    return np.where(count > 0, mean > 0.5, mask)
