"""The results formats that the package reads and writes."""

from __future__ import annotations

from bpr.formats.cityscapes import CITYSCAPES, CITYSCAPES_TRUTH
from bpr.formats.coco import COCO, COCO_ANNOTATIONS
from bpr.formats.cvat import CVAT
from bpr.formats.format import Format
from bpr.formats.label_studio import LABEL_STUDIO
from bpr.formats.labelme import LABELME_FILES
from bpr.formats.labels import MASKS, SEMANTIC
from bpr.formats.panoptic import PANOPTIC
from bpr.formats.rasters import GEOJSON, RASTER
from bpr.formats.sam import SAM
from bpr.formats.yolo import YOLO, YOLO_EXPORT

_RESULTS = (COCO, COCO_ANNOTATIONS, PANOPTIC, CITYSCAPES, CITYSCAPES_TRUTH, SEMANTIC, MASKS, SAM, YOLO)
_OF_TOOLS = (YOLO_EXPORT, LABELME_FILES, CVAT, LABEL_STUDIO, RASTER, GEOJSON)
FORMATS: dict[str, Format] = {row.name: row for row in (*_RESULTS, *_OF_TOOLS)}
"""All formats by name. Their order is that of lists in help and in error messages, and has no other meaning."""
