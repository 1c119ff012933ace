"""Pictures like those of the paper's supplement: failures (figure S6), patches (S5), whole images (S4)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from bpr.errors import BPRError
from bpr.evaluation.pair_metrics import PAIR_METRICS
from bpr.geometry.boxes import Box
from bpr.geometry.rle import decode_mask
from bpr.report.analyses.failures import reason
from bpr.report.analyses.gallery import Gallery, View
from bpr.report.draw import COARSE, REFINED, TRUTH, before_after, changed_places, side_by_side
from bpr.report.tiles import captioned, close_up, flat, sheet, square_around

FAILURE_SIDE, PATCH_SIDE = 260, 150
"""Side, in pixels, of a tile in the sheet of failures and in the sheet of patches."""
FAILURE_COLUMNS, PATCH_COLUMNS = 4, 2
DRAWN_SCORE = 0.5
"""Detections with a lower score are not drawn on whole images."""


def draw_failures(gallery: Gallery, indices: Sequence[int]) -> np.ndarray:
    """A sheet of one or more harmed masks, each with the reason and its numbers."""
    tiles = []
    for view in map(gallery.view, indices):
        box = square_around([view.coarse.box, view.refined.box, view.truth.box], view.truth.frame)
        outlines = ((view.coarse, COARSE, 1), (view.refined, REFINED, 2), (view.truth, TRUTH, 1))
        row = view.row
        changes = [f"{m.title} {100 * row.before[m.name]:.1f} -> {100 * row.after[m.name]:.1f}" for m in PAIR_METRICS]
        tile = close_up(view.image, box, FAILURE_SIDE, outlines)
        tiles.append(captioned(tile, [f"{row.category}: {reason(view)}", *changes]))
    return sheet(tiles, FAILURE_COLUMNS, f"the {len(tiles)} most harmed of {len(gallery.rows)} pairs, the worst first")


def draw_changed_patches(gallery: Gallery, indices: Sequence[int], side: int) -> np.ndarray:
    """A sheet of the squares of ``side`` pixels in which each mask changed most.

    A tile shows image, coarse mask, refined mask and ground truth.

    Raises:
        BPRError: none of the masks changed.
    """
    strips = []
    for view in map(gallery.view, indices):
        for top, left in changed_places(view.coarse.to_frame()[None], view.refined.to_frame()[None], (side, side), most=1):
            strips.append(_patch_strip(view, (left, top, left + side, top + side)))
    if not strips:
        comparison = gallery.comparison
        coarse, refined = comparison.coarse.detections.name, comparison.refined.detections.name
        raise BPRError(f"{refined}: expected masks that differ from those of {coarse}, got the same")
    title = f"{side} px where the masks changed most: image | coarse | refined | ground truth"
    return sheet(strips, PATCH_COLUMNS, title, with_legend=False)


def _patch_strip(view: View, box: Box) -> np.ndarray:
    masks = (flat(mask, box, PATCH_SIDE) for mask in (view.coarse, view.refined, view.truth))
    strip = side_by_side([close_up(view.image, box, PATCH_SIDE), *masks], gap=4)
    row = view.row
    return captioned(strip, [f"{row.category}: IoU {100 * row.before['iou']:.1f} -> {100 * row.after['iou']:.1f}"])


def draw_images(gallery: Gallery, count: int) -> Iterator[tuple[Any, np.ndarray]]:
    """Image id and before/after picture of the ``count`` images with the largest total gain of boundary F."""
    comparison, gain = gallery.comparison, defaultdict[Any, float](float)
    for row in gallery.rows:
        gain[row.image_id] += row.after["boundary_f"] - row.before["boundary_f"]
    for image_id in sorted(gain, key=lambda key: -gain[key])[:count]:
        both = zip(comparison.coarse.records, comparison.refined.records, strict=True)
        drawn = [pair for pair in both if pair[0]["image_id"] == image_id and pair[0]["score"] >= DRAWN_SCORE]
        if drawn:
            masks = ([decode_mask(pair[side]["segmentation"]).to_frame() for pair in drawn] for side in (0, 1))
            truths = [pair.truth.to_frame() for pair in comparison.pairs if pair.image_id == image_id]
            yield image_id, before_after(gallery.image(image_id), *map(np.stack, (*masks, truths)))
