"""Whatever a user calls masks -> instances, and refined masks -> the same kind of thing.

Legend: N instances, H W frame. A new kind of masks is one more :class:`Adapter` in ``ADAPTERS``.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bpr.formats.rle import decode_mask, encode_mask, string_to_runs
from bpr.geometry.masks import BoxMask
from bpr.refinement.predictor import Instance

Frame = tuple[int, int]


@dataclass(frozen=True)
class Adapter:
    """One kind of masks.

    Attributes:
        accepts: whether the masks are of this kind.
        frame_of: the (H, W) that the masks were made for, None where they do not say.
        read: masks and the frame of the image -> instances.
        write: the masks that came in and the refined ones -> what the user gets back.
        like: the masks that came in and an (N, H, W) array -> the array as this user would hold it.
    """

    accepts: Callable[[Any], bool]
    frame_of: Callable[[Any], Frame | None]
    read: Callable[[Any, Frame], list[Instance]]
    write: Callable[[Any, Sequence[BoxMask]], Any]
    like: Callable[[Any, np.ndarray], Any] = lambda given, array: array


def adapter_for(masks: Any) -> Adapter:
    """The adapter of a user's masks.

    >>> mask = np.zeros((1, 4, 5), np.uint8); mask[0, 1:3, 1:4] = 255
    >>> rle = encode_mask(BoxMask.from_frame(mask[0]))
    >>> from types import SimpleNamespace
    >>> detections = SimpleNamespace(xyxy=np.zeros((1, 4)), mask=mask > 0, class_id=[3])
    >>> for masks in (mask, [rle], detections):
    ...     adapter = adapter_for(masks)
    ...     instances = adapter.read(masks, (4, 5))
    ...     back = adapter.write(masks, [instance.mask for instance in instances])
    ...     print(type(back).__name__, instances[0].mask.area)
    ndarray 6
    list 6
    SimpleNamespace 6
    >>> back.xyxy.tolist(), back.class_id
    ([[1.0, 1.0, 4.0, 3.0]], [3])

    Raises:
        ValueError: no kind of masks that this package knows.
    """
    for adapter in ADAPTERS:
        if adapter.accepts(masks):
            return adapter
    inside = f" of {type(masks[0]).__name__}" if isinstance(masks, (list, tuple)) and masks else ""
    raise ValueError(
        "masks: expected an (N, H, W) or (H, W) array or torch tensor, a list of COCO RLEs or polygons, or supervision.Detections, "
        f"got {type(masks).__name__}{inside}; numpy.stack makes one array of many"
    )


def read_array(masks: np.ndarray, frame: Frame) -> list[Instance]:
    """Instances of (N, H, W) or (H, W) masks: bool, integers (non-zero is foreground) or probabilities (> 0.5 is).

    Raises:
        ValueError: another shape than the image's, probabilities that are none.
    """
    stack = masks[None] if masks.ndim == 2 else masks
    if stack.ndim != 3 or stack.shape[1:] != tuple(frame):
        raise ValueError(f"masks: expected (N, {frame[0]}, {frame[1]}) as the image, got {masks.shape}; resize one to the other")
    if stack.dtype.kind not in "buif":
        raise ValueError(f"masks: expected bool, integers or floats, got {masks.dtype}")
    if stack.dtype.kind != "f":
        return [Instance(BoxMask.from_frame(mask), index) for index, mask in enumerate(stack)]
    for index, soft in enumerate(stack):
        # Written so that NaN, which compares false with everything, is caught as well.
        if soft.size and not (soft.min() >= 0 and soft.max() <= 1):
            span = f"{soft.min()}..{soft.max()}"
            raise ValueError(f"masks: mask {index}: expected probabilities in [0, 1], got {span}; apply a sigmoid or divide by 255")
    return [Instance(BoxMask.from_frame(soft > 0.5), index, soft) for index, soft in enumerate(stack)]


def write_array(given: np.ndarray, refined: Sequence[BoxMask]) -> np.ndarray:
    """Refined masks in shape and type of the given array; the foreground of integers is their largest value, 1 or 255."""
    whole = given.dtype.kind in "ui"
    value = given.max() if whole and given.any() else 1
    frames = np.array([mask.to_frame() for mask in refined], given.dtype).reshape(given.shape)
    return frames * given.dtype.type(value) if whole else frames


def _last_two(masks: Any) -> Frame:
    return tuple(masks.shape[-2:])


def _is_tensor(masks: Any) -> bool:
    """A user who has a tensor has imported torch; nobody else pays for it."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(masks, torch.Tensor)


