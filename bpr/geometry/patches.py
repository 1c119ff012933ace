"""Place the patches of an instance, and cut them out of its image and coarse mask.

Legend: K patches, S window side (patch and padding), C channels, H W frame.
"""

from __future__ import annotations

import cv2
import numpy as np

from bpr.compiled import kernels
from bpr.geometry.boxes import Box, at, enclosing, grow, intersect, is_empty
from bpr.geometry.channels import Part, Whole, draw_channels
from bpr.geometry.masks import BoxMask, check_image
from bpr.geometry.options import PatchSpec, Placement
from bpr.geometry.placement import SCHEMES
from bpr.geometry.resizing import sample_colours, sample_mask

OUTWARDS = np.array([-1, -1, 1, 1])


def patch_boxes(mask: BoxMask, spec: PatchSpec, placement: Placement) -> np.ndarray:
    """(K, 4) int32 boxes of the patches of one instance; K = 0 without a boundary.

    >>> mask = BoxMask(np.ones((20, 30), bool), 10, 10, (100, 100))
    >>> [len(patch_boxes(mask, PatchSpec(side=16), Placement(scheme))) for scheme in ("dense", "grid", "instance")]
    [20, 6, 1]

    Raises:
        ValueError: a cover margin that is too large for the side.
    """
    placement.check_fits(spec)
    return SCHEMES[placement.scheme].boxes(mask, spec.side, placement.nms_iou, placement.cover_margin)


def crop_patches(
    image: np.ndarray, mask: BoxMask, boxes: np.ndarray, spec: PatchSpec, out: np.ndarray | None = None
) -> np.ndarray:
    """(K, S, S, C) uint8: the network's input for the patches of one instance.

    Args:
        image: (H, W, 3) uint8 RGB.
        boxes: (K, 4) patch boxes without padding, all of one size. Beyond the frame its edge is repeated. Boxes of
            another side than the spec's are resized to S.
        out: where to write.

    Raises:
        ValueError: an image or an ``out`` of another shape or dtype.
    """
    side = spec.window
    shape = len(boxes), side, side, spec.channels
    patches = np.empty(shape, np.uint8) if out is None else out
    check_image(image, mask.frame)
    if patches.shape != shape or patches.dtype != np.uint8:
        raise ValueError(f"out: expected {shape} uint8, got {patches.shape} {patches.dtype}")
    if not len(boxes):
        return patches
    whole = Whole(image, mask)
    if spec.resizes(boxes[0]):
        for patch, box in zip(patches, boxes.tolist(), strict=True):
            colours = sample_colours(image, spec.window_of(box), side)
            patch[:] = cv2.merge(draw_channels(Part(whole, colours, crop_window(mask, box, spec)), spec.inputs))
        return patches
    # Patches of one instance overlap, so the channels are drawn once for all of them.
    windows = boxes + spec.padding * OUTWARDS
    area = enclosing(windows)
    inside = grow(area, 0, mask.frame)
    colours = np.array(_pad_to(image[at(inside)], inside, area), order="C")
    layers = draw_channels(Part(whole, colours, crop_mask(mask, area)), spec.inputs)
    corners = windows[:, :2] - area[:2]
    if compiled := kernels():
        first = 0
        for layer in layers:
            compiled.copy_windows(np.require(layer, requirements=["C", "W"]), corners, patches, first)
            first += layer.shape[2]
        return patches
    canvas = cv2.merge(layers)
    for patch, (x, y) in zip(patches, corners.tolist(), strict=True):
        patch[:] = canvas[y : y + side, x : x + side]
    return patches


def paste_colours(patches: np.ndarray, boxes: np.ndarray, spec: PatchSpec, box: Box) -> np.ndarray:
    """(h, w, 3) uint8: the colours of an image in ``box`` as far as its patches show them, black elsewhere.

    Args:
        patches: (K, S, S, C) uint8.
        boxes: (K, 4) patch boxes without padding.
    """
    colours = np.zeros((box[3] - box[1], box[2] - box[0], 3), np.uint8)
    for patch, (x0, y0, x1, y1) in zip(patches, boxes.tolist(), strict=True):
        seen = intersect((x0, y0, x1, y1), box)
        if is_empty(seen):
            continue
        part = patch[spec.padding : spec.window - spec.padding, spec.padding : spec.window - spec.padding, :3]
        if x1 - x0 != spec.side:
            part = cv2.resize(np.ascontiguousarray(part), (x1 - x0, y1 - y0), interpolation=cv2.INTER_LINEAR)
        colours[at(seen, box)] = part[at(seen, (x0, y0))]
    return colours


def crop_window(mask: BoxMask, box: Box, spec: PatchSpec) -> np.ndarray:
    """(S, S) bool: the part of ``mask`` that the network sees in the patch ``box``."""
    window = spec.window_of(box)
    return sample_mask(mask, window, spec.window) if spec.resizes(box) else crop_mask(mask, window)


def crop_mask(mask: BoxMask, box: Box) -> np.ndarray:
    """(y1 - y0, x1 - x0) bool: the mask inside ``box``; beyond the frame its edge is repeated, as in the image."""
    inside = grow(box, 0, mask.frame)
    return _pad_to(mask.window(inside).view(np.uint8), inside, box).view(bool)


def _pad_to(array: np.ndarray, inside: Box, box: Box) -> np.ndarray:
    """Fill ``box`` by repeating the edge of the part that lies inside the frame."""
    left, top, right, bottom = (abs(a - b) for a, b in zip(inside, box, strict=True))
    if not (left or top or right or bottom):
        return array
    return cv2.copyMakeBorder(array, top, bottom, left, right, cv2.BORDER_REPLICATE)
