"""Put patches back so that the masks of an image stay free of overlap (panoptic, semantic)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpr.geometry.masks import BoxMask
from bpr.geometry.partition import partition
from bpr.geometry.reassembly import mean_probability
from bpr.refinement.batching import PredictedImage, counts_to_slices

if TYPE_CHECKING:
    from bpr.refinement.refiner import Refiner


def put_back_apart(refiner: Refiner, predicted: PredictedImage) -> list[BoxMask]:
    """The refined masks of an image whose coarse masks do not overlap; a pixel that several claim goes to the most probable."""
    cut, scheme = predicted.cut, refiner.predictor.scheme
    refined = refiner.put_back(predicted)
    maps = [
        mean_probability(instance.mask, cut.batch.boxes[own], predicted.probabilities[own], scheme, mask.box)
        for instance, mask, own in zip(cut.instances, refined, counts_to_slices(cut.counts), strict=True)
    ]
    return partition([instance.mask for instance in cut.instances], refined, maps)
