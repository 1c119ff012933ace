"""What one kind of masks has to know about itself.

Legend: N instances, H W frame.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

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
        exclusive: every pixel belongs to one instance at most, and shall afterwards.
    """

    accepts: Callable[[Any], bool]
    frame_of: Callable[[Any], Frame | None]
    read: Callable[[Any, Frame], list[Instance]]
    write: Callable[[Any, Sequence[BoxMask]], Any]
    like: Callable[[Any, np.ndarray], Any] = lambda given, array: array
    exclusive: bool = False
