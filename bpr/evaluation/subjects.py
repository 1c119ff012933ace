"""Read files for the metrics: COCO results with annotations, Cityscapes folders, panoptic PNGs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bpr.errors import BPRError
from bpr.evaluation.bands import mean_boundary_accuracy
from bpr.evaluation.boundary_metrics import Overlap, overlap
from bpr.evaluation.comparison import PROTOCOLS, Evaluation, Protocol, compare
from bpr.evaluation.prepare import (
    Detections,
    Document,
    check_some_fit,
    left_out,
    prepare_annotations,
    prepare_detections,
    unlisted,
)
from bpr.formats.cityscapes import CityscapesTruth, truth_pngs
from bpr.formats.coco import AnnotationFile, certain, check_annotations, read_results
from bpr.formats.format import Candidate
from bpr.formats.labels import pictures
from bpr.formats.panoptic import PanopticFile, is_panoptic
from bpr.io.files import read_json
from bpr.io.image_list import ImageList
from bpr.io.mask_picture import read_alpha


@dataclass(frozen=True)
class CityscapesFolders:
    """Predictions and ground truth for the official scripts."""

    predictions: Path
    truth: Path


@dataclass(frozen=True, eq=False)
class PanopticPair:
    """Panoptic results and ground truth.

    Attributes:
        images: the images of the ground truth.
        things: whether a class is countable, by the ids of the categories; empty without a list of them.
        protocol: the rules of the data set.
    """

    results: PanopticFile
    truth: PanopticFile
    images: ImageList
    things: dict[Any, bool]
    protocol: Protocol


class PictureFit(NamedTuple):
    """How well a picture of one mask fits its ground truth.

    Attributes:
        above_half: how the pixels above half of both pictures overlap.
        boundary_accuracy: mBA of the pixels above half.
        sad: sum of the absolute differences of alpha, over all pixels.
        mse: mean of the squared differences of alpha, over all pixels.
    """

    above_half: Overlap
    boundary_accuracy: float
    sad: float
    mse: float


@dataclass(frozen=True, eq=False)
class MaskPictures:
    """Two folders of pictures, hard or soft masks of one object each, by the names of their files without ending.

    Attributes:
        results, truth: the files of one object each.
    """

    results: Mapping[str, Path]
    truth: Mapping[str, Path]

    @cached_property
    def fits(self) -> list[PictureFit]:
        """One for each picture of the ground truth.

        Raises:
            BPRError: a picture cannot be read, or differs in size from that of the ground truth.
        """
        return [self._fit(self.results[name], path) for name, path in self.truth.items()]

    def _fit(self, result: Path, truth: Path) -> PictureFit:
        alpha, true = read_alpha(result), read_alpha(truth)
        if alpha.shape != true.shape:
            sizes = " and ".join(f"{height}x{width}" for height, width in (true.shape, alpha.shape))
            raise BPRError(f"{result}: expected the size of {truth}, got {sizes} (height x width)")
        masks, difference = (alpha > 0.5, true > 0.5), np.abs(alpha.astype(np.float64) - true)
        accuracy = mean_boundary_accuracy(*masks)
        return PictureFit(overlap(*masks), accuracy, float(difference.sum()), float((difference**2).mean()))


Subjects = Mapping[type, Any]
"""The objects that metrics can measure, by type: an Evaluation, CityscapesFolders, a PanopticPair or MaskPictures."""


class Truth:
    """The ground truth of an evaluation, read once for all results files.

    Args:
        path: a COCO or LVIS annotation file, a folder of Cityscapes' ``*_gtFine_instanceIds.png``, COCO panoptic JSON,
            or a folder of pictures with one mask each.
        protocol: a name of PROTOCOLS. By default Cityscapes' for a folder, LVIS' if the categories have a frequency,
            else COCO's.
    """

    def __init__(self, path: str | Path, protocol: str | None = None) -> None:
        self.path = Path(path)
        self.is_folder = self.path.is_dir()
        self.pictures = _by_name(self.path) if self.is_folder and not truth_pngs(self.path) else {}
        expected = "ground truth: COCO annotations, panoptic JSON, or a gtFine folder"
        content: Any = {}
        if not self.pictures:
            content = CityscapesTruth(self.path).document if self.is_folder else read_json(path, expected)
        categories = content.get("categories", []) if isinstance(content, dict) else []
        self.panoptic = PanopticFile(content, self.path) if is_panoptic(content) else None
        self.document: Document = {}
        self.problems: list[str] = []
        if self.panoptic:
            self._things = {category["id"]: bool(category.get("isthing", 1)) for category in categories}
        elif not self.pictures:
            self.document = prepare_annotations(check_annotations(content, path), str(path))
            self.problems = left_out(content)
        if protocol is None:
            has_frequency = any("frequency" in category for category in categories)
            protocol = "cityscapes" if self.is_folder and not self.pictures else "lvis" if has_frequency else "coco"
        self.protocol: Protocol = PROTOCOLS[protocol]

    def subjects(
        self, results: str | Path, before: str | Path | None
    ) -> tuple[Subjects, Subjects | None, dict[str, Detections]]:
        """The subjects of ``results`` and of ``before``, and the detections of both by role.

        Raises:
            BPRError: the files do not fit the ground truth or each other.
        """
        if self.pictures:
            return self._pictures(results), self._pictures(before) if before is not None else None, {}
        if self.panoptic:
            subjects, found = self._panoptic(results, self.panoptic)
            if before is None:
                return subjects, None, {"results": found}
            earlier_subjects, earlier = self._panoptic(before, self.panoptic)
            return subjects, earlier_subjects, {"results": found, "before": earlier}
        refined = self.detections(results)
        if before is None:
            return self._offered(results, Evaluation(refined, self.document, self.protocol)), None, {"results": refined}
        coarse = self.detections(before)
        both = compare(coarse, refined, self.document, self.protocol)
        of_both = self._offered(results, both.refined), self._offered(before, both.coarse)
        return *of_both, {"results": refined, "before": coarse}

    def _offered(self, path: str | Path, evaluation: Evaluation) -> Subjects:
        subjects: dict[type, Any] = {Evaluation: evaluation}
        if self.is_folder and Path(path).is_dir():
            subjects[CityscapesFolders] = CityscapesFolders(Path(path), self.path)
        return subjects

    def detections(self, path: str | Path) -> Detections:
        """The detections of a results file or a Cityscapes folder; the ground truth must not be panoptic.

        Raises:
            BPRError: they do not fit the ground truth.
        """
        candidate = Candidate(Path(path))
        if candidate.path.is_dir() or candidate.is_json_list:
            return prepare_detections(read_results(path), self.document, str(path))
        source = AnnotationFile(candidate.document, candidate.path)
        detections = prepare_detections(map(certain, source.records), self.document, str(path))
        return replace(detections, problems=[*source.left_out_lines, *detections.problems])

    def _pictures(self, path: str | Path) -> Subjects:
        found = _by_name(Path(path))
        if missing := next((name for name in self.pictures if name not in found), None):
            raise BPRError(f"{path}: expected a picture for every one in {self.path}, got none for {missing!r}")
        return {MaskPictures: MaskPictures(found, self.pictures)}

    def _panoptic(self, path: str | Path, truth: PanopticFile) -> tuple[Subjects, Detections]:
        results = PanopticFile(read_json(path, "panoptic JSON"), Path(path))
        images = ImageList({"id": image["image_id"], "file_name": image["file_name"]} for image in truth.images)
        classes = set(self._things) or {record["category_id"] for record in truth.records}
        check_some_fit(results.records, images, classes, str(path))
        problems = unlisted(results.records, images, classes, "segments")
        return {PanopticPair: PanopticPair(results, truth, images, self._things, self.protocol)}, Detections(
            results.records, str(path), problems=problems
        )


def _by_name(folder: Path) -> dict[str, Path]:
    """The pictures in a folder and below, by their path in it without ending."""
    return {path.relative_to(folder).with_suffix("").as_posix(): path for path in pictures(folder)}
