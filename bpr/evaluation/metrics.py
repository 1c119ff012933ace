"""The metrics of ``bpr eval``, one row each. A metric gives named numbers, each of which can be resampled or is fixed.

The name of a number consists of the metric, its tolerance and its protocol: ``F@2px/matched``,
``BoundaryAP@0.005/COCO-style on Cityscapes``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from pycocotools import mask as coco_mask

from bpr.errors import BPRError
from bpr.evaluation.average_precision import average_precisions, fast_precision
from bpr.evaluation.bands import BAND, mean_boundary_accuracy, trimap_overlap
from bpr.evaluation.bootstrap import Fixed, Number, Ratios
from bpr.evaluation.boundary_metrics import boundary_counts_at
from bpr.evaluation.cityscapes_official import official_precision
from bpr.evaluation.comparison import Evaluation
from bpr.evaluation.lvis_precision import lvis_precision
from bpr.evaluation.matching import class_of, grouped
from bpr.evaluation.pair_metrics import PAIR_METRICS, SURFACE_METRICS, TOLERANCES, PairMetric, Unit
from bpr.evaluation.panoptic_quality import panoptic_counts
from bpr.evaluation.prepare import counted
from bpr.evaluation.subjects import CityscapesFolders, MaskPictures, PanopticPair, PictureFit
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import decode_mask, encode_mask

Numbers = dict[str, Number]
TRIMAP = PairMetric("trimap", f"TrimapIoU@{BAND}px", "Trimap IoU", lambda pair: trimap_overlap(pair.mask, pair.truth).iou)
MERGED_SCORE = 0.5
"""Detections of a lower score are in no semantic mask: all of them together would cover the image."""


def precision(evaluation: Evaluation, boundary: bool = False, fast: bool = False) -> Numbers:
    """AP by mask IoU, or by the smaller of mask IoU and Boundary IoU.

    Args:
        fast: by faster-coco-eval, instead of pycocotools' matching.
    """
    protocol, numbers = evaluation.protocol, Numbers()
    if fast:
        values = fast_precision(evaluation.records, evaluation.document, "boundary" if boundary else "segm", protocol.ratio)
        numbers |= {name: Fixed(value) for name, value in values.items()}
    else:
        numbers |= average_precisions(evaluation.boundary_matching) if boundary else evaluation.average_precisions
    full = f"Boundary{{}}@{protocol.ratio}" if boundary else "{}"
    return {f"{full.format(name)}/{protocol.label}": number for name, number in numbers.items()}


def of_pairs(evaluation: Evaluation, metrics: Sequence[PairMetric]) -> Numbers:
    """The means of metrics over the matched pairs, and those of the truth if a mask has the number by itself."""
    numbers: Numbers = {}
    for metric in metrics:
        label = metric.label.format(ratio=evaluation.protocol.ratio)
        columns = {label: evaluation.column(metric)}
        if metric.of_truth:
            columns[f"{label} of the truth"] = np.array([metric.of_truth(pair.truth) for pair in evaluation.mask_pairs])
        for name, values in columns.items():
            numbers[f"{name}/matched"] = Ratios.mean(values, evaluation.pair_images, evaluation.image_count)
    return numbers


def af_matched(evaluation: Evaluation) -> Numbers:
    """Mean F over the matched pairs, inside a crop around the ground truth."""
    scores = [list(pair.boundary_f_in_crop.values()) for pair in evaluation.mask_pairs]
    return _af("matched", scores, evaluation.pair_images, evaluation)


def af_true_positives(evaluation: Evaluation) -> Numbers:
    """Mean F of the true positives of every class and IoU threshold, then over classes and thresholds."""
    pairs, groups, images = evaluation.true_positives()
    return _af("tp", [list(pair.boundary_f.values()) for pair in pairs], images, evaluation, groups)


def af_semantic(evaluation: Evaluation) -> Numbers:
    """Mean F over every image and class that has an annotation or a detection, whose instances are merged.

    Crowds belong to the ground truth.
    """
    found = [evaluation.records[index] for index in counted(evaluation.records, evaluation.document)]
    likely = [item for item in found if item["score"] >= MERGED_SCORE]
    sides = [grouped(items, class_of) for items in (evaluation.document["annotations"], likely)]
    scores, keys = [], list(dict.fromkeys([*sides[0], *sides[1]]))
    for key in keys:
        masks = [[item["segmentation"] for item in side.get(key, [])] for side in sides]
        height, width = (masks[0] or masks[1])[0]["size"]
        empty = encode_mask(BoxMask.empty((height, width)))
        truth, detected = (decode_mask(coco_mask.merge([*side, empty])) for side in masks)
        scores.append([counts.f for counts in boundary_counts_at(detected, truth, TOLERANCES)])
    return _af("semantic", scores, evaluation.image_indices([image_id for image_id, _ in keys]), evaluation)


def _af(
    kind: str, scores: Sequence[list[float]], images: np.ndarray, evaluation: Evaluation, groups: np.ndarray | None = None
) -> Numbers:
    """One number per tolerance from (N, tolerances) scores."""
    columns = np.array(scores, float).reshape(-1, len(TOLERANCES)).T
    names = [f"{tolerance}px" if tolerance >= 1 else f"{tolerance:g}diag" for tolerance in TOLERANCES]
    return {
        f"AF@{name}/{kind}": Ratios.mean(column, images, evaluation.image_count, groups)
        for name, column in zip(names, columns, strict=True)
    }


def mba(evaluation: Evaluation) -> Numbers:
    """Mean boundary accuracy: over the matched pairs of an image, then over images."""
    values = np.array([mean_boundary_accuracy(pair.mask, pair.truth) for pair in evaluation.mask_pairs])
    images, count = evaluation.pair_images, evaluation.image_count
    shares = 1 / np.bincount(images, minlength=count)[images] if len(values) else values
    return {"mBA/matched": Ratios(values * shares, shares, images, count)}


def lvis_ap(evaluation: Evaluation, boundary: bool = False) -> Numbers:
    """AP by the lvis package, by mask IoU or by the smaller of mask IoU and Boundary IoU."""
    numbers = lvis_precision(evaluation.records, evaluation.document, evaluation.boundary_iou if boundary else None)
    full = f"Boundary{{}}@{evaluation.protocol.ratio}/LVIS" if boundary else "{}/LVIS"
    return {full.format(name): Fixed(value) for name, value in numbers.items()}


def cityscapes_ap(folders: CityscapesFolders) -> Numbers:
    numbers = official_precision(folders.predictions, folders.truth)
    names = {name: name.replace("/", "/Cityscapes ") if "/" in name else f"{name}/Cityscapes" for name in numbers}
    return {names[name]: Fixed(number) for name, number in numbers.items()}


def panoptic(pair: PanopticPair, ratio: float | None = None) -> Numbers:
    """PQ, SQ and RQ: means over all classes, over things and over stuff that occur.

    Args:
        ratio: match by the smaller of mask IoU and Boundary IoU at this ratio; None: by mask IoU.
    """
    results = {pair.images.id_of(image["image_id"]): image for image in pair.results.images}
    rows = []
    for index, image in enumerate(pair.truth.images):
        if image["image_id"] not in results:
            raise BPRError(f"metric pq: expected results for every image, got none for image_id {image['image_id']!r}")
        predicted = results[image["image_id"]]
        try:
            truth_ids, ids = pair.truth.ids(image), pair.results.ids(predicted)
            segments, found = (
                [one for one in side["segments_info"] if not pair.things or one["category_id"] in pair.things]
                for side in (image, predicted)
            )
            counts = panoptic_counts(truth_ids, segments, ids, found, ratio)
        except ValueError as error:
            raise BPRError(f"metric pq: image_id {image['image_id']!r}: {error}") from error
        rows += [(index, category_id, count) for category_id, count in counts.items()]
    numbers: Numbers = {}
    for group, wanted in (("", (True, False)), (" things", (True,)), (" stuff", (False,))):
        chosen = [row for row in rows if pair.things.get(row[1], True) in wanted]
        images, count = np.array([index for index, _, _ in chosen], int), len(pair.truth.images)
        class_index = {key: n for n, key in enumerate(dict.fromkeys(category_id for _, category_id, _ in chosen))}
        classes = np.array([class_index[category_id] for _, category_id, _ in chosen], int)
        iou, matches, weight = np.array([(c.iou, c.matched, c.weight) for *_, c in chosen], float).reshape(-1, 3).T
        for name, numerators, denominators in (("PQ", iou, weight), ("SQ", iou, matches), ("RQ", matches, weight)):
            full = name if ratio is None else f"Boundary{name}@{ratio}"
            numbers[f"{full}/panoptic{group}"] = Ratios(numerators, denominators, images, count, classes, weight)
    return numbers


def whole_pictures(pictures: MaskPictures) -> Numbers:
    """IoU of all pixels, and the mean boundary accuracy of the pictures."""
    overlaps = [fit.above_half for fit in pictures.fits]
    intersection, union = np.array([[one.intersection, one.union] for one in overlaps], float).reshape(-1, 2).T
    count, images = len(pictures.fits), np.arange(len(pictures.fits))
    accuracy = np.array([fit.boundary_accuracy for fit in pictures.fits])
    mean_iou = np.array([one.iou for one in overlaps])
    return {
        "IoU/pixels of all pictures": Ratios(intersection, union, images, count),
        "IoU/mean of pictures": Ratios.mean(mean_iou, images, count),
        "mBA/mean of pictures": Ratios.mean(accuracy, images, count),
    }


def of_pictures(pictures: MaskPictures, name: str, error: Callable[[PictureFit], float]) -> Numbers:
    """The mean over pictures of an error of their alpha."""
    values = np.array([error(fit) for fit in pictures.fits])
    return {f"{name}/whole pictures": Ratios.mean(values, np.arange(len(values)), len(values))}


@dataclass(frozen=True)
class Metric:
    """A metric of ``bpr eval``.

    Attributes:
        subject: the type of the objects that it measures.
        measure: computes its numbers from a subject.
        about: explains it in the help.
        default: whether it is measured if the user names no metrics.
        has_fast: ``measure`` can compute the same numbers faster, but without intervals (``fast=True``, ``--fast``).
        unit: what its numbers are shown in.
    """

    subject: type
    measure: Callable[..., Numbers]
    about: str
    default: bool = True
    has_fast: bool = False
    unit: Unit = "%"


METRICS = {
    "ap": Metric(Evaluation, precision, "COCO mask AP (pycocotools)", has_fast=True),
    "boundary-ap": Metric(Evaluation, partial(precision, boundary=True), "Boundary AP", has_fast=True),
    "matched": Metric(Evaluation, partial(of_pairs, metrics=PAIR_METRICS), "IoU, Boundary IoU and F@2px of matched pairs"),
    "af-matched": Metric(Evaluation, af_matched, "boundary F, mean over matched pairs"),
    "af-tp": Metric(Evaluation, af_true_positives, "boundary F, mean over true positives"),
    "af-semantic": Metric(Evaluation, af_semantic, "boundary F of classes merged per image"),
    "mba": Metric(Evaluation, mba, "mean boundary accuracy of CascadePSP", default=False),
    "trimap": Metric(Evaluation, partial(of_pairs, metrics=[TRIMAP]), "IoU inside a band along the true boundary", default=False),
    "lvis-ap": Metric(Evaluation, lvis_ap, "LVIS AP (lvis package)", default=False),
    "cityscapes-ap": Metric(CityscapesFolders, cityscapes_ap, "official Cityscapes AP (cityscapesscripts)"),
    "pq": Metric(PanopticPair, panoptic, "panoptic quality"),
    "lvis-boundary-ap": Metric(Evaluation, partial(lvis_ap, boundary=True), "LVIS Boundary AP (lvis package)", default=False),
    "boundary-pq": Metric(PanopticPair, lambda pair: panoptic(pair, pair.protocol.ratio), "Boundary PQ", default=False),
    **{
        metric.name.replace("_", "-"): Metric(
            Evaluation, partial(of_pairs, metrics=[metric]), f"{metric.title.lower()} of matched pairs", False, unit=metric.unit
        )
        for metric in SURFACE_METRICS
    },
    "pictures": Metric(MaskPictures, whole_pictures, "IoU and mBA of folders with one mask per picture"),
    "sad": Metric(
        MaskPictures,
        partial(of_pictures, name="SAD", error=lambda fit: fit.sad / 1000),
        "sum of absolute differences of soft masks, in thousands",
        unit="1",
    ),
    "mse": Metric(
        MaskPictures,
        partial(of_pictures, name="MSE", error=lambda fit: fit.mse),
        "mean squared error of soft masks",
        unit="1",
    ),
}
