"""Read files for the metrics: COCO results with annotations, Cityscapes folders, panoptic PNGs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bpr.evaluation.comparison import PROTOCOLS, Evaluation, Protocol, check_aligned
from bpr.evaluation.prepare import Detections, Document, check_some_fit, left_out, prepare_annotations, prepare_detections, unlisted
from bpr.formats.cityscapes import CityscapesFolder, read_truth
from bpr.formats.coco import check_annotations, read_results
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
            after, found = self._panoptic(results, self.panoptic)
            old, earlier = self._panoptic(before, self.panoptic) if before else (None, None)
            return after, old, {"results": found, "before": earlier} if earlier else {"results": found}
        refined = self._detections(results)
        if before is None:
            return self._offered(results, Evaluation(refined, self.document, self.protocol)), None, {"results": refined}
        coarse = self._detections(before)
        check_aligned(coarse, refined)
        old = Evaluation(coarse, self.document, self.protocol)
        new = Evaluation(refined, self.document, self.protocol, old)
        return self._offered(results, new), self._offered(before, old), {"results": refined, "before": coarse}

    def _offered(self, path: str | Path, evaluation: Evaluation) -> Subjects:
        subjects: dict[type, Any] = {Evaluation: evaluation}
        if self.is_folder:
            subjects[CityscapesFolders] = CityscapesFolders(Path(path), self.path)
        return subjects

    def _detections(self, path: str | Path) -> Detections:
        records = CityscapesFolder(Path(path)).records if self.is_folder else read_results(path)
        return prepare_detections(records, self.document, str(path))

    def _panoptic(self, path: str | Path, truth: PanopticFile) -> tuple[Subjects, Detections]:
        results = PanopticFile(read_json(path, "panoptic JSON"), Path(path))
        images = ImageList({"id": image["image_id"], "file_name": image["file_name"]} for image in truth.images)
        classes = set(self._things) or {record["category_id"] for record in truth.records}
        check_some_fit(results.records, images, classes, str(path))
        problems = unlisted(results.records, images, classes, "segments")
        return {PanopticPair: PanopticPair(results, truth, images, self._things)}, Detections(
            results.records, str(path), problems=problems
        )
