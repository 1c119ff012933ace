"""Convert the masks that a user passes to instances, and refined masks back to the same type.

Results of other libraries are recognised by their fields, and none of these libraries is imported. A new kind of masks
is one more :class:`Adapter` in ``ADAPTERS``. At most one adapter accepts a value, so their order does not matter.
"""

from __future__ import annotations

from typing import Any

from bpr.errors import BadInput
from bpr.refinement.mask_types.adapter import Adapter
from bpr.refinement.mask_types.arrays import LABELS as LABEL_MAPS
from bpr.refinement.mask_types.arrays import STACKS
from bpr.refinement.mask_types.coco import SEGMENTATIONS
from bpr.refinement.mask_types.detectron2 import INSTANCES
from bpr.refinement.mask_types.fiftyone import LABELS
from bpr.refinement.mask_types.hugging_face import BINARY_MAPS, MAPS, MASK_LISTS, MASKS, PIPELINE
from bpr.refinement.mask_types.sam import GENERATED, PREDICTED
from bpr.refinement.mask_types.supervision import DETECTIONS
from bpr.refinement.mask_types.ultralytics import RESULTS

__all__ = ["ADAPTERS", "Adapter", "adapter_for"]

ADAPTERS = (
    STACKS, LABEL_MAPS, GENERATED, PIPELINE, SEGMENTATIONS, DETECTIONS, INSTANCES, RESULTS, MAPS, BINARY_MAPS, MASKS,
    MASK_LISTS, PREDICTED, LABELS,
)  # fmt: skip


def adapter_for(masks: Any) -> Adapter:
    """The adapter of a user's masks.

    >>> import numpy as np
    >>> from bpr.geometry.rle import encode_mask
    >>> from bpr.geometry.masks import BoxMask
    >>> mask = np.zeros((1, 4, 5), np.uint8); mask[0, 1:3, 1:4] = 255
    >>> rle = encode_mask(BoxMask.from_frame(mask[0]))
    >>> from types import SimpleNamespace
    >>> detections = SimpleNamespace(xyxy=np.zeros((1, 4)), mask=mask > 0, class_id=[3])
    >>> for masks in (mask, [rle], detections):
    ...     adapter = adapter_for(masks)
    ...     instances = adapter.read(masks, (4, 5))
    ...     back = adapter.write(masks, [instance.mask for instance in instances])
    ...     print(type(back).__name__, instances[0].mask.area)
    ndarray 6
    list 6
    SimpleNamespace 6
    >>> back.xyxy.tolist(), back.class_id
    ([[1.0, 1.0, 4.0, 3.0]], [3])

    Raises:
        BadInput: masks of no known kind.
    """
    for adapter in ADAPTERS:
        if adapter.accepts(masks):
            return adapter
    if masks is None:
        raise BadInput("masks: expected the masks of the image, got None; was their file found?")
    inside = f" of {type(masks[0]).__name__}" if isinstance(masks, (list, tuple)) and masks else ""
    remedy = "its read() gives the bytes" if hasattr(masks, "read") else "numpy.asarray converts a picture, numpy.stack a list"
    raise BadInput(
        "masks: expected an (N, H, W) or (H, W) array or torch tensor of masks, an (H, W) label map, the file of a mask or its "
        "bytes or a list of these, a list of COCO RLEs or polygons, or a result of a library in docs/neighbours.md for one "
        f"image, got {type(masks).__name__}{inside}; {remedy}"
    )
