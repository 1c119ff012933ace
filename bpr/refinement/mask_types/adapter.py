"""What one kind of masks has to know about itself.

Legend: N instances, H W frame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bpr.geometry.masks import BoxMask
from bpr.refinement.predictor import Instance, weight_of

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
        scores_of: the masks -> the detector's score of every instance, None where it said none.
        exclusive: every pixel belongs to one instance at most, and shall afterwards.
    """

    accepts: Callable[[Any], bool]
    frame_of: Callable[[Any], Frame | None]
    read: Callable[[Any, Frame], list[Instance]]
    write: Callable[[Any, Sequence[BoxMask]], Any]
    like: Callable[[Any, np.ndarray], Any] = lambda given, array: array
    scores_of: Callable[[Any], Iterable[Any] | None] = lambda given: None
    exclusive: bool = False

    def instances(self, given: Any, frame: Frame) -> list[Instance]:
        """What :attr:`read` gives, with the scores that the masks come with.

        Raises:
            ValueError: not as many scores as masks.
        """
        found, said = self.read(given, frame), self.scores_of(given)
        scores = [None] * len(found) if said is None else list(said)
        if len(scores) != len(found):
            raise ValueError(f"scores: expected one for each of {len(found)} masks, got {len(scores)}; leave them out or complete them")
        return [replace(one, score=weight_of(score)) for one, score in zip(found, scores, strict=True)]