def _tensor_to_array(tensor: Any) -> np.ndarray:
    """A copy on the CPU; numpy has no bfloat16."""
    tensor = tensor.detach().cpu()
    return (tensor.float() if tensor.is_floating_point() else tensor).numpy()


def _to_tensor(given: Any, array: np.ndarray) -> Any:
    return sys.modules["torch"].from_numpy(array).to(given.device)


def _write_tensor(given: Any, refined: Sequence[BoxMask]) -> Any:
    return _to_tensor(given, write_array(_tensor_to_array(given), refined)).to(given.dtype)


def _is_segmentations(masks: Any) -> bool:
    return isinstance(masks, list) and all(isinstance(mask, (dict, list)) for mask in masks)


def _size_of_first(masks: list[Any]) -> Frame | None:
    size = masks[0].get("size") if masks and isinstance(masks[0], dict) else None
    return tuple(size) if isinstance(size, (list, tuple)) else None


def _read_segmentations(masks: list[Any], frame: Frame) -> list[Instance]:
    return [Instance(decode_mask(mask, frame), index) for index, mask in enumerate(masks)]


def _write_segmentations(given: list[Any], refined: Sequence[BoxMask]) -> list[dict[str, Any]]:
    """RLEs whose counts are of the type that came (str, bytes or list); polygons come back as compressed RLE."""
    return [_with_counts(old, encode_mask(mask)) for old, mask in zip(given, refined, strict=True)]


def _with_counts(old: Any, rle: dict[str, Any]) -> dict[str, Any]:
    counts = old["counts"] if isinstance(old, dict) else ""
    if isinstance(counts, bytes):
        return {**rle, "counts": rle["counts"].encode("ascii")}
    return {**rle, "counts": string_to_runs(rle["counts"]).tolist()} if isinstance(counts, list) else rle


def _is_detections(masks: Any) -> bool:
    """By its fields: supervision is never imported here."""
    return hasattr(masks, "xyxy") and hasattr(masks, "mask")


def _frame_of_detections(detections: Any) -> Frame | None:
    return None if detections.mask is None else _last_two(detections.mask)


def _read_detections(detections: Any, frame: Frame) -> list[Instance]:
    if detections.mask is None and len(detections.xyxy):
        raise ValueError("Detections: expected masks, got mask=None; use a model that segments instances")
    return [] if detections.mask is None else read_array(np.asarray(detections.mask), frame)


def _write_detections(given: Any, refined: Sequence[BoxMask]) -> Any:
    """A copy with new ``mask`` and ``xyxy``, everything else kept; an empty mask keeps its box."""
    if given.mask is None:
        return given
    changed = copy.copy(given)
    changed.mask = write_array(np.asarray(given.mask), refined)
    changed.xyxy = np.array(given.xyxy)
    for row, mask in zip(changed.xyxy, refined, strict=True):
        if mask.pixels.size:
            row[:] = mask.trimmed().box
    return changed


ADAPTERS = (
    Adapter(lambda masks: isinstance(masks, np.ndarray), _last_two, read_array, write_array),
    Adapter(_is_tensor, _last_two, lambda masks, frame: read_array(_tensor_to_array(masks), frame), _write_tensor, _to_tensor),
    Adapter(_is_segmentations, _size_of_first, _read_segmentations, _write_segmentations),
    Adapter(_is_detections, _frame_of_detections, _read_detections, _write_detections),
)
