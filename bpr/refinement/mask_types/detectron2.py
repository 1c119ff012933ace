"""``Instances`` of detectron2, recognised by its fields: ``pred_masks`` (N, H, W), ``pred_boxes``, ``image_size``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bpr.errors import BadInput
from bpr.geometry.masks import BoxMask
from bpr.refinement.mask_types.arrays import follow, holder


def _masks(instances: Any) -> Any:
    if not instances.has("pred_masks"):
        raise BadInput("Instances: expected pred_masks, got none; use a model that segments instances")
    return instances.pred_masks


def _rebuild(given: Any, masks: Any, refined: Sequence[BoxMask]) -> Any:
    """New ``Instances`` with other ``pred_masks`` and ``pred_boxes``, all other fields kept."""
    fields = {**given.get_fields(), "pred_masks": masks}
    if "pred_boxes" in fields:
        boxes = fields["pred_boxes"]
        fields["pred_boxes"] = type(boxes)(follow(boxes.tensor, refined))
    return type(given)(given.image_size, **fields)


INSTANCES = holder(
    lambda masks: hasattr(masks, "get_fields") and hasattr(masks, "image_size"),
    _masks,
    _rebuild,
    lambda instances: instances.get_fields().get("scores"),
)
