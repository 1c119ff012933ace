"""The results formats that the package reads and writes."""

from __future__ import annotations

from bpr.formats.cityscapes import CITYSCAPES, CITYSCAPES_TRUTH
from bpr.formats.coco import COCO, COCO_ANNOTATIONS
from bpr.formats.format import Format
from bpr.formats.labels import MASKS, SEMANTIC
from bpr.formats.panoptic import PANOPTIC
from bpr.formats.sam import SAM
from bpr.formats.yolo import YOLO

_ROWS = (COCO, COCO_ANNOTATIONS, PANOPTIC, CITYSCAPES, CITYSCAPES_TRUTH, SEMANTIC, MASKS, SAM, YOLO)
FORMATS: dict[str, Format] = {row.name: row for row in _ROWS}
"""All formats by name. Their order is that of lists in help and in error messages, and has no other meaning."""
