"""How one kind of masks is read and written.

Legend: N instances, H W frame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bpr.errors import BadInput
from bpr.geometry.masks import BoxMask
from bpr.refinement.predictor import Instance, weight_of

Frame = tuple[int, int]


@dataclass(frozen=True)
class Adapter:
    """One kind of masks.

    Attributes:
        accepts: whether the masks are of this kind.
        frame_of: the (H, W) of the image that the masks were made for; None if the masks do not hold it.
        read: makes instances of the masks, given the frame of the image.
        write: makes the user's result of the masks that came in and the refined ones.
        like: converts an (N, H, W) array to the type of array or tensor in the masks.
        scores_of: the detector's score of every instance; None if the masks hold none.
        exclusive: every pixel belongs to at most one instance, before and after refining.
    """

    accepts: Callable[[Any], bool]
    frame_of: Callable[[Any], Frame | None]
    read: Callable[[Any, Frame], list[Instance]]
    write: Callable[[Any, Sequence[BoxMask]], Any]
    like: Callable[[Any, np.ndarray], Any] = lambda given, array: array
    scores_of: Callable[[Any], Iterable[Any] | None] = lambda given: None
    exclusive: bool = False

    def instances(self, given: Any, frame: Frame) -> list[Instance]:
        """The instances of the masks, with their scores.

        Raises:
            BadInput: not as many scores as masks.
        """
        instances, known = self.read(given, frame), self.scores_of(given)
        scores = [None] * len(instances) if known is None else list(known)
        if len(scores) != len(instances):
            expected = f"one for each of {len(instances)} masks"
            raise BadInput(f"scores: expected {expected}, got {len(scores)}; leave them out or complete them")
        return [replace(one, score=weight_of(score)) for one, score in zip(instances, scores, strict=True)]


def lists_dicts(masks: Any, key: str) -> bool:
    """Whether the masks are a list of dicts, at least one, which all have this key."""
    return isinstance(masks, list) and bool(masks) and all(isinstance(one, dict) and key in one for one in masks)
