"""The comparison of coarse masks, refined masks and ground truth.

``bpr eval``, its CSV, the report and the analyses all read it.

Legend: N matched pairs, in the order of :func:`bpr.evaluation.matching.match_pairs`.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from pycocotools.cocoeval import COCOeval

from bpr.errors import BPRError, amount
from bpr.evaluation.average_precision import AveragePrecision, average_precisions, class_curves
from bpr.evaluation.bootstrap import Ratios, interval
from bpr.evaluation.matching import Pair, by_class, in_order, match_by_boundaries, match_by_masks, match_pairs
from bpr.evaluation.pair_metrics import PAIR_METRICS, SURFACE_METRICS, MaskPair, MaskPairs, PairMetric
from bpr.evaluation.prepare import Detections, Document, listed_classes
from bpr.formats.coco import Record
from bpr.geometry.masks import BoxMask
from bpr.io.files import atomic_open
from bpr.io.record_file import called
from bpr.limits import category_name

UNCHANGED = 0.001
"""A pair whose mask IoU changed by at most this much counts as unchanged."""
CLEARLY = 0.01
"""A pair whose mask IoU fell by more than this counts as clearly harmed."""

Size = Literal["small", "medium", "large"]
SMALL, MEDIUM = 32**2, 96**2
"""COCO's limits of small and medium instances, in pixels of area."""


@dataclass(frozen=True)
class Protocol:
    """The rules that the numbers follow.

    Attributes:
        label: names COCO's numbers.
        ratio: width of the band of Boundary IoU as a share of the diagonal.
    """

    label: str
    ratio: float


PROTOCOLS = {
    "coco": Protocol("COCO", 0.02),
    "lvis": Protocol("COCO-style on LVIS", 0.02),
    "cityscapes": Protocol("COCO-style on Cityscapes", 0.005),
}


class Evaluation:
    """The detections of one results file, compared with the ground truth.

    Values that several metrics need are computed once, on first access.

    Args:
        detections: from :func:`bpr.evaluation.prepare.prepare_detections`.
        document: from :func:`bpr.evaluation.prepare.prepare_annotations`.
        coarse: the evaluation of the masks before refinement, whose matched pairs this one uses. By default, the pairs
            are found on these detections.
    """

    def __init__(
        self,
        detections: Detections,
        document: Document,
        protocol: Protocol = PROTOCOLS["coco"],
        coarse: Evaluation | None = None,
    ) -> None:
        self.detections, self.records = detections, detections.records
        self.document, self.protocol = document, protocol
        self._coarse = coarse
        self._mask_pairs = MaskPairs(self.records, document["annotations"], protocol.ratio)
        self._columns: dict[PairMetric, np.ndarray] = {}
        ids = in_order(image["id"] for image in document["images"])
        self.image_count = len(ids)
        self._image_index = {image_id: index for index, image_id in enumerate(ids)}

    def image_indices(self, image_ids: Sequence[Any]) -> np.ndarray:
        """(N,) int: the index of every image among the sorted ids."""
        return np.array([self._image_index[image_id] for image_id in image_ids], int)

    @cached_property
    def mask_matching(self) -> COCOeval:
        """pycocotools' matching by mask IoU."""
        return match_by_masks(self.records, self.document)

    @cached_property
    def boundary_matching(self) -> COCOeval:
        """pycocotools' matching by the smaller of mask IoU and Boundary IoU."""
        return match_by_boundaries(self.mask_matching, self.boundary_iou)

    def boundary_iou(self, keys: Sequence[tuple[int, int]]) -> np.ndarray:
        """(len(keys),) Boundary IoU of pairs, each the index of a record and the index of an annotation."""
        return np.array([self._mask_pairs.pair(*key).boundary_iou for key in keys])

    @cached_property
    def average_precisions(self) -> dict[str, AveragePrecision]:
        """COCO's mask AP by name."""
        return average_precisions(self.mask_matching)

    @property
    def class_average_precisions(self) -> dict[Any, float]:
        """COCO's mask AP by class id, for annotated classes."""
        classes = in_order(listed_classes(self.document))
        curves = class_curves(self.mask_matching)
        return {classes[number - 1]: AveragePrecision([curve], self.image_count).value for number, curve in curves}

    @cached_property
    def pairs(self) -> list[Pair]:
        """The matched pairs, found on the coarse masks."""
        return self._coarse.pairs if self._coarse else match_pairs(self.records, self.document)

    @cached_property
    def pair_images(self) -> np.ndarray:
        """(N,) int: the index of every pair's image."""
        return self.image_indices([pair.image_id for pair in self.pairs])

    @cached_property
    def mask_pairs(self) -> list[MaskPair]:
        """This file's masks at the matched pairs, each with its ground truth."""
        return self._masks_at(self.pairs)

    def _masks_at(self, pairs: Sequence[Pair]) -> list[MaskPair]:
        return [self._mask_pairs.pair(pair.record, pair.annotation_index) for pair in pairs]

    def column(self, metric: PairMetric) -> np.ndarray:
        """(N,) a metric of the matched pairs."""
        if metric not in self._columns:
            self._columns[metric] = np.array([metric.measure(pair) for pair in self.mask_pairs], float)
        return self._columns[metric]

    def scores(self, pairs: Sequence[Pair]) -> np.ndarray:
        """(len(pairs), metrics) the metrics of PAIR_METRICS at some of the matched pairs."""
        rows = [[metric.measure(pair) for metric in PAIR_METRICS] for pair in self._masks_at(pairs)]
        return np.array(rows, float).reshape(len(pairs), len(PAIR_METRICS))

    def true_positives(self) -> tuple[list[MaskPair], np.ndarray, np.ndarray]:
        """The N true positives of all classes, by pycocotools' matching by mask IoU at its ten thresholds.

        Returns:
            The pairs, (N,) the group of each pair's class and threshold, and (N,) the index of its image.
        """
        pairs, groups, images = [], [], []
        for class_index, matchings in enumerate(by_class(self.mask_matching)):
            for image, matching in matchings:
                thresholds, columns = np.nonzero((matching["dtMatches"] > 0) & ~np.asarray(matching["dtIgnore"], bool))
                for threshold, column in zip(thresholds, columns, strict=True):
                    annotation_id = int(matching["dtMatches"][threshold, column])
                    pairs.append(self._mask_pairs.pair(matching["dtIds"][column] - 1, annotation_id - 1))
                groups += (class_index * len(self.mask_matching.params.iouThrs) + thresholds).tolist()
                images += [image] * len(thresholds)
        return pairs, np.array(groups, int), np.array(images, int)


