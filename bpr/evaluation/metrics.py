"""Every metric by name. A metric turns one file's case into named numbers, each with what a bootstrap needs.

A number's name says what it is, at which tolerance, by which protocol: ``F@2px/matched``, ``BoundaryAP@0.005/COCO-style``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bpr.errors import BPRError
from bpr.evaluation.bands import BAND, mean_boundary_accuracy, trimap_overlap
from bpr.evaluation.case import Case
from bpr.evaluation.cityscapes_official import official_precision
from bpr.evaluation.fast_precision import fast_precision
from bpr.evaluation.fits import TOLERANCES
from bpr.evaluation.lvis_precision import lvis_precision
from bpr.evaluation.matched_pairs import TOLERANCE
from bpr.evaluation.measured import Fixed, Measured, Ratios
from bpr.evaluation.panoptic_quality import panoptic_counts
from bpr.evaluation.precision_curves import precisions
from bpr.evaluation.semantic import semantic_scores
from bpr.formats.panoptic import PanopticFile

Numbers = dict[str, Measured]
TOLERANCE_NAMES = [f"{tolerance}px" if tolerance >= 1 else f"{tolerance:g}diag" for tolerance in TOLERANCES]


@dataclass(frozen=True)
class CityscapesFolders:
    """Predictions and truth as the official scripts want them."""

    predictions: Path
    truth: Path


@dataclass(frozen=True, eq=False)
class PanopticPair:
    """Panoptic results and truth."""

    results: PanopticFile
    truth: PanopticFile
    things: dict[Any, bool]


def mask_precision(case: Case) -> Numbers:
    """Mask AP by pycocotools' matching."""
    return _mask_names(case, precisions(case.masks))


def boundary_precision(case: Case) -> Numbers:
    """AP by the smaller of mask and Boundary IoU."""
    return _boundary_names(case, precisions(case.boundaries))


def fast_mask_precision(case: Case) -> Numbers:
    """Mask AP by faster-coco-eval."""
    return _mask_names(case, _fixed(fast_precision(case.records, case.document, "segm", case.protocol.ratio)))


def fast_boundary_precision(case: Case) -> Numbers:
    """Boundary AP by faster-coco-eval."""
    return _boundary_names(case, _fixed(fast_precision(case.records, case.document, "boundary", case.protocol.ratio)))


def _fixed(values: Mapping[str, float]) -> Numbers:
    return {name: Fixed(value) for name, value in values.items()}


def _mask_names(case: Case, numbers: Mapping[str, Measured]) -> Numbers:
    return {f"{name}/{case.protocol.label}": number for name, number in numbers.items()}


def _boundary_names(case: Case, numbers: Mapping[str, Measured]) -> Numbers:
    return {f"Boundary{name}@{case.protocol.ratio}/{case.protocol.label}": number for name, number in numbers.items()}


def matched(case: Case) -> Numbers:
    """IoU, Boundary IoU and F at 2 px of the matched pairs."""
    fits = case.pair_fits
    columns = {
        "IoU": fits.iou,
        f"BoundaryIoU@{case.protocol.ratio}": fits.boundary_iou,
        f"F@{TOLERANCE}px": case.pair_f(TOLERANCE),
    }
    return {f"{name}/matched": Ratios.mean(values, case.pair_images, case.image_count) for name, values in columns.items()}


def af_matched(case: Case) -> Numbers:
    """Mean F over the matched pairs, inside a crop around the truth."""
    return _af("matched", case.pair_fits.f_crop, case.pair_images, case)


def af_true_positives(case: Case) -> Numbers:
    """Mean F of the true positives of every class and IoU threshold, then over classes and thresholds."""
    found = case.true_positives
    return _af("tp", case.fits.at(found.pairs).f, found.images, case, found.groups)


def af_semantic(case: Case) -> Numbers:
    """Mean F over images and classes whose instances are merged."""
    images, scores = semantic_scores(case.records, case.document)
    return _af("semantic", scores, case.places(images), case)


def _af(kind: str, scores: np.ndarray, images: np.ndarray, case: Case, groups: np.ndarray | None = None) -> Numbers:
    columns = zip(TOLERANCE_NAMES, scores.T, strict=True)
    return {f"AF@{name}/{kind}": Ratios.mean(column, images, case.image_count, groups) for name, column in columns}


def mba(case: Case) -> Numbers:
    """Mean boundary accuracy: over the matched pairs of an image, then over images."""
    values = np.array([mean_boundary_accuracy(*case.fits.masks(key)) for key in case.pair_keys])
    share = 1 / np.bincount(case.pair_images, minlength=case.image_count)[case.pair_images] if len(values) else values
    return {"mBA/matched": Ratios(values * share, share, case.pair_images, case.image_count)}


