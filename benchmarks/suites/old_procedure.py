"""The procedure of the released code in our own words, as a readable baseline: full frames, files, one patch at a time.

It is written from the description of the method, and not to be fast. Unlike the released code it pads nothing at the
frame and shifts boxes by half-open coordinates, so that both sides compute the same patches. It writes colour
evidence, which our network reads, as the third PNG of a patch, in place of the ground truth.

Legend: K patches, S patch side, H W frame.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from bpr.formats.coco import Record
from bpr.geometry.evidence import colour_bins, evidence_table
from bpr.geometry.masks import BoxMask

Network = Callable[[np.ndarray], np.ndarray]
"""(1, S, S, 5) uint8 -> (1, S, S) float32 P(foreground)."""
PARTS = ("image", "mask", "evidence")


def extract(records: list[Record], images: Path, work: Path, side: int, iou: float) -> None:
    """Write three PNGs per patch, and the boxes of every instance as text."""
    for part in PARTS:
        (work / part).mkdir(parents=True)
    for number, record in enumerate(records):
        image = cv2.imread(str(images / f"{record['image_id']}.png"), cv2.IMREAD_COLOR_RGB)
        mask = coco_mask.decode(record["segmentation"]).astype(bool)
        boxes, patches = cut_instance(image, mask, side, iou)
        evidence = evidence_table(image, BoxMask.from_frame(mask))[colour_bins(patches[..., :3])]
        np.savetxt(work / f"{number:06d}.txt", boxes, fmt="%d")
        for index, patch in enumerate(patches):
            for part, pixels in zip(PARTS, (patch[..., 2::-1], patch[..., 3], evidence[index]), strict=True):
                cv2.imwrite(str(work / part / f"{number:06d}_{index:04d}.png"), pixels)


def predict(work: Path, network: Network) -> None:
    """Run the network patch by patch; write all probabilities into one file."""
    answers = []
    for path in sorted((work / "image").iterdir()):
        files = [str(work / part / path.name) for part in PARTS]
        colours, mask, evidence = (cv2.imread(file, cv2.IMREAD_UNCHANGED) for file in files)
        answers.append(network(np.dstack([colours[..., ::-1], mask, evidence])[None])[0])
    np.save(work / "probabilities.npy", np.array(answers, np.float32))


def reassemble(records: list[Record], work: Path) -> list[Record]:
    """The refined records, accumulated and averaged on the full frame."""
    answers, start, refined = np.load(work / "probabilities.npy", allow_pickle=False), 0, []
    for number, record in enumerate(records):
        boxes = np.loadtxt(work / f"{number:06d}.txt", dtype=int, ndmin=2)
        mask = coco_mask.decode(record["segmentation"]).astype(bool)
        whole = put_back(mask, boxes, answers[start : start + len(boxes)])
        segmentation = coco_mask.encode(np.asfortranarray(whole, np.uint8))
        refined.append({**record, "segmentation": {**segmentation, "counts": segmentation["counts"].decode()}})
        start += len(boxes)
    return refined


def boundary_pixels(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, columns and scores of the boundary pixels of an (H, W) bool mask, highest score first."""
    neighbours = cv2.boxFilter(mask.astype(np.float32), -1, (3, 3), normalize=False, borderType=cv2.BORDER_REPLICATE)
    score = np.minimum(neighbours, 9 - neighbours) / 4.5
    rows, columns = np.nonzero(score > 0)
    order = np.argsort(-score[rows, columns], kind="stable")
    return rows[order], columns[order], score[rows, columns][order]


def suppress(boxes: np.ndarray, iou: float) -> np.ndarray:
    """Indices of the (N, 4) boxes that greedy suppression keeps."""
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
    """(K, 4) boxes and (K, S, S, 4) RGB and mask of one instance."""
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
