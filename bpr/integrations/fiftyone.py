"""A model for FiftyOne's ``apply_model``: refines the instance masks that the samples already have."""

from __future__ import annotations

from typing import Any

import fiftyone.core.models as fom
from fiftyone import Detections

import bpr
from bpr.errors import BPRError, shown

FIELD = "prompt_field"
"""The argument of ``apply_model`` that names the field to read, as FiftyOne's own models call it."""


class RefineModel(fom.SamplesMixin, fom.Model):  # type: ignore[misc]
    """Refines the ``Detections`` of one field into another::

        dataset.apply_model(RefineModel(), label_field="refined", prompt_field="predictions")

    Masks in memory (``mask``) and in files (``mask_path``) are read. Labels, confidences, tags and attributes are kept;
    detections without a mask stay as they are.

    Args:
        options: what :func:`bpr.load` takes: the model, its backend, how to refine.
    """

    media_type = "image"
    has_logits = has_embeddings = can_embed_prompts = False
    ragged_batches = True
    transforms = None
    preprocess = False

    def __init__(self, *model: Any, **options: Any) -> None:
        super().__init__()
        self._refiner = bpr.load(*model, **options)

    def predict(self, arg: Any, sample: Any = None) -> Any:
        """The refined detections of a sample; None where it has none.

        Args:
            arg: the pixels that FiftyOne read; not used, as ours are turned as the photo's EXIF tag says.

        Raises:
            BPRError: no field is named, or it holds no detections.
        """
        name = self.needs_fields.get(FIELD)
        if not name or sample is None:
            raise BPRError(f"expected apply_model(..., {FIELD}='predictions'), got no {FIELD}; name the field of the masks")
        given = sample[name]
        if given is None:
            return None
        if not isinstance(given, Detections):
            raise BPRError(f"{FIELD}={name!r}: expected Detections, got {shown(type(given).__name__)}; choose another field")
        detections = list(given.copy().detections)
        places = [place for place, one in enumerate(detections) if one.has_mask]
        if places:
            refined = self._refiner(sample.filepath, Detections(detections=[given.detections[place] for place in places]))
            for place, one in zip(places, refined.detections, strict=True):
                detections[place] = one
        return Detections(detections=detections)
