"""Files as what the metrics are measured on: COCO results beside annotations, Cityscapes folders, panoptic PNGs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bpr.evaluation.case import PROTOCOLS, Case, Protocol
from bpr.evaluation.inputs import Detections, Document, check_annotations, check_detections, unlisted
from bpr.evaluation.matched_pairs import check_aligned
from bpr.evaluation.metrics import CityscapesFolders, PanopticPair
from bpr.evaluation.summary import Side
from bpr.formats.cityscapes import CityscapesFolder, read_truth
from bpr.formats.coco import check_annotations as check_coco
from bpr.formats.coco import read_results
from bpr.formats.panoptic import PanopticFile, is_panoptic
from bpr.io.files import read_json


class Truth:
    """The ground truth of an evaluation, read once for all files that are measured against it.

    ``ann`` is a COCO or LVIS annotation file, a folder of Cityscapes' ``*_gtFine_instanceIds.png``, or COCO panoptic JSON.

    Args:
        protocol: of PROTOCOLS; by default Cityscapes' for a folder, LVIS' where categories have a frequency, COCO's else.
    """

    def __init__(self, ann: str | Path, protocol: str | None = None) -> None:
        self.path = Path(ann)
        self.folder = self.path.is_dir()
        what = "ground truth: COCO annotations, panoptic JSON, or a gtFine folder"
        content = read_truth(self.path) if self.folder else read_json(ann, what)
        self.panoptic = PanopticFile(content, self.path) if is_panoptic(content) else None
        self._categories = content.get("categories", []) if isinstance(content, dict) else []
        self.document: Document = {} if self.panoptic else check_annotations(check_coco(content, ann), str(ann))
        self.problems = [] if self.panoptic else unlisted(content["annotations"], self.document, "annotations")
        self.protocol: Protocol = PROTOCOLS[protocol or self._usual()]

    def _usual(self) -> str:
        if self.folder:
            return "cityscapes"
        return "lvis" if any("frequency" in category for category in self._categories) else "coco"

    def sides(self, results: str | Path, before: str | Path | None) -> tuple[Side, Side | None, dict[str, Detections]]:
        """What ``results``, and the file or folder before it, can be measured on; and the detections of each, where there are some.

        Raises:
            BPRError: files that do not fit the truth or each other.
        """
        if self.panoptic:
            return self._panoptic_side(results, self.panoptic), self._panoptic_side(before, self.panoptic) if before else None, {}
        after, coarse = self._detections(results), self._detections(before) if before else None
        if coarse is None:
            return self._side(results, Case(after, self.document, self.protocol)), None, {"results": after}
        check_aligned(coarse, after)
        case = Case(coarse, self.document, self.protocol)
        refined = Case(after, self.document, self.protocol, case)
        return self._side(results, refined), self._side(before, case), {"results": after, "before": coarse}

    def _side(self, path: Any, case: Case) -> Side:
        return {Case: case, CityscapesFolders: CityscapesFolders(Path(path), self.path)} if self.folder else {Case: case}

    def _detections(self, path: str | Path) -> Detections:
        records = CityscapesFolder(Path(path)).records if self.folder else read_results(path)
        return check_detections(records, self.document, str(path))

    def _panoptic_side(self, path: str | Path, truth: PanopticFile) -> Side:
        results = PanopticFile(read_json(path, "panoptic JSON"), Path(path))
        things = {category["id"]: bool(category.get("isthing", 1)) for category in self._categories}
        return {PanopticPair: PanopticPair(results, truth, things)}