@dataclass(frozen=True)
class Change:
    """The mean change of a metric over the pairs and its 95 % bootstrap interval over the images."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Shares:
    """Shares of the pairs by the change of their mask IoU.

    Attributes:
        unchanged: it changed by at most UNCHANGED.
        harmed_clearly: the part of ``harmed`` whose IoU fell by more than CLEARLY.
    """

    improved: float
    unchanged: float
    harmed: float
    harmed_clearly: float


def shares(change: np.ndarray) -> Shares:
    """The shares of (N,) changes of the mask IoU.

    >>> shares(np.array([0.2, 0.001, -0.001, -0.005, -0.02]))
    Shares(improved=0.2, unchanged=0.4, harmed=0.4, harmed_clearly=0.2)
    """
    improved, harmed = change > UNCHANGED, change < -UNCHANGED
    parts = improved, ~improved & ~harmed, harmed, change < -CLEARLY
    return Shares(*(float(part.mean()) for part in parts))


@dataclass(frozen=True)
class PairRow:
    """An annotated instance, the record that detected it, and how well that fits before and after refinement.

    Attributes:
        record: index in both results files.
        annotation_id: None if the annotation has no id.
        category: the name of the class, or its id as text if it has no name.
        score: of the coarse record.
        area: of the annotated mask, in pixels, as the file states it; ``size`` is COCO's name for its range.
        before, after: the metrics of PAIR_METRICS by name.
    """

    image_id: Any
    record: int
    annotation_id: Any
    category_id: Any
    category: str
    score: float
    area: float
    size: Size
    before: Mapping[str, float]
    after: Mapping[str, float]

    @property
    def gain(self) -> float:
        """The change of the mask IoU."""
        return self.after["iou"] - self.before["iou"]

    def to_dict(self) -> dict[str, Any]:
        """Plain values; the metrics follow as ``iou_before``, ``iou_after`` and so on."""
        values = asdict(self)
        before, after = values.pop("before"), values.pop("after")
        for name in before:
            values |= {f"{name}_before": before[name], f"{name}_after": after[name]}
        return values


class PairMasks(NamedTuple):
    """The three masks of a matched pair."""

    coarse: BoxMask
    refined: BoxMask
    truth: BoxMask


class Comparison:
    """Coarse and refined masks of the same detections at the matched pairs, which are found on the coarse masks.

    Args:
        coarse: the masks before refinement.
        refined: made with ``coarse``, so that it has the same pairs.
    """

    def __init__(self, coarse: Evaluation, refined: Evaluation) -> None:
        self.coarse, self.refined = coarse, refined

    @property
    def pairs(self) -> list[Pair]:
        return self.coarse.pairs

    def change(self, metric: PairMetric) -> np.ndarray:
        """(N,) refined - coarse."""
        return self.refined.column(metric) - self.coarse.column(metric)

    @property
    def gain(self) -> np.ndarray:
        """(N,) change of the mask IoU."""
        return self.change(PAIR_METRICS[0])

    @property
    def shares(self) -> Shares | None:
        """None without a pair."""
        return shares(self.gain) if self.pairs else None

    @cached_property
    def changes(self) -> dict[str, Change]:
        """The mean change of every metric of PAIR_METRICS by name; there must be a pair."""
        return {metric.name: self.mean_change(metric) for metric in PAIR_METRICS}

    def mean_change(self, metric: PairMetric) -> Change:
        """The mean change of a metric; there must be a pair."""
        columns = (side.column(metric) for side in (self.coarse, self.refined))
        old, new = (Ratios.mean(column, self.coarse.pair_images, self.coarse.image_count) for column in columns)
        return Change(new.value - old.value, *interval(old, new))

    def masks(self, index: int) -> PairMasks:
        """The masks of a pair."""
        coarse, refined = self.coarse.mask_pairs[index], self.refined.mask_pairs[index]
        return PairMasks(coarse.mask, refined.mask, coarse.truth)

    @cached_property
    def rows(self) -> list[PairRow]:
        """The pairs one by one."""
        names = category_names(self.coarse.document.get("categories"))
        sides = [{m.name: side.column(m).tolist() for m in PAIR_METRICS} for side in (self.coarse, self.refined)]
        rows = []
        for index, pair in enumerate(self.pairs):
            category_id, area = pair.annotation["category_id"], float(pair.annotation["area"])
            rows.append(
                PairRow(
                    image_id=pair.image_id,
                    record=pair.record,
                    annotation_id=pair.annotation.get("id"),
                    category_id=category_id,
                    category=names.get(category_id, str(category_id)),
                    score=float(self.coarse.records[pair.record]["score"]),
                    area=area,
                    size=size_of(area),
                    before={name: column[index] for name, column in sides[0].items()},
                    after={name: column[index] for name, column in sides[1].items()},
                )
            )
        return rows

    def write_csv(self, path: str | Path) -> None:
        """Write one line per pair, under the names of :meth:`PairRow.to_dict`, with SURFACE_METRICS as further columns."""
        names = [field.name for field in fields(PairRow) if field.name not in ("before", "after")]
        names += [f"{metric.name}_{side}" for metric in PAIR_METRICS for side in ("before", "after")]
        sides = {"before": self.coarse, "after": self.refined}
        more = {f"{metric.name}_{name}": side.column(metric) for metric in SURFACE_METRICS for name, side in sides.items()}
        with atomic_open(path) as file:
            writer = csv.DictWriter(file, [*names, *more], lineterminator="\n")
            writer.writeheader()
            for index, row in enumerate(self.rows):
                writer.writerow(row.to_dict() | {name: column[index] for name, column in more.items()})


def compare(
    coarse: Detections, refined: Detections, document: Document, protocol: Protocol = PROTOCOLS["coco"]
) -> Comparison:
    """Compare two results files of the same detections.

    Args:
        coarse: the prepared detections before refining.
        refined: those after it.
        document: prepared annotations.

    Raises:
        BPRError: the files do not hold the same detections.
    """
    check_aligned(coarse, refined)
    before = Evaluation(coarse, document, protocol)
    return Comparison(before, Evaluation(refined, document, protocol, before))


def check_aligned(before: Detections, after: Detections) -> None:
    """Raise a BPRError unless record i of both is the same detection (image and class)."""
    remedy = "pass the file that was refined and the one that came out of it"
    if len(before.records) != len(after.records):
        expected = f"expected the {amount(len(before.records), 'record')} of {before.name}"
        raise BPRError(f"{after.name}: {expected}, got {len(after.records)}; {remedy}")
    for index, (old, new) in enumerate(zip(before.records, after.records, strict=True)):
        for key in ("image_id", "category_id"):
            wanted, got = old.get(key), new.get(key)
            if wanted != got:
                raise BPRError(
                    f"{after.name}: {called(old, index)}: expected {key} {wanted!r} of {before.name}, got {got!r}; {remedy}"
                )


def category_names(categories: Iterable[Record] | None) -> dict[Any, str]:
    """Names of the classes by id; the id tells classes of one name.

    >>> category_names([{"id": 1, "name": "pothole"}, {"id": 2, "name": "pothole"}, {"id": 3}])
    {1: 'pothole (1)', 2: 'pothole (2)', 3: '3'}
    """
    names = {category["id"]: category_name(category) for category in categories or ()}
    while (counts := Counter(names.values())) and max(counts.values()) > 1:  # a name that is made may be listed too
        names = {key: f"{name} ({key!r})" if counts[name] > 1 else name for key, name in names.items()}
    return names


def size_of(area: float) -> Size:
    """COCO's name for the size of an instance of ``area`` pixels.

    >>> size_of(1023), size_of(1024), size_of(9216)
    ('small', 'medium', 'large')
    """
    return "small" if area < SMALL else "medium" if area < MEDIUM else "large"