def trimap(case: Case) -> Numbers:
    """IoU inside a band around the true boundary, mean over the matched pairs."""
    values = np.array([trimap_overlap(*case.fits.masks(key)).iou for key in case.pair_keys])
    return {f"TrimapIoU@{BAND}px/matched": Ratios.mean(values, case.pair_images, case.image_count)}


def lvis_ap(case: Case) -> Numbers:
    """AP by the lvis package."""
    return {f"{name}/LVIS": number for name, number in _fixed(lvis_precision(case.records, case.document)).items()}


def cityscapes_ap(folders: CityscapesFolders) -> Numbers:
    """AP by cityscapesscripts."""
    numbers = _fixed(official_precision(folders.predictions, folders.truth))
    return {name.replace("/", "/Cityscapes ") if "/" in name else f"{name}/Cityscapes": number for name, number in numbers.items()}


def panoptic(pair: PanopticPair) -> Numbers:
    """PQ, SQ and RQ: the mean over all classes, things and stuff that occur."""
    found = {image["image_id"]: image for image in pair.results.images}
    rows = []
    for place, image in enumerate(pair.truth.images):
        if image["image_id"] not in found:
            raise BPRError(f"metric pq: expected results for every image, got none for image_id {image['image_id']!r}")
        own = found[image["image_id"]]
        sides = pair.truth.ids(image), image["segments_info"], pair.results.ids(own), own["segments_info"]
        try:
            rows += [(place, category, counts) for category, counts in panoptic_counts(*sides).items()]
        except ValueError as error:
            raise BPRError(f"metric pq: image_id {image['image_id']!r}: {error}") from error
    groups = {"": lambda key: True, " things": lambda key: pair.things.get(key, True), " stuff": lambda key: not pair.things.get(key, True)}
    numbers: Numbers = {}
    for group, belongs in groups.items():
        numbers |= _qualities(group, [row for row in rows if belongs(row[1])], len(pair.truth.images))
    return numbers


def _qualities(group: str, rows: list[Any], image_count: int) -> Numbers:
    places, classes = np.array([row[0] for row in rows], int), {key: n for n, key in enumerate(dict.fromkeys(row[1] for row in rows))}
    of_class = np.array([classes[row[1]] for row in rows], int)
    sums = np.array([(counts.iou, counts.matched, counts.weight) for *_, counts in rows], float).reshape(-1, 3).T
    parts = {"PQ": (sums[0], sums[2]), "SQ": (sums[0], sums[1]), "RQ": (sums[1], sums[2])}
    return {f"{name}/panoptic{group}": Ratios(*part, places, image_count, of_class, sums[2]) for name, part in parts.items()}


@dataclass(frozen=True)
class Metric:
    """What it is measured on, how, and what it is."""

    subject: type
    measure: Callable[[Any], Numbers]
    about: str


METRICS = {
    "ap": Metric(Case, mask_precision, "COCO mask AP (pycocotools)"),
    "boundary-ap": Metric(Case, boundary_precision, "Boundary AP"),
    "matched": Metric(Case, matched, "IoU, Boundary IoU and F@2px of matched pairs"),
    "af-matched": Metric(Case, af_matched, "boundary F, mean over matched pairs"),
    "af-tp": Metric(Case, af_true_positives, "boundary F, mean over true positives"),
    "af-semantic": Metric(Case, af_semantic, "boundary F of classes merged per image"),
    "mba": Metric(Case, mba, "mean boundary accuracy of CascadePSP"),
    "trimap": Metric(Case, trimap, "IoU inside a band along the true boundary"),
    "lvis-ap": Metric(Case, lvis_ap, "LVIS AP (lvis package)"),
    "cityscapes-ap": Metric(CityscapesFolders, cityscapes_ap, "official Cityscapes AP (cityscapesscripts)"),
    "pq": Metric(PanopticPair, panoptic, "panoptic quality"),
}
DEFAULT = {
    Case: ("ap", "boundary-ap", "matched", "af-matched", "af-tp", "af-semantic"),
    CityscapesFolders: ("cityscapes-ap",),
    PanopticPair: ("pq",),
}
FAST = {"ap": Metric(Case, fast_mask_precision, ""), "boundary-ap": Metric(Case, fast_boundary_precision, "")}
"""By faster-coco-eval: the same names and numbers in less time, without intervals."""
