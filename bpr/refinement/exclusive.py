"""Keep the masks of an image free of overlap (panoptic, semantic)."""

from __future__ import annotations

from collections.abc import Sequence

from bpr.geometry.masks import BoxMask
from bpr.geometry.partition import partition
from bpr.geometry.reassembly import mean_probability
from bpr.geometry.scheme import PatchScheme
from bpr.refinement.batching import InstancePatches


def apart(
    coarse: Sequence[BoxMask], refined: Sequence[BoxMask], patches: Sequence[InstancePatches], scheme: PatchScheme
) -> list[BoxMask]:
    """The refined masks of an image whose coarse masks do not overlap; a pixel that several claim goes to the most probable."""
    parts = zip(coarse, refined, patches, strict=True)
    maps = [mean_probability(mask, own.boxes, own.probabilities, scheme, new.box) for mask, new, own in parts]
    return partition(coarse, refined, maps)
