"""Which detection belongs to which annotated instance: three rules, all by mask IoU within one class of one image.

- :meth:`GroundTruth.matches` gives every detection the instance that it overlaps most. Training data and the oracle use
  it.
- :func:`match_pairs` gives every instance the detection that overlaps it most. The metrics of matched pairs use it.
- :func:`match_by_masks` and :func:`match_by_boundaries` match one to one, the highest score first. That is pycocotools'
  matching, and AP uses it.

Legend: D detections, ordered by score, and G instances of one class in one image.
"""

from __future__ import annotations

import contextlib
import copy
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from bpr.errors import BadMask, BPRError, shown
from bpr.evaluation.prepare import Document, counted, listed_classes
from bpr.formats.coco import INSTANCES, Record, positions_by_kind
from bpr.formats.format import str_last
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import checked_frame, decode_mask, encode_mask
from bpr.io.image_list import ImageList
from bpr.limits import is_id

PAIR_IOU = 0.5
"""A matched pair has at least this IoU."""
PAIR_SCORE = 0.05
"""A detection of a lower score is in no matched pair."""
LOWEST_AP_IOU = 0.5
"""The lowest of the ten IoU thresholds of COCO's AP: below it, no detection is a match."""

FEDERATED = {"neg_category_ids", "not_exhaustive_category_ids"}
"""Keys of LVIS' images that hold category ids."""

Item = TypeVar("Item")
ClassOfImage = tuple[Any, Any]
"""An image id and a category id."""
BoundaryIou = Callable[[Sequence[tuple[int, int]]], np.ndarray]
"""(N,) Boundary IoU of N pairs, each the index of a record and the index of an annotation."""


