"""Instances and panoptic segments of ``transformers``.

- Dicts ``{"segmentation", "segments_info"}`` of its processors. The segmentation is an (H, W) map of segment ids or, with
  ``return_binary_maps``, (N, H, W).
- Dicts with ``"masks"``.
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
from bpr.refinement.mask_types.arrays import follow, holder, is_stack, last_two, like_stack, of_type, read_numbers, read_stack, to_array


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
    listed = [of_type(old, new) for old, new in zip(given["masks"], masks, strict=True)] if isinstance(given["masks"], list) else masks
    return {**given, "masks": listed, **moved}


def _is_masks(masks: Any) -> bool:
    """Whether a dict holds one array, or as the ``mask-generation`` pipeline a list of arrays."""
    found = masks.get("masks") if isinstance(masks, dict) else None
    return is_stack(found) or (isinstance(found, list) and all(is_stack(one) and one.ndim == 2 for one in found))


def _listed(masks: list[Any]) -> np.ndarray | None:
    """(N, H, W) of a list of (H, W) arrays; None where it is empty."""
    arrays = [to_array(one) for one in masks]
    if len(sizes := {array.shape for array in arrays}) > 1:
        raise BadInput(f"masks: expected one size, got {', '.join(map(str, sorted(sizes)))}; resize them")
    return np.stack(arrays) if arrays else None


def _pipeline_masks(given: list[dict[str, Any]]) -> np.ndarray:
    """(N, H, W) of the pipeline's images."""
    arrays = [np.asarray(one["mask"]) for one in given]
    if not all(array.ndim == 2 for array in arrays) or len({array.shape for array in arrays}) > 1:
        found = ", ".join(str(shape) for shape in dict.fromkeys(array.shape for array in arrays))
        raise BadInput(f"mask: expected images (H, W) of one size, got {found}; pass what the pipeline returned")
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
    _is_masks,
    lambda given: _listed(given["masks"]) if isinstance(given["masks"], list) else given["masks"],
    _rebuild_masks,
    lambda given: given.get("scores"),
)
PIPELINE = Adapter(
    lambda masks: lists_dicts(masks, "mask"),
    lambda given: last_two(_pipeline_masks(given[:1])),
    lambda given, frame: read_stack(_pipeline_masks(given), frame),
    _write_pipeline,
    scores_of=lambda given: [one.get("score") for one in given],
)
