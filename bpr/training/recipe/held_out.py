"""Instances on which a network is measured by refining them: a held-out set, or a few training instances.

Legend: N matched pairs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from bpr.errors import BPRError
from bpr.evaluation.comparison import PROTOCOLS, Evaluation, shares
from bpr.evaluation.pair_metrics import PAIR_METRICS
from bpr.evaluation.prepare import Detections, prepare_annotations, prepare_detections
from bpr.formats.coco import Record, read_annotations, read_results
from bpr.io.image_finder import ImageFolder
from bpr.io.image_list import ImageList, spread
from bpr.refinement.refiner import Refiner
from bpr.refinement.runner import refine_records
from bpr.training.data.image_dataset import check_frames
from bpr.training.data.synthetic_masks import synthesize

F_LABEL, IOU_LABEL = PAIR_METRICS[2].label, PAIR_METRICS[0].label
"""The names of the boundary F and of the IoU in :func:`metrics_of`, without ``/before``, ``/after`` or ``/change``."""
HARM_LABEL = "pairs/harmed_clearly"
"""The name of the share of pairs that lost more than a point of IoU."""


class HeldOut:
    """Coarse masks that match annotations, and their images.

    Args:
        annotations: a COCO annotation file.
        images: folder of its images.
        results: COCO results of a detector on these images; None makes coarse masks from the annotations.
        min_score: leave out detections of a lower score.
        max_images: use this many of the annotated images, spread evenly over the file; None uses all.

    Attributes:
        image_ids: of the images in use.
        coarse: the coarse masks and their matches.
        before: (N, metrics) their scores.

    Raises:
        BPRError: a file cannot be used, an image is missing, or no detection matches an annotation.
    """

    def __init__(
        self,
        annotations: str,
        images: str,
        results: str | None = None,
        min_score: float = 0.0,
        max_images: int | None = None,
    ) -> None:
        document = read_annotations(annotations)
        self.finder = ImageFolder(images, document["images"])
        listed = ImageList(document["images"])
        annotated = {image_of(item, listed) for item in document["annotations"]}
        ids = [image["id"] for image in document["images"]]
        self.image_ids = spread([image for image in ids if image in annotated] or ids, max_images)
        kept = {*self.image_ids, None}  # prepare_annotations names what is malformed
        used = [item for item in document["annotations"] if image_of(item, listed) in kept]
        prepared = prepare_annotations({**document, "annotations": used}, annotations)
        name = results or f"coarse masks made from {annotations}"
        records = read_results(results) if results else synthesize(prepared)
        self.coarse = _matched(records, prepared, set(self.image_ids), min_score, name)
        self._check_images(annotations)
        self.before = self.coarse.scores(self.coarse.pairs)

    def _check_images(self, ann: str) -> None:
        """Raise a BPRError for images that are missing or do not fit before the first iteration, not at a validation."""
        frames = {pair.image_id: pair.annotation["segmentation"]["size"] for pair in self.coarse.pairs}
        paths = {image_id: self.finder.path(image_id) for image_id in frames}
        for image_id, path in paths.items():
            if not path.is_file():
                raise BPRError(f"{path}: no such image; expected image {image_id!r} of the held-out set there")
        check_frames([(paths[image_id], (height, width)) for image_id, (height, width) in frames.items()], ann)

    def refine(
        self, refiner: Refiner, workers: int = 2, image_ids: Collection[Any] | None = None
    ) -> tuple[np.ndarray, Evaluation]:
        """Refine the matched masks of some images, by default of all.

        Returns:
            (N, metrics) the scores of the refined masks, 0 for pairs of other images; the refined masks.

        Raises:
            BPRError: a mask could not be refined.
        """
        pairs, images = self.coarse.pairs, set(self.image_ids if image_ids is None else image_ids)
        rows = [row for row, pair in enumerate(pairs) if pair.image_id in images]
        indices = sorted({pairs[row].record for row in rows})
        refined, report = refine_records(
            [self.coarse.records[index] for index in indices], self.finder, refiner, workers
        )
        if report.problems:
            raise BPRError(f"validation: {report.problems[0]}; it would count as unchanged")
        records = list(self.coarse.records)
        for index, record in zip(indices, refined, strict=True):
            records[index] = record
        evaluation = Evaluation(Detections(records, "refined"), self.coarse.document, coarse=self.coarse)
        scores = np.zeros_like(self.before)
        scores[rows] = evaluation.scores([pairs[row] for row in rows])
        return scores, evaluation

    def measure(self, refiner: Refiner) -> dict[str, float]:
        """The metrics of :func:`metrics_of` with all masks refined by ``refiner``."""
        return metrics_of(self.before, self.refine(refiner)[0])


def metrics_of(before: np.ndarray, after: np.ndarray) -> dict[str, float]:
    """The metrics of ``bpr eval`` for (N, metrics) scores, in [0, 1].

    The names are ``F@2px/before``, ``F@2px/after``, ``F@2px/change``, the same for ``IoU`` and ``BoundaryIoU@0.02``,
    and the shares ``pairs/improved``, ``pairs/harmed``, ...
    """
    metrics: dict[str, float] = {}
    for metric, old, new in zip(PAIR_METRICS, before.mean(axis=0).tolist(), after.mean(axis=0).tolist(), strict=True):
        label = metric.label.format(ratio=PROTOCOLS["coco"].ratio)
        metrics |= {f"{label}/before": old, f"{label}/after": new, f"{label}/change": new - old}
    return metrics | {f"pairs/{name}": share for name, share in vars(shares(after[:, 0] - before[:, 0])).items()}


def instances_of(cfg: Mapping[str, Any], most_images: int) -> HeldOut | None:
    """A few instances that a config names: of its held-out set, else of its first source of images; None without one.

    Raises:
        BPRError: a file of them cannot be used.
    """
    held_out = cfg.get("val_cfg") or {}
    if "annotations" in held_out:
        files = {name: held_out[name] for name in ("annotations", "images", "results", "min_score") if name in held_out}
        return HeldOut(**files, max_images=most_images)
    for source in cfg.get("train_dataloader", {}).get("dataset", {}).get("sources", []):
        results = source.get("results") or None
        first = results if isinstance(results, str) or results is None else results[0]
        return HeldOut(source["ann"], source["img_dir"], first, max_images=most_images)
    return None


def image_of(annotation: Any, images: ImageList) -> Any:
    """The listed id of an annotation's image; None where the list does not hold it."""
    return images.id_of(annotation.get("image_id")) if isinstance(annotation, dict) else None


def _matched(
    records: Sequence[Record], document: dict[str, Any], ids: set[Any], min_score: float, name: str
) -> Evaluation:
    """The detections in the images ``ids``, which match some of their annotations."""
    images = ImageList(document["images"])
    chosen = [record for record in records if images.id_of(record["image_id"]) in ids]
    detections = prepare_detections(chosen, document, name)
    kept = [record for record in detections.records if record["score"] >= min_score]
    coarse = Evaluation(Detections(kept, name), document)
    if not coarse.pairs:
        expected = f"expected detections that match annotations in {len(ids)} held-out images"
        got = f"got none among the {len(kept)} of these images ({len(records)} in all)"
        raise BPRError(f"{name}: {expected}, {got}; pass the detections of the annotated images")
    return coarse
