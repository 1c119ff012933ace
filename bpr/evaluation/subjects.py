"""Read files for the metrics: COCO results with annotations, Cityscapes folders, panoptic PNGs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bpr.evaluation.comparison import PROTOCOLS, Evaluation, Protocol, check_aligned
from bpr.evaluation.prepare import (
    Detections,
    Document,
    check_some_fit,
    left_out,
    prepare_annotations,
    prepare_detections,
    unlisted,
)
from bpr.formats.cityscapes import read_truth
from bpr.formats.coco import AnnotationFile, certain, check_annotations, read_results
from bpr.formats.format import Candidate
from bpr.formats.panoptic import PanopticFile, is_panoptic
from bpr.io.files import read_json
from bpr.io.image_list import ImageList


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
    """

    results: PanopticFile
    truth: PanopticFile
    images: ImageList
    things: dict[Any, bool]


Subjects = Mapping[type, Any]
"""The objects that metrics can measure, by type: an Evaluation, CityscapesFolders or a PanopticPair."""


class Truth:
    """The ground truth of an evaluation, read once for all results files.

    Args:
        path: a COCO or LVIS annotation file, a folder of Cityscapes' ``*_gtFine_instanceIds.png``, or COCO panoptic
            JSON.
        protocol: a name of PROTOCOLS. By default Cityscapes' for a folder, LVIS' if the categories have a frequency,
            else COCO's.
    """

    def __init__(self, path: str | Path, protocol: str | None = None) -> None:
        self.path = Path(path)
        self.is_folder = self.path.is_dir()
        expected = "ground truth: COCO annotations, panoptic JSON, or a gtFine folder"
        content = read_truth(self.path) if self.is_folder else read_json(path, expected)
        categories = content.get("categories", []) if isinstance(content, dict) else []
        self.panoptic = PanopticFile(content, self.path) if is_panoptic(content) else None
        self.document: Document = {}
        self.problems: list[str] = []
        if self.panoptic:
            self._things = {category["id"]: bool(category.get("isthing", 1)) for category in categories}
        else:
            self.document = prepare_annotations(check_annotations(content, path), str(path))
            self.problems = left_out(content)
        if protocol is None:
            has_frequency = any("frequency" in category for category in categories)
            protocol = "cityscapes" if self.is_folder else "lvis" if has_frequency else "coco"
        self.protocol: Protocol = PROTOCOLS[protocol]

    def subjects(
        self, results: str | Path, before: str | Path | None
    ) -> tuple[Subjects, Subjects | None, dict[str, Detections]]:
        """The subjects of ``results`` and of ``before``, and the detections of both by role.

        Raises:
            BPRError: the files do not fit the ground truth or each other.
        """
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
        check_aligned(coarse, refined)
        old = Evaluation(coarse, self.document, self.protocol)
        new = Evaluation(refined, self.document, self.protocol, old)
        return self._offered(results, new), self._offered(before, old), {"results": refined, "before": coarse}

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
        if Path(path).is_dir():
            return prepare_detections(read_results(path), self.document, str(path))
        candidate = Candidate(Path(path))
        if candidate.is_json_list:
            return prepare_detections(read_results(path), self.document, str(path))
        source = AnnotationFile(candidate.document, candidate.path)
        detections = prepare_detections(map(certain, source.records), self.document, str(path))
        return replace(detections, problems=[*source.left_out_lines, *detections.problems])


    def _panoptic(self, path: str | Path, truth: PanopticFile) -> tuple[Subjects, Detections]:
        results = PanopticFile(read_json(path, "panoptic JSON"), Path(path))
        images = ImageList({"id": image["image_id"], "file_name": image["file_name"]} for image in truth.images)
        classes = set(self._things) or {record["category_id"] for record in truth.records}
        check_some_fit(results.records, images, classes, str(path))
        problems = unlisted(results.records, images, classes, "segments")
        return {PanopticPair: PanopticPair(results, truth, images, self._things)}, Detections(
            results.records, str(path), problems=problems
        )
