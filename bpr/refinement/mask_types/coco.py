"""COCO's masks: lists of RLEs and polygons."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import decode_mask, encode_mask, frame_of, string_to_runs
from bpr.refinement.mask_types.adapter import Adapter, Frame
from bpr.refinement.mask_types.arrays import is_stack, last_two, read_stack, write_stack
from bpr.refinement.predictor import Instance


def _is_segmentations(masks: Any) -> bool:
    # Dicts with a segmentation or a mask are results of SAM or of a Hugging Face pipeline.
    return isinstance(masks, list) and all(
        isinstance(mask, list) or (isinstance(mask, dict) and not {"segmentation", "mask"} & mask.keys()) for mask in masks
    )


def frame_in(masks: Iterable[Any]) -> Frame | None:
    """The size of the first mask that states one, which polygons do not."""
    return next(filter(None, (last_two(mask) if is_stack(mask) else frame_of(mask) for mask in masks)), None)


def read_segmentations(masks: Iterable[Any], frame: Frame) -> list[Instance]:
    """The instances of RLEs, polygons and (H, W) arrays or tensors."""
    decoded = (read_stack(mask, frame)[0].mask if is_stack(mask) else decode_mask(mask, frame) for mask in masks)
    return [Instance(mask, index) for index, mask in enumerate(decoded)]


def like_segmentation(old: Any, mask: BoxMask) -> Any:
    """An array or tensor like the old one, or an RLE whose counts have the type of the old ones (str, bytes or list); a polygon
    comes back as compressed RLE.
    """
    if is_stack(old):
        return write_stack(old, [mask])
    rle, counts = encode_mask(mask), old["counts"] if isinstance(old, dict) else ""
    if isinstance(counts, bytes):
        return {**rle, "counts": rle["counts"].encode("ascii")}
    return {**rle, "counts": string_to_runs(rle["counts"]).tolist()} if isinstance(counts, list) else rle


def _write(given: list[Any], refined: Sequence[BoxMask]) -> list[dict[str, Any]]:
    return [like_segmentation(old, mask) for old, mask in zip(given, refined, strict=True)]


SEGMENTATIONS = Adapter(_is_segmentations, frame_in, read_segmentations, _write)
