"""Instances and panoptic segments of ``transformers``.

- Dicts ``{"segmentation", "segments_info"}`` of its processors. The segmentation is an (H, W) map of segment ids or, with
  ``return_binary_maps``, (N, H, W).
- Dicts with ``"masks"``, one array or a list.
- Lists of its ``image-segmentation`` pipeline.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bpr.errors import BadInput
from bpr.geometry.alpha import hard_edges
from bpr.geometry.masks import BoxMask
from bpr.refinement.mask_types.adapter import Adapter, lists_dicts
from bpr.refinement.mask_types.arrays import (
    follow,
    holder,
    is_stack,
    last_two,
    like_stack,
    of_type,
    read_numbers,
    read_stack,
    to_array,
    write_stack,
)


def _is_segmented(masks: Any) -> bool:
    return isinstance(masks, dict) and {"segmentation", "segments_info"} <= masks.keys()


def _is_map(masks: Any) -> bool:
    return _is_segmented(masks) and is_stack(masks["segmentation"]) and masks["segmentation"].ndim == 2


def _ids(given: dict[str, Any]) -> list[int]:
    """The id of every segment once; processors repeat the id of fused segments."""
    if not all(isinstance(segment, dict) and "id" in segment for segment in given["segments_info"]):
        raise BadInput("segments_info: expected dicts with an id, got others; pass what the processor returned")
    return list(dict.fromkeys(segment["id"] for segment in given["segments_info"]))


def _segment_scores(given: dict[str, Any]) -> list[float | None]:
    by_id = {segment["id"]: segment.get("score") for segment in reversed(given["segments_info"])}
    return [by_id[number] for number in _ids(given)]


def _write_map(given: dict[str, Any], refined: Sequence[BoxMask]) -> dict[str, Any]:
    """A copy with a new map. Pixels that a segment loses become background; other pixels of no segment keep their value."""
    before, ids = to_array(given["segmentation"]), _ids(given)
    listed = np.isin(before, ids)
    # Background is -1 for instances, which are counted from 0, and 0 for panoptic segments, counted from 1.
    background = -1 if 0 in ids else 0
    segments = np.where(listed, background if listed.all() else int(before[~listed].min()), before)
    for number, mask in zip(ids, refined, strict=True):
        mask.paint(segments, number)
    return {**given, "segmentation": of_type(given["segmentation"], segments)}


def _stack(given: dict[str, Any]) -> Any:
    segmentation = given["segmentation"]
    if segmentation is not None and not is_stack(segmentation):
        kind = type(segmentation).__name__
        raise BadInput(f"segmentation: expected a map or binary maps, got {kind}; leave return_coco_annotation out")
    return segmentation


def _rebuild_masks(given: dict[str, Any], masks: Any, refined: Sequence[BoxMask]) -> dict[str, Any]:
    """A copy with new ``masks``, and new ``boxes`` if it has boxes."""
    moved = {"boxes": follow(given["boxes"], refined)} if given.get("boxes") is not None else {}
    return {**given, "masks": masks, **moved}


def _lists_masks(masks: Any) -> bool:
    """Whether a dict holds a list of arrays, as that of the ``mask-generation`` pipeline."""
    found = masks.get("masks") if isinstance(masks, dict) else None
    return isinstance(found, list) and bool(found) and all(is_stack(one) and one.ndim == 2 for one in found)


def _write_list(given: dict[str, Any], refined: Sequence[BoxMask]) -> dict[str, Any]:
    masks = [write_stack(old, [new]) for old, new in zip(given["masks"], refined, strict=True)]
    return _rebuild_masks(given, masks, refined)


def _stacked(masks: list[Any]) -> np.ndarray:
    """(N, H, W) of at least one (H, W) array, tensor or image."""
    arrays = [to_array(one) for one in masks]
    shapes = dict.fromkeys(array.shape for array in arrays)
    if len(shapes) > 1 or arrays[0].ndim != 2:
        raise BadInput(f"masks: expected (H, W) of one size, got {', '.join(map(str, shapes))}; pass what the pipeline returned")
    return np.stack(arrays)


def _write_pipeline(given: list[dict[str, Any]], refined: Sequence[BoxMask]) -> list[dict[str, Any]]:
    from PIL import Image  # the pipeline returns images of PIL

    return [{**one, "mask": Image.fromarray(hard_edges(mask))} for one, mask in zip(given, refined, strict=True)]


MAPS = Adapter(
    _is_map,
    lambda given: last_two(given["segmentation"]),
    lambda given, frame: read_numbers(to_array(given["segmentation"]), frame, _ids(given)),
    _write_map,
    lambda given, array: like_stack(given["segmentation"], array),
    _segment_scores,
    exclusive=True,
)
BINARY_MAPS = holder(
    lambda masks: _is_segmented(masks) and not _is_map(masks), _stack, lambda given, masks, refined: {**given, "segmentation": masks}
)
MASKS = holder(
    lambda masks: isinstance(masks, dict) and (is_stack(masks.get("masks")) or masks.get("masks") == []),
    lambda given: given["masks"] if is_stack(given["masks"]) else None,
    _rebuild_masks,
    lambda given: given.get("scores"),
)
MASK_LISTS = Adapter(
    _lists_masks,
    lambda given: last_two(given["masks"][0]),
    lambda given, frame: read_stack(_stacked(given["masks"]), frame),
    _write_list,
    lambda given, array: like_stack(given["masks"][0], array),
    lambda given: given.get("scores"),
)
PIPELINE = Adapter(
    lambda masks: lists_dicts(masks, "mask"),
    lambda given: last_two(_stacked([given[0]["mask"]])),
    lambda given, frame: read_stack(_stacked([one["mask"] for one in given]), frame),
    _write_pipeline,
    scores_of=lambda given: [one.get("score") for one in given],
)
