"""The pictures of the supplement from refined results: failures (figure S6), patches (figure S5), whole images (figure S4)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from bpr.errors import BPRError
from bpr.geometry.rle import decode_mask
from bpr.report.analyses.failures import reason
from bpr.report.analyses.gallery import Gallery, View
from bpr.report.draw import COARSE, REFINED, TRUTH, before_after, blank, changed_places
from bpr.report.tiles import captioned, close_up, flat, sheet, square_around

TILE = 260
COLUMNS = 4
PATCH_TILE = 150
PATCH_COLUMNS = ("image", "coarse", "refined", "ground truth")
LEAST_SCORE = 0.5
"""Of a detection that is drawn into a whole image."""


def draw_failures(gallery: Gallery, indices: Sequence[int]) -> np.ndarray:
    """A sheet of one or more harmed masks, each with its numbers and the class of its failure."""
    tiles = [_failure(gallery.view(index)) for index in indices]
    return sheet(tiles, COLUMNS, f"the {len(tiles)} most harmed of {len(gallery.rows)} pairs, the worst first")


def _failure(view: View) -> np.ndarray:
    box = square_around([view.coarse.box, view.refined.box, view.truth.box], view.truth.frame)
    outlines = ((view.coarse, COARSE, 1), (view.refined, REFINED, 2), (view.truth, TRUTH, 1))
    row = view.row
    change = f"IoU {100 * row.iou_before:.1f} -> {100 * row.iou_after:.1f}  F {100 * row.f_before:.0f} -> {100 * row.f_after:.0f}"
    return captioned(close_up(view.image, box, TILE, outlines), [f"{row.category}: {reason(view)}", change])


def draw_patches(gallery: Gallery, indices: Sequence[int], side: int) -> np.ndarray:
    """Where each mask changed most: a square of ``side`` pixels of image, coarse mask, refined mask and truth, in two columns.

    Raises:
        BPRError: none of the masks changed.
    """
    strips = [_patch_strip(view, box) for view, box in _changed(gallery, indices, side)]
    if not strips:
        raise BPRError(f"{gallery.after.name}: expected masks that differ from those of {gallery.before.name}, got the same")
    words = " | ".join(PATCH_COLUMNS)
    return sheet(strips, 2, f"{side} px where the masks changed most: {words}", with_legend=False)


def _changed(gallery: Gallery, indices: Sequence[int], side: int) -> Iterator[tuple[View, tuple[int, int, int, int]]]:
    for index in indices:
        view = gallery.view(index)
        places = changed_places(view.coarse.to_frame()[None], view.refined.to_frame()[None], (side, side), most=1)
        for top, left in places:
            yield view, (left, top, left + side, top + side)


def _patch_strip(view: View, box: tuple[int, int, int, int]) -> np.ndarray:
    tiles = [close_up(view.image, box, PATCH_TILE), *(flat(mask, box, PATCH_TILE) for mask in (view.coarse, view.refined, view.truth))]
    gap = blank(PATCH_TILE, 4)
    strip = np.concatenate([part for tile in tiles for part in (tile, gap)][:-1], axis=1)
    return captioned(strip, [f"{view.row.category}: IoU {100 * view.row.iou_before:.1f} -> {100 * view.row.iou_after:.1f}"])


def draw_images(gallery: Gallery, count: int) -> Iterator[tuple[Any, np.ndarray]]:
    """(image id, before/after picture) of the ``count`` images whose pairs gained most in F at 2 px, the most first."""
    gain: dict[Any, float] = {}
    for row in gallery.rows:
        gain[row.image_id] = gain.get(row.image_id, 0.0) + row.f_after - row.f_before
    for image_id in sorted(gain, key=lambda key: -gain[key])[:count]:
        records = [
            (old, new)
            for old, new in zip(gallery.before.records, gallery.after.records, strict=True)
            if old["image_id"] == image_id and old["score"] >= LEAST_SCORE
        ]
        sides = [np.stack([decode_mask(pair[side]["segmentation"]).to_frame() for pair in records]) for side in (0, 1) if records]
        if sides:
            truths = [pair.truth.to_frame() for pair in gallery.pairs if pair.image_id == image_id]
            yield image_id, before_after(gallery.image(image_id), sides[0], sides[1], np.stack(truths))
