"""The metrics of ``bpr eval``, one row each. A metric gives named numbers, each of which can be resampled or is fixed.

The name of a number consists of the metric, its tolerance and its protocol: ``F@2px/matched``,
``BoundaryAP@0.005/COCO-style on Cityscapes``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np

from bpr.errors import BPRError
from bpr.evaluation.average_precision import average_precisions, fast_precision
from bpr.evaluation.bands import BAND, mean_boundary_accuracy, trimap_overlap
from bpr.evaluation.bootstrap import Fixed, Number, Ratios
from bpr.evaluation.boundary_metrics import boundary_counts_at
from bpr.evaluation.cityscapes_official import official_precision
from bpr.evaluation.comparison import Evaluation
from bpr.evaluation.lvis_precision import lvis_precision
from bpr.evaluation.pair_metrics import PAIR_METRICS, SURFACE_METRICS, TOLERANCES, PairMetric, Unit
from bpr.evaluation.panoptic_quality import panoptic_counts
from bpr.evaluation.prepare import counted
from bpr.evaluation.subjects import CityscapesFolders, MaskPictures, PanopticPair, PictureFit
from bpr.formats.coco import Record
from bpr.geometry.boxes import enclosing
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import decode_mask

Numbers = dict[str, Number]
MERGED_SCORE = 0.5
"""Detections of a lower score are in no semantic mask: all of them together would cover the image."""


def mask_precision(evaluation: Evaluation, fast: bool = False) -> Numbers:
    """Mask AP by pycocotools' matching, or ``fast`` by faster-coco-eval."""
    numbers = _fast(evaluation, "segm") if fast else evaluation.average_precisions
    return {f"{name}/{evaluation.protocol.label}": number for name, number in numbers.items()}


def boundary_precision(evaluation: Evaluation, fast: bool = False) -> Numbers:
    """AP by the smaller of mask IoU and Boundary IoU; ``fast`` by faster-coco-eval."""
    numbers = _fast(evaluation, "boundary") if fast else average_precisions(evaluation.boundary_matching)
    protocol = evaluation.protocol
    return {f"Boundary{name}@{protocol.ratio}/{protocol.label}": number for name, number in numbers.items()}


def _fast(evaluation: Evaluation, kind: Literal["segm", "boundary"]) -> Mapping[str, Number]:
    values = fast_precision(evaluation.records, evaluation.document, kind, evaluation.protocol.ratio)
    return {name: Fixed(value) for name, value in values.items()}


def of_pairs(evaluation: Evaluation, metrics: Sequence[PairMetric]) -> Numbers:
    """The means of metrics over the matched pairs, and those of the truth if a mask has the number by itself."""
    numbers: Numbers = {}
    for metric in metrics:
        label = metric.label.format(ratio=evaluation.protocol.ratio)
        numbers[f"{label}/matched"] = _mean_of_pairs(evaluation, evaluation.column(metric))
        if metric.of_truth:
            of_truth = np.array([metric.of_truth(pair.truth) for pair in evaluation.mask_pairs], float)
            numbers[f"{label} of the truth/matched"] = _mean_of_pairs(evaluation, of_truth)
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
    annotations, records = evaluation.document["annotations"], evaluation.records
    found = [records[index] for index in counted(records, evaluation.document)]
    truths = _by_class(annotations)
    detections = _by_class(item for item in found if item["score"] >= MERGED_SCORE)
    frames = {item["image_id"]: tuple(item["segmentation"]["size"]) for item in (*annotations, *found)}
    keys = list(dict.fromkeys([*truths, *detections]))
    scores = []
    for key in keys:
        truth, detected = (_merged(side.get(key, []), frames[key[0]]) for side in (truths, detections))
        scores.append([counts.f for counts in boundary_counts_at(detected, truth, TOLERANCES)])
    return _af("semantic", scores, evaluation.image_indices([image_id for image_id, _ in keys]), evaluation)


def _by_class(items: Iterable[Record]) -> dict[tuple[Any, Any], list[Record]]:
    groups: dict[tuple[Any, Any], list[Record]] = defaultdict(list)
    for item in items:
        groups[item["image_id"], item["category_id"]].append(item)
    return groups


def _merged(items: Sequence[Record], frame: tuple[int, int]) -> BoxMask:
    masks = [mask for item in items if (mask := decode_mask(item["segmentation"], frame)).pixels.size]
    if len(masks) <= 1:
        return masks[0] if masks else BoxMask.empty(frame)
    x0, y0, x1, y1 = enclosing(np.array([mask.box for mask in masks]))
    pixels = np.zeros((y1 - y0, x1 - x0), bool)
    for mask in masks:
        left, top, right, bottom = mask.box
        pixels[top - y0 : bottom - y0, left - x0 : right - x0] |= mask.pixels
    return BoxMask(pixels, x0, y0, frame)


def _af(
    kind: str, scores: Any, images: np.ndarray, evaluation: Evaluation, groups: np.ndarray | None = None
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


def trimap(evaluation: Evaluation) -> Numbers:
    """IoU inside a band around the true boundary, mean over the matched pairs."""
    values = np.array([trimap_overlap(pair.mask, pair.truth).iou for pair in evaluation.mask_pairs])
    return {f"TrimapIoU@{BAND}px/matched": _mean_of_pairs(evaluation, values)}


def _mean_of_pairs(evaluation: Evaluation, values: np.ndarray) -> Ratios:
    return Ratios.mean(values, evaluation.pair_images, evaluation.image_count)


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
    things = {category_id: pair.things.get(category_id, True) for _, category_id, _ in rows}
    numbers: Numbers = {}
    for group, wanted in (("", (True, False)), (" things", (True,)), (" stuff", (False,))):
        chosen = [row for row in rows if things[row[1]] in wanted]
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
    "ap": Metric(Evaluation, mask_precision, "COCO mask AP (pycocotools)", has_fast=True),
    "boundary-ap": Metric(Evaluation, boundary_precision, "Boundary AP", has_fast=True),
    "matched": Metric(Evaluation, partial(of_pairs, metrics=PAIR_METRICS), "IoU, Boundary IoU and F@2px of matched pairs"),
    "af-matched": Metric(Evaluation, af_matched, "boundary F, mean over matched pairs"),
    "af-tp": Metric(Evaluation, af_true_positives, "boundary F, mean over true positives"),
    "af-semantic": Metric(Evaluation, af_semantic, "boundary F of classes merged per image"),
    "mba": Metric(Evaluation, mba, "mean boundary accuracy of CascadePSP", default=False),
    "trimap": Metric(Evaluation, trimap, "IoU inside a band along the true boundary", default=False),
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
