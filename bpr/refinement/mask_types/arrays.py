"""Arrays and torch tensors, and objects that hold one.

Legend: N instances, H W frame.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bpr.errors import BadInput
from bpr.geometry.masks import BoxMask, masks_of_numbers
from bpr.io.mask_picture import read_mask
from bpr.io.shown_object import hardened
from bpr.refinement.mask_types.adapter import Adapter, Frame
from bpr.refinement.predictor import Instance


def check_shape(masks: np.ndarray, axes: int, frame: Frame) -> None:
    """Raise a BadInput unless the (N, H, W) or (H, W) masks have the size of the image."""
    if axes != 3 or masks.shape[-2:] != tuple(frame):
        expected = f"(N, {frame[0]}, {frame[1]}) as the image"
        of_image = tuple(frame) in (masks.shape[-2:], masks.shape[:2])
        remedy = "the axis of the masks comes first, and each object has one" if of_image else "resize one to the other"
        raise BadInput(f"masks: expected {expected}, got {masks.shape}; {remedy}")


def read_stack(given: Any, frame: Frame) -> list[Instance]:
    """The instances of an array or tensor of (N, H, W), (N, 1, H, W) or (H, W) masks: bool, integers (0 and one value, or a soft mask of
    which the foreground is above half of 255 or 65535) or probabilities (foreground > 0.5).

    Raises:
        BadInput: another shape than the image's, integers of several values, floats outside [0, 1].
    """
    masks = to_array(given)
    stack = masks[None] if masks.ndim == 2 else masks[:, 0] if masks.ndim == 4 and masks.shape[1] == 1 else masks
    check_shape(masks, stack.ndim, frame)
    if stack.dtype.kind not in "buif":
        raise BadInput(f"masks: expected bool, integers or floats, got {masks.dtype}")
    if stack.dtype.kind != "f":
        return [Instance(_foreground(mask, index), index) for index, mask in enumerate(stack)]
    for index, soft in enumerate(stack):
        # `not (a and b)` also catches NaN, which compares false with everything.
        if soft.size and not (soft.min() >= 0 and soft.max() <= 1):
            span = f"{soft.min()}..{soft.max()}"
            remedy = "apply a sigmoid or divide by 255"
            raise BadInput(f"masks: mask {index}: expected probabilities in [0, 1], got {span}; {remedy}")
    return [Instance(BoxMask.from_frame(soft > 0.5), index, soft) for index, soft in enumerate(stack)]


def _foreground(mask: np.ndarray, index: int) -> BoxMask:
    """The foreground of bools or integers: above half in a soft mask; a label map of several values is refused."""
    if mask.dtype != bool and (hard := hardened(mask)) is not mask:
        return BoxMask.from_frame(hard)
    foreground = BoxMask.from_frame(mask)
    left, top, right, bottom = foreground.box
    values = mask[top:bottom, left:right][foreground.pixels]
    if values.size and not (values[0] > 0 and (values == values[0]).all()):
        span = f"{values.min()}..{values.max()}"
        remedy = "pass a label map as (H, W), with a background of 0, and grey values as mask > 127"
        raise BadInput(f"masks: mask {index}: expected 0 and one positive value, got several in {span}; {remedy}")
    return foreground


def write_stack(given: Any, refined: Sequence[BoxMask]) -> Any:
    """Refined masks in the shape and type of the given array or tensor.

    Integer masks keep their value. A mask that was empty gets the largest value of all masks, or 1.
    """
    masks = to_array(given)
    frames = np.array([mask.to_frame() for mask in refined], masks.dtype).reshape(masks.shape)
    if masks.dtype.kind in "ui":
        values = masks.max(axis=(-2, -1), keepdims=True, initial=0)
        frames = frames * np.where(values == 0, values.max(initial=1), values)
    return of_type(given, frames)


def last_two(masks: Any) -> Frame:
    """(H, W) of a stack of masks."""
    return tuple(masks.shape[-2:])


def is_tensor(masks: Any) -> bool:
    """Whether the masks are a torch tensor. Whoever has one has already imported torch, so this need not."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(masks, torch.Tensor)


def is_stack(masks: Any) -> bool:
    return isinstance(masks, np.ndarray) or is_tensor(masks)


def to_array(stack: Any) -> np.ndarray:
    """An array as it is, or a copy of a tensor on the CPU (NumPy has no bfloat16)."""
    if not is_tensor(stack):
        return np.asarray(stack)
    if str(stack.layout) != "torch.strided" or stack.is_meta:
        raise BadInput("masks: expected a dense tensor with values, got a sparse one or one without; call to_dense()")
    tensor = stack.detach().cpu()
    return (tensor.float() if tensor.is_floating_point() else tensor).numpy()


def like_stack(given: Any, array: np.ndarray) -> Any:
    """``array`` as a tensor on the device of ``given`` if that is a tensor."""
    return sys.modules["torch"].from_numpy(array).to(given.device) if is_tensor(given) else array


