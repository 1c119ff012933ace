"""An image on its way from the coarsest level of its largest object to its own scale.

Legend: N instances of an image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Generic

import numpy as np

from bpr.geometry.options import RefineOptions
from bpr.geometry.overlaps import without_overlaps
from bpr.geometry.placement import SCHEMES
from bpr.geometry.scales import STEP, Scales, carried, coarse_levels, shrunk
from bpr.refinement.batching import PredictedImage, Token
from bpr.refinement.predictor import Instance, Settled


@dataclass(frozen=True, eq=False)
class Photo(Generic[Token]):
    """An image and its instances.

    Attributes:
        scales: the image and its smaller copies.
        instances: N, with their masks at the image's own scale, as far as they are refined.
        levels: N: the coarsest level at which each of them is refined; 0 for the image's own scale.
        exclusive: the masks do not overlap, and may not do so after a level.
        token: data of the caller that is kept with the image.
        patches, left_out: how many patches were predicted at the levels so far, and how many the budget did not allow.
    """

    scales: Scales
    instances: Sequence[Instance]
    levels: Sequence[int]
    exclusive: bool
    token: Token
    patches: int = 0
    left_out: int = 0

    @classmethod
    def of(
        cls, image: np.ndarray, instances: Sequence[Instance], options: RefineOptions, exclusive: bool, token: Token
    ) -> Photo[Token]:
        size = None if SCHEMES[options.scheme].any_size else options.object_size
        levels = [coarse_levels(instance.mask.area, size) for instance in instances]
        return cls(Scales(image), instances, levels, exclusive, token)

    def below(self, level: int) -> int:
        """The next finer level at which an instance is refined."""
        return next((finer for finer in range(level - 1, 0, -1) if self._refined_at(finer)), 0)

    def at(self, level: int) -> list[Instance]:
        """The instances that are refined at a level, with their masks at it."""
        if not level:
            return list(self.instances)
        chosen = (self.instances[index] for index in self._refined_at(level))
        return [replace(one, mask=shrunk(one.mask, level), level=level, earlier=None) for one in chosen]

    def budget(self, level: int, most: int | None) -> int | None:
        """How many patches a level may use of ``most`` for the image: a coarse one at most half of what is left."""
        left = None if most is None else most - self.patches
        return left if left is None or not level else left // 2

    def after(self, level: int, predicted: PredictedImage[Token], settled: Sequence[Settled]) -> Photo[Token]:
        """The photo with what a level changed.

        Args:
            settled: the instances of ``predicted`` at the level.
        """
        cut = predicted.cut
        before = [instance.mask for instance in self.instances]
        masks, verdicts = list(before), [instance.earlier for instance in self.instances]
        for index, small, one in zip(self._refined_at(level), cut.instances, settled, strict=True):
            masks[index] = carried(before[index], small.mask, one.mask, level)
            if one.verdict is not None and masks[index] is not before[index]:
                verdict, earlier = one.verdict.enlarged(2**level), verdicts[index]
                verdicts[index] = verdict if earlier is None else earlier.followed_by(verdict)
        if self.exclusive:
            # A segment keeps the pixels that its own refinement left to it, whatever another one claims.
            pairs = zip(before, masks, strict=True)
            claims = [np.where(old.window(new.box), np.float32(1), np.float32(0.5)) for old, new in pairs]
            masks = without_overlaps(before, masks, claims)
        parts = zip(self.instances, masks, verdicts, strict=True)
        instances = [replace(one, mask=mask, earlier=verdict) for one, mask, verdict in parts]
        patches = self.patches + len(cut.batch)
        return replace(self, instances=instances, patches=patches, left_out=cut.left_out)

    def _refined_at(self, level: int) -> list[int]:
        """The indices of the instances that are refined at a coarse level: each at its coarsest and every STEP below."""
        return [i for i, coarsest in enumerate(self.levels) if coarsest >= level and (coarsest - level) % STEP == 0]
