"""Validation by refining: refine the matched pairs of a held-out set and score their boundaries.

The mIoU of patches is a poor guide: it rises with the easy interior of the patches, and does not see how patches are
put back together.

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
from bpr.evaluation.comparison import PROTOCOLS, Evaluation, shares
from bpr.evaluation.pair_metrics import PAIR_METRICS
from bpr.evaluation.prepare import Detections, prepare_annotations, prepare_detections
from bpr.formats.coco import Record, read_annotations, read_results
from bpr.geometry.options import from_config
from bpr.io.image_list import ImageList
from bpr.io.images import ImageFolder
from bpr.refinement.refiner import Refiner
from bpr.refinement.runner import refine_records
from bpr.training.data.image_dataset import check_frames
from bpr.training.network.segmentor import PatchSegmentor
from bpr.training.registry import LOOPS
from bpr.training.torch_predictor import SegmentorPredictor


@LOOPS.register_module()
class RefinementValLoop(BaseLoop):
    """Refine a held-out set with the current network (its averaged weights, where there are any) and log the metrics.

    The metrics are those of ``bpr eval``, in [0, 1]: ``F@2px/before``, ``F@2px/after``, ``F@2px/change``, the same for
    ``IoU`` and ``BoundaryIoU@0.02``, and the shares ``pairs/improved``, ``pairs/harmed``, ... Several processes divide
    the images among them, and all of them return the same metrics.

    Args:
        results: COCO results of a detector on the held-out set.
        annotations: COCO annotation file of the held-out set.
        images: folder of its images.
        min_score: leave out detections of a lower score.
        max_images: use this many images, spread evenly over the annotation file; None uses all.
        workers: threads that read images and cut patches.

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
        # MMEngine validates only where val_dataloader, val_evaluator and val_cfg are all set. The first two are empty
        # in configs, because this loop reads whole images and scores whole masks. MMEngine's log takes the length of
        # the loop's dataloader, so the list of image ids stands for it.
        document = read_annotations(annotations)
        prepared = prepare_annotations(document, annotations)
        ids = _spread([image["id"] for image in document["images"]], max_images)
        super().__init__(runner, ids)
        self.finder = ImageFolder(images, document["images"])
        self.coarse = _matched(read_results(results), prepared, set(ids), min_score, results)
        _check_images(self.finder, self.coarse, annotations)
        self.before = self.coarse.scores(self.coarse.pairs)
        self.workers = workers

    def run(self) -> dict[str, float]:
        self.runner.call_hook("before_val")
        self.runner.call_hook("before_val_epoch")
        metrics = _metrics(self.before, self._refined_scores(self._refiner()))
        self.runner.call_hook("after_val_epoch", metrics=metrics)
        self.runner.call_hook("after_val")
        return metrics

    def _refiner(self) -> Refiner:
        """A refiner of the network in training, in eval mode; the training loop puts it back into training mode."""
        model: PatchSegmentor = self.runner.model.module if is_model_wrapper(self.runner.model) else self.runner.model
        # Unless BatchNorm is synchronised, its statistics differ between processes; checkpoints hold the first one's.
        for buffer in model.buffers():
            broadcast(buffer)
        return Refiner(SegmentorPredictor(model.eval(), *from_config(self.runner.cfg.refinement, "test")))

    def _refined_scores(self, refiner: Refiner) -> np.ndarray:
        """(N, metrics) of all pairs; every process refines its share of the images and receives the others' scores."""
        rank, processes = get_dist_info()
        images = set(self.dataloader[rank::processes])
        pairs = self.coarse.pairs
        rows = [row for row, pair in enumerate(pairs) if pair.image_id in images]
        indices = sorted({pairs[row].record for row in rows})
        coarse = [self.coarse.records[index] for index in indices]
        refined, report = refine_records(coarse, self.finder, refiner, self.workers)
        if report.problems:
            raise BPRError(f"validation: {report.problems[0]}; it would count as unchanged")
        records = list(self.coarse.records)
        for index, record in zip(indices, refined, strict=True):
            records[index] = record
        evaluation = Evaluation(Detections(records, "refined"), self.coarse.document, coarse=self.coarse)
        scores = torch.zeros(self.before.shape, dtype=torch.float64)
        scores[rows] = torch.from_numpy(evaluation.scores([pairs[row] for row in rows]))
        all_reduce(scores)
        return scores.numpy()


def _spread(items: list[Any], most: int | None) -> list[Any]:
    """At most ``most`` of the items, evenly spread.

    >>> _spread([0, 1, 2, 3, 4, 5], 3)
    [0, 2, 4]
    """
    if most is None or most >= len(items):
        return items
    return [items[index * len(items) // most] for index in range(most)]


def _matched(records: Sequence[Record], document: dict[str, Any], ids: set[Any], min_score: float, name: str) -> Evaluation:
    """The detections in the images ``ids``, which match some of their annotations."""
    annotations = [annotation for annotation in document["annotations"] if annotation["image_id"] in ids]
    images = ImageList(document["images"])
    chosen = [record for record in records if images.id_of(record["image_id"]) in ids]
    detections = prepare_detections(chosen, document, name)
    kept = [record for record in detections.records if record["score"] >= min_score]
    coarse = Evaluation(Detections(kept, name), {**document, "annotations": annotations})
    if not coarse.pairs:
        expected = f"expected detections that match annotations in {len(ids)} images, got none"
        raise BPRError(f"{name}: {expected}; nothing to validate on")
    return coarse


def _check_images(finder: ImageFolder, coarse: Evaluation, ann: str) -> None:
    """Raise a BPRError for images that are missing or do not fit before the first iteration, not at the validation."""
    frames = {pair.image_id: pair.annotation["segmentation"]["size"] for pair in coarse.pairs}
    for image_id in frames:
        if not finder.path(image_id).is_file():
            raise BPRError(f"{finder.path(image_id)}: no such image; expected image {image_id!r} of the held-out set there")
    check_frames([(finder.path(image_id), (height, width)) for image_id, (height, width) in frames.items()], ann)


def _metrics(before: np.ndarray, after: np.ndarray) -> dict[str, float]:
    metrics: dict[str, float] = {}
    for metric, old, new in zip(PAIR_METRICS, before.mean(axis=0).tolist(), after.mean(axis=0).tolist(), strict=True):
        label = metric.label.format(ratio=PROTOCOLS["coco"].ratio)
        metrics |= {f"{label}/before": old, f"{label}/after": new, f"{label}/change": new - old}
    return metrics | {f"pairs/{name}": share for name, share in vars(shares(after[:, 0] - before[:, 0])).items()}