def of_type(given: Any, array: np.ndarray) -> Any:
    """``array`` with the type of ``given``: array or tensor, dtype and device."""
    return like_stack(given, array).to(given.dtype) if is_tensor(given) else array.astype(given.dtype, copy=False)


def is_mask_file(masks: Any) -> bool:
    """Whether the masks are a picture, given by its path or its bytes, or a list of pictures."""
    listed = masks if isinstance(masks, list) else [masks]
    return bool(listed) and all(isinstance(one, (str, Path, bytes)) for one in listed)


def read_mask_files(masks: Any) -> np.ndarray:
    """The bool masks in pictures: (H, W) of a picture, (N, H, W) of a list of pictures.

    Raises:
        BadInput: a picture cannot be read as the mask of one object, or the pictures differ in size.
    """
    if not isinstance(masks, list):
        return read_mask(masks)
    stack = [read_mask(one) for one in masks]
    if len({mask.shape for mask in stack}) > 1:
        names = ["mask" if isinstance(one, bytes) else one for one in masks]
        sizes = ", ".join(f"{name}: {mask.shape}" for name, mask in zip(names, stack, strict=True))
        raise BadInput(f"masks: expected pictures of one size, got {sizes}; resize them")
    return np.stack(stack)


def is_label_map(masks: Any) -> bool:
    """Whether the masks are (H, W) whole numbers of several objects on 0, and not a soft mask of one."""
    if not is_stack(masks) or masks.ndim != 2:
        return False
    labels = to_array(masks)
    if labels.dtype.kind not in "ui" or not labels.size or labels.min() < 0:
        return False
    largest = labels.max()
    return bool(((labels != 0) & (labels != largest)).any()) and hardened(labels) is labels


def read_numbers(labels: np.ndarray, frame: Frame, numbers: Sequence[int] | None = None) -> list[Instance]:
    """The instances of an (H, W) label map: of some numbers, by default of all but 0 in the order of their places.

    That order does not depend on the numbers, and so neither does the result.

    Raises:
        BadInput: another shape than the image's.
    """
    check_shape(labels, 3, frame)
    void = 0 if numbers is None else min((-1, *numbers)) - 1
    masks = masks_of_numbers(labels, void)
    if numbers is not None:
        return [Instance(masks.get(number, BoxMask.empty(frame)), index) for index, number in enumerate(numbers)]
    return [Instance(mask, index) for index, mask in enumerate(masks.values())]


def _write_labels(given: Any, refined: Sequence[BoxMask]) -> Any:
    before = to_array(given)
    labels = np.zeros_like(before)
    for number, mask in zip(masks_of_numbers(before), refined, strict=True):
        mask.paint(labels, number)
    return of_type(given, labels)


STACKS = Adapter(
    lambda masks: is_stack(masks) and not is_label_map(masks), last_two, read_stack, write_stack, like_stack
)
LABELS = Adapter(
    is_label_map,
    last_two,
    lambda given, frame: read_numbers(to_array(given), frame),
    _write_labels,
    like_stack,
    exclusive=True,
)


def holder(
    accepts: Callable[[Any], bool],
    masks_of: Callable[[Any], Any],
    rebuild: Callable[[Any, Any, Sequence[BoxMask]], Any],
    scores_of: Callable[[Any], Any] = lambda given: None,
) -> Adapter:
    """The adapter of objects that hold an (N, H, W) array or tensor.

    Args:
        masks_of: that array of an object; None if it has no instances.
        rebuild: makes a new object of the object, its array of refined masks, and these masks. An object without
            instances comes back as it is.
        scores_of: the (N,) array or tensor of an object's scores; None if it has none.
    """

    def frame_of(given: Any) -> Frame | None:
        stack = masks_of(given)
        return None if stack is None else last_two(stack)

    def read(given: Any, frame: Frame) -> list[Instance]:
        stack = masks_of(given)
        return [] if stack is None else read_stack(stack, frame)

    def write(given: Any, refined: Sequence[BoxMask]) -> Any:
        stack = masks_of(given)
        return given if stack is None else rebuild(given, write_stack(stack, refined), refined)

    return Adapter(accepts, frame_of, read, write, lambda given, array: like_stack(masks_of(given), array), scores_of)


def follow(boxes: Any, refined: Sequence[BoxMask]) -> Any:
    """A copy of N rows that begin with a half-open XYXY box, with the boxes of the refined masks.

    An empty mask keeps its box.

    >>> mask = np.zeros((4, 6), bool); mask[1:3, 2:5] = True
    >>> boxes = np.array([[0., 0, 9, 9, .5], [1, 1, 2, 2, .4]])
    >>> follow(boxes, [BoxMask.from_frame(mask), BoxMask.from_frame(mask & False)])
    array([[2. , 1. , 5. , 3. , 0.5],
           [1. , 1. , 2. , 2. , 0.4]])
    """
    moved = np.array(to_array(boxes))
    for row, mask in zip(moved, refined, strict=True):
        if mask.pixels.size:
            row[:4] = mask.trimmed().box
    return of_type(boxes, moved)
