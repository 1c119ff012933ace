"""The validation that counts: refine the matched pairs of a held-out set and score their boundaries.

The mIoU of patches misleads: it rises with the easy inside of the patches, and knows nothing of putting them back.

Legend: N matched pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmengine.dist import all_reduce, broadcast, get_dist_info
from mmengine.model import is_model_wrapper
from mmengine.runner import BaseLoop, Runner

from bpr.errors import BPRError
from bpr.evaluation.inputs import check_annotations, check_detections
from bpr.evaluation.matched_pairs import (
    BOUNDARY_RATIO,
    METRICS,
    TOLERANCE,
    Pair,
    PairScores,
    match_pairs,
    score_masks,
    score_records,
    shares,
)
from bpr.formats.coco import Record, read_annotations, read_results
from bpr.geometry.options import from_config
from bpr.geometry.rle import decode_mask
from bpr.io.images import ImageFolder
from bpr.refinement.refiner import Refiner
from bpr.refinement.runner import refine_records
from bpr.training.patch_segmentor import PatchSegmentor
from bpr.training.registry import LOOPS
from bpr.training.torch_predictor import SegmentorPredictor

LABELS = dict(zip(METRICS, ("IoU", f"BoundaryIoU@{BOUNDARY_RATIO}", f"F@{TOLERANCE}px"), strict=True))


@LOOPS.register_module()
class RefinementValLoop(BaseLoop):
    """Refine a held-out set with the network as it stands (its averaged weights, where there are) and log what changed.

    The metrics are those of ``bpr eval``, in [0, 1]: ``F@2px/before``, ``F@2px/after``, ``F@2px/change``, the same for
    ``IoU`` and ``BoundaryIoU@0.02``, and the shares ``pairs/improved``, ``pairs/harmed``, ... Several processes share the
    images, and all of them hold the same metrics afterwards.

    Args:
        results: COCO results of a detector on the held-out set.
        annotations: its COCO annotation file.
        images: the folder of its images.
        min_score: leave detections of a lower score out.
        max_images: take so many images, spread over the annotation file; None takes all.
        workers: threads that read and cut.

    Raises:
        BPRError: a file cannot be used, an image is missing, or no detection matches an annotation.
    """

    def __init__(
        self,
        runner: Runner,
        dataloader: dict[str, Any],
        evaluator: dict[str, Any],
        results: str,
        annotations: str,
        images: str,
        min_score: float = 0.0,
        max_images: int | None = None,
        workers: int = 2,
    ) -> None:
        # MMEngine validates only where val_dataloader, val_evaluator and val_cfg are all set. The first two stay empty
        # in configs: a refinement reads whole images and scores whole masks. Of a loop's dataloader the log takes the length.
        document = read_annotations(annotations)
        check_annotations(document, annotations)
        ids = _spread([image["id"] for image in document["images"]], max_images)
        super().__init__(runner, ids)
        self.finder = ImageFolder(images, document["images"])
        self.records, self.pairs = _matched(read_results(results), document, set(ids), min_score, results)
        _check_images(self.finder, self.pairs)
        self.before = score_records(self.records, self.pairs)
        self.workers = workers

    def run(self) -> dict[str, float]:
        self.runner.call_hook("before_val")
        self.runner.call_hook("before_val_epoch")
        metrics = _metrics(self.before, self._refined_scores(self._refiner()))
        self.runner.call_hook("after_val_epoch", metrics=metrics)
        self.runner.call_hook("after_val")
        return metrics

    def _refiner(self) -> Refiner:
        """Around the live network, in eval mode; the training loop puts it back into training mode."""
        model: PatchSegmentor = self.runner.model.module if is_model_wrapper(self.runner.model) else self.runner.model
        # BatchNorm's statistics differ between processes unless it is synchronised; those of the first are what is saved.
        for buffer in model.buffers():
            broadcast(buffer)
        return Refiner(SegmentorPredictor(model.eval(), *from_config(self.runner.cfg.refinement, "test")))

    def _refined_scores(self, refiner: Refiner) -> PairScores:
        """Scores of all pairs; every process refines the images of its own and receives the others' scores."""
        rank, processes = get_dist_info()
        own_images = set(self.dataloader[rank::processes])
        rows = [row for row, pair in enumerate(self.pairs) if pair.image_id in own_images]
        scores = torch.zeros(len(self.pairs), len(METRICS), dtype=torch.float64)
        scores[rows] = torch.from_numpy(self._own_scores([self.pairs[row] for row in rows], refiner))
        all_reduce(scores)
        return PairScores(*scores.numpy().T)

    def _own_scores(self, pairs: Sequence[Pair], refiner: Refiner) -> np.ndarray:
        indices = sorted({pair.record for pair in pairs})
        refined, report = refine_records([self.records[index] for index in indices], self.finder, refiner, self.workers)
        if report.problems:
            raise BPRError(f"validation: {report.problems[0]}; it would count as unchanged")
        masks = {index: record["segmentation"] for index, record in zip(indices, refined, strict=True)}
        scores = score_masks((decode_mask(masks[pair.record]) for pair in pairs), pairs)
        return np.stack([getattr(scores, name) for name in METRICS], axis=1)


def _spread(items: list[Any], most: int | None) -> list[Any]:
    """At most ``most`` of the items, evenly spread.

    >>> _spread([0, 1, 2, 3, 4, 5], 3)
    [0, 2, 4]
    """
    if most is None or most >= len(items):
        return items
    return [items[place * len(items) // most] for place in range(most)]


def _matched(
    records: Sequence[Record], document: dict[str, Any], ids: set[Any], min_score: float, name: str
) -> tuple[list[Record], list[Pair]]:
    """Checked detections in the images ``ids`` and the pairs that they form with its annotations."""
    part = {**document, "annotations": [a for a in document["annotations"] if a["image_id"] in ids]}
    detections = check_detections([r for r in records if r["image_id"] in ids], document, name)
    kept = [record for record in detections.records if record["score"] >= min_score]
    pairs = match_pairs(kept, part)
    if not pairs:
        raise BPRError(f"{name}: expected detections that match annotations in {len(ids)} images, got none; nothing to validate on")
    return kept, pairs


def _check_images(finder: ImageFolder, pairs: Sequence[Pair]) -> None:
    """Fail before the first iteration and not at the first validation."""
    for image_id in {pair.image_id: None for pair in pairs}:
        if not finder.path(image_id).is_file():
            raise BPRError(f"{finder.path(image_id)}: no such image; expected image {image_id!r} of the held-out set there")


def _metrics(before: PairScores, after: PairScores) -> dict[str, float]:
    metrics: dict[str, float] = {}
    old, new = before.means(), after.means()
    for name, label in LABELS.items():
        metrics |= {f"{label}/before": old[name], f"{label}/after": new[name], f"{label}/change": new[name] - old[name]}
    return metrics | {f"pairs/{name}": share for name, share in vars(shares(after.iou - before.iou)).items()}
