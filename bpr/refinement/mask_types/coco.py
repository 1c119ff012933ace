"""COCO's masks: lists of RLEs and polygons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import decode_mask, encode_mask, frame_of, string_to_runs
from bpr.refinement.mask_types.adapter import Adapter, Frame
from bpr.refinement.predictor import Instance


def _is_segmentations(masks: Any) -> bool:
    # Dicts with a segmentation or a mask are results of SAM or of a Hugging Face pipeline.
    return isinstance(masks, list) and all(
        isinstance(mask, list) or (isinstance(mask, dict) and not {"segmentation", "mask"} & mask.keys()) for mask in masks
    )


def _read(masks: list[Any], frame: Frame) -> list[Instance]:
    return [Instance(decode_mask(mask, frame), index) for index, mask in enumerate(masks)]


def _write(given: list[Any], refined: Sequence[BoxMask]) -> list[dict[str, Any]]:
    return [like_segmentation(old, mask) for old, mask in zip(given, refined, strict=True)]


def like_segmentation(old: Any, mask: BoxMask) -> dict[str, Any]:
    """An RLE whose counts have the type of the old ones (str, bytes or list); a polygon comes back as compressed RLE."""
    rle, counts = encode_mask(mask), old["counts"] if isinstance(old, dict) else ""
    if isinstance(counts, bytes):
        return {**rle, "counts": rle["counts"].encode("ascii")}
    return {**rle, "counts": string_to_runs(rle["counts"]).tolist()} if isinstance(counts, list) else rle


SEGMENTATIONS = Adapter(_is_segmentations, lambda masks: next(filter(None, map(frame_of, masks)), None), _read, _write)