def grouped(items: Iterable[Item], key: Callable[[Item], Any]) -> dict[Any, list[Item]]:
    """The items by their key, in the order in which the keys come up.

    >>> grouped(["ant", "bee", "ape"], lambda word: word[0])
    {'a': ['ant', 'ape'], 'b': ['bee']}
    """
    groups: dict[Any, list[Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def class_of(item: Record) -> ClassOfImage:
    return item["image_id"], item["category_id"]


def mask_iou(first: Sequence[BoxMask], second: Sequence[BoxMask]) -> np.ndarray:
    """(len(first), len(second)) IoU, computed on run lengths."""
    return _rle_iou(*([encode_mask(mask) for mask in masks] for masks in (first, second)))


def _rle_iou(first: Sequence[Any], second: Sequence[Any]) -> np.ndarray:
    if not first or not second:
        return np.zeros((len(first), len(second)))
    return np.asarray(coco_mask.iou(list(first), list(second), [0] * len(second)))


class GroundTruth:
    """The instances of an annotation file by image and class, without crowds and annotations without a mask.

    Each mask is decoded when it is first used.

    Raises:
        BPRError: an annotation without an image or a class, or with an invalid ``iscrowd``.
    """

    def __init__(self, document: Document) -> None:
        self._images = ImageList(document["images"])
        annotations = document["annotations"]
        for index, annotation in enumerate(annotations):
            keys = ("image_id", "category_id")
            if not isinstance(annotation, dict) or not all(is_id(annotation.get(key)) for key in keys):
                expected = "expected an object with image_id and category_id"
                raise BPRError(f"annotation {index}: {expected}, got {shown(annotation)}")
        instances = [annotations[index] for index in positions_by_kind(annotations).get(INSTANCES, ())]
        self._annotations: dict[ClassOfImage, list[Record]] = grouped(instances, self._key)
        self._decoded: dict[ClassOfImage, list[BoxMask]] = {}

    def fresh(self) -> GroundTruth:
        """The same instances without decoded masks. Use one per image, and its masks are freed with it."""
        other = copy.copy(self)
        other._decoded = {}
        return other

    def _key(self, item: Record) -> ClassOfImage:
        """The image, under its listed id, and the class of a record or an annotation."""
        image = self._images.find(item["image_id"])
        return item["image_id"] if image is None else image["id"], item.get("category_id")

    def _masks(self, key: ClassOfImage, frame: tuple[int, int] | None) -> list[BoxMask]:
        """The masks of one class in one image of size ``frame``, in file order."""
        if key not in self._decoded:
            try:
                self._decoded[key] = [decode_mask(item.get("segmentation"), frame) for item in self._annotations.get(key, [])]
            except BadMask as error:
                raise BPRError(f"annotation of image {shown(key[0])}: {error}") from None
        return self._decoded[key]

    def matches(self, records: Sequence[Record]) -> list[tuple[BoxMask | None, float]]:
        """For every record, the annotated mask with the highest IoU and that IoU; (None, 0.0) without an overlap.

        Of several masks with the same IoU, the first in the file is taken.

        Raises:
            BPRError: an annotated mask that cannot be read.
        """
        return [(self._decoded[key][index], iou) if iou else (None, 0.0) for key, index, iou in self._best(records)]

    def matched_annotations(self, records: Sequence[Record]) -> list[tuple[Record | None, float]]:
        """Like :meth:`matches`, with the annotation instead of its mask."""
        return [(self._annotations[key][index], iou) if iou else (None, 0.0) for key, index, iou in self._best(records)]

    def _best(self, records: Sequence[Record]) -> list[tuple[ClassOfImage, int, float]]:
        """For every record its image and class, the index of the best instance of those, and the IoU, 0 without one."""
        valid = [is_id(record["image_id"]) and is_id(record.get("category_id")) for record in records]
        groups = grouped(np.flatnonzero(valid).tolist(), lambda index: self._key(records[index]))
        best = [((record["image_id"], record.get("category_id")), 0, 0.0) for record in records]
        for key, indices in groups.items():
            stated = (checked_frame(records[index]["segmentation"]) for index in indices)
            frame = self._images.frame(key[0]) or next(filter(None, stated), None)
            truths = self._masks(key, frame)
            if not truths:
                continue
            masks: dict[int, BoxMask] = {}
            for index in indices:
                with contextlib.suppress(BadMask):
                    masks[index] = decode_mask(records[index]["segmentation"], frame)
            for index, row in zip(masks, mask_iou(list(masks.values()), truths), strict=True):
                best[index] = key, int(row.argmax()), float(row.max())
        return best


@dataclass(frozen=True, eq=False)
class Pair:
    """An annotated instance and the record that detected it.

    Attributes:
        annotation: prepared by :func:`bpr.evaluation.prepare.prepare_annotations`; ``annotation_index`` is its place in
            the file.
        record: the index of the record.
    """

    image_id: Any
    annotation: Record
    annotation_index: int
    record: int

    @property
    def truth(self) -> BoxMask:
        """The annotated mask. It is decoded at every access, so that a list of thousands of pairs stays small."""
        return decode_mask(self.annotation["segmentation"])


def match_pairs(records: Sequence[Record], document: Document) -> list[Pair]:
    """For every instance that is not a crowd: its best detection of the same class, if there is one.

    The best detection has the highest mask IoU (at least PAIR_IOU) among the records of score PAIR_SCORE or more. On a
    tie, the higher score wins, then the earlier record.

    Args:
        records: prepared detections.
        document: prepared annotations.
    """
    likely = [(index, record) for index, record in enumerate(records) if record["score"] >= PAIR_SCORE]
    instances = [(index, annotation) for index, annotation in enumerate(document["annotations"]) if not annotation["iscrowd"]]
    detections = grouped(likely, lambda item: class_of(item[1]))
    pairs = []
    for key, truths in grouped(instances, lambda item: class_of(item[1])).items():
        # argmax returns the first of equal values, so the order of the rows decides ties.
        detected = sorted(detections.get(key, []), key=lambda item: -item[1]["score"])
        if not detected:
            continue
        iou = _rle_iou(*([item["segmentation"] for _, item in side] for side in (detected, truths)))
        for column, (index, annotation) in enumerate(truths):
            best = int(iou[:, column].argmax())
            if iou[best, column] >= PAIR_IOU:
                pairs.append(Pair(key[0], annotation, index, detected[best][0]))
    return pairs


def match_by_masks(records: Sequence[Record], document: Document) -> COCOeval:
    """pycocotools' matching of prepared detections and annotations by mask IoU, not yet accumulated."""
    return silently(COCOeval(*coco_index(records, document), "segm"), "evaluate")


def match_by_boundaries(masks: COCOeval, boundary_iou: BoundaryIou) -> COCOeval:
    """pycocotools' matching by the smaller of mask IoU and Boundary IoU (Boundary IoU, CVPR 2021), not yet accumulated.

    A crowd is matched by mask IoU only. The Boundary IoU is computed only where the mask IoU allows a match; classes
    and images without such a pair keep their matching.

    Args:
        masks: from :func:`match_by_masks`.
    """
    boundaries, params = copy.copy(masks), masks.params
    boundaries.ious, boundaries.evalImgs = dict(masks.ious), list(masks.evalImgs)
    image_count, area_count, most = len(params.imgIds), len(params.areaRng), params.maxDets[-1]
    for k, category_id in enumerate(params.catIds):
        for i, image_id in enumerate(params.imgIds):
            ious = masks.ious[image_id, category_id]
            if not len(ious) or not (ious >= LOWEST_AP_IOU).any():
                continue
            truths, detections = ([item for item in side.imgToAnns[image_id] if item["category_id"] == category_id]
                                  for side in (masks.cocoGt, masks.cocoDt))  # fmt: skip
            detections = sorted(detections, key=lambda item: -item["score"])  # the order of the rows of ious
            rows, columns = np.nonzero((ious >= LOWEST_AP_IOU) & ~np.array([item["iscrowd"] for item in truths], bool))
            if not len(rows):
                continue
            pairs = [(detections[d]["id"] - 1, truths[g]["id"] - 1) for d, g in zip(rows, columns, strict=True)]
            lowered = ious.copy()
            lowered[rows, columns] = np.minimum(ious[rows, columns], boundary_iou(pairs))
            boundaries.ious[image_id, category_id] = lowered
            for a, area in enumerate(params.areaRng):
                index = (k * area_count + a) * image_count + i
                boundaries.evalImgs[index] = boundaries.evaluateImg(image_id, category_id, area, most)
    return boundaries


def by_class(evaluation: COCOeval, area: int = 0) -> Iterator[list[tuple[int, Any]]]:
    """For every class in order: the index and pycocotools' matching of each image that has something of it.

    Args:
        area: an index into pycocotools' ``areaRng``; 0 stands for all sizes.
    """
    images, areas = len(evaluation.params.imgIds), len(evaluation.params.areaRng)
    for class_index in range(len(evaluation.params.catIds)):
        start = (class_index * areas + area) * images
        matchings = enumerate(evaluation.evalImgs[start : start + images])
        yield [(image, matching) for image, matching in matchings if matching is not None]


def in_order(ids: Iterable[Any]) -> list[Any]:
    """Ids without repetition, numbers before texts; where all have one type, the order is that of pycocotools."""
    return sorted(dict.fromkeys(ids), key=str_last)


def numbered(records: Sequence[Record], document: Document) -> tuple[Document, list[Record]]:
    """Annotations and detections whose images, classes and items are numbered from 1.

    pycocotools, faster-coco-eval and lvis sort ids, compute with them, and take 0 for "none"; ids of users are texts
    or numbers of any size.

    Returns:
        The document, in which an annotation's id is its place in the list, and the detections of listed images and
        classes; their id is the place among all records.
    """
    images = {key: number for number, key in enumerate(in_order(image["id"] for image in document["images"]), 1)}
    numbers = {key: number for number, key in enumerate(in_order(listed_classes(document)), 1)}

    def renamed(item: Record, number: int) -> Record:
        return {**item, "id": number, "image_id": images[item["image_id"]], "category_id": numbers[item["category_id"]]}

    def of_image(image: Record) -> Record:
        keys = FEDERATED & image.keys()
        lists: Record = {key: [numbers[item] for item in image[key] if item in numbers] for key in keys}
        return {**image, "id": images[image["id"]], **lists}

    named = {category["id"]: category for category in document.get("categories") or ()}
    content = {
        "images": [of_image(image) for image in document["images"]],
        "categories": [{**named.get(key, {}), "id": number} for key, number in numbers.items()],
        "annotations": [renamed(item, number) for number, item in enumerate(document["annotations"], 1)],
    }
    found = [renamed(records[index], index + 1) for index in counted(records, document)]
    return {**document, **content}, found


def coco_index(records: Sequence[Record], document: Document, index: Any = COCO) -> tuple[Any, Any]:
    """Annotations and detections as ``index`` objects: pycocotools' COCO or a class like it."""
    listed, found = numbered(records, document)
    indices = []
    for items in (listed["annotations"], [{**item, "iscrowd": 0} for item in found]):
        filled = index()
        filled.dataset = {**listed, "annotations": items}
        indices.append(silently(filled, "createIndex"))
    return indices[0], indices[1]


def silently(worker: Any, *methods: str) -> Any:
    """Call ``methods`` of ``worker`` one after the other, discard their output, and return ``worker``."""
    with contextlib.redirect_stdout(io.StringIO()):
        for name in methods:
            getattr(worker, name)()
    return worker
