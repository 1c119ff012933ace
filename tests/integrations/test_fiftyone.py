"""The model for FiftyOne, called as its ``apply_model`` calls it; FiftyOne's database is not needed for that."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import bpr
from tests.formats import layouts
from tests.formats.conftest import swelling  # noqa: F401  (a fixture)

os.environ.setdefault("FIFTYONE_DISABLE_SERVICES", "1")
os.environ.setdefault("FIFTYONE_DO_NOT_TRACK", "1")
fo = pytest.importorskip("fiftyone", reason="needs FiftyOne", exc_type=ImportError)

pytestmark = pytest.mark.usefixtures("swelling")


@pytest.fixture
def sample(tmp_path: Path) -> Any:
    """A detection with its mask in memory, one with its mask in a file, and a box."""
    stem = layouts.STEMS[0]
    photo = next(layouts.photographs(tmp_path).rglob(f"{stem}*"))
    detections = []
    for index, (label, score, mask) in enumerate(layouts.MASKS[stem]):
        rows, columns = np.nonzero(mask)
        top, left, bottom, right = rows.min(), columns.min(), rows.max() + 1, columns.max() + 1
        box = [left / 130, top / 90, (right - left) / 130, (bottom - top) / 90]
        inside = mask[top:bottom, left:right]
        keys: dict[str, Any] = {"mask": inside} if index == 0 else {}
        if index == 1:
            cv2.imwrite(str(tmp_path / "mask.png"), inside * np.uint8(255))
            keys = {"mask_path": str(tmp_path / "mask.png")}
        detections.append(fo.Detection(label=str(label), confidence=score, bounding_box=box, tags=["x"], hue="red", **keys))
    return fo.Sample(filepath=str(photo), predictions=fo.Detections(detections=detections))


def in_frame(detection: Any) -> np.ndarray:
    left, top, width, height = np.rint(np.array(detection.bounding_box) * (130, 90, 130, 90)).astype(int)
    frame = np.zeros(layouts.FRAME, bool)
    frame[top : top + height, left : left + width] = detection.get_mask() > 0
    return frame


def test_masks_are_refined_and_all_else_is_kept(sample: Any, tmp_path: Path) -> None:
    import fiftyone.core.models as fom

    from bpr.integrations.fiftyone import RefineModel

    model = RefineModel("starter")
    assert isinstance(model, fom.Model)
    assert isinstance(model, fom.SamplesMixin)
    model.needs_fields = {"prompt_field": "predictions"}
    given = sample["predictions"].detections
    with model:
        refined = model.predict(np.zeros((1, 1, 3), np.uint8), sample=sample)
    masks = [mask for _, _, mask in layouts.MASKS[layouts.STEMS[0]]]
    wanted = bpr.load("starter")(sample.filepath, np.stack(masks[:2]))
    assert np.array_equal([in_frame(one) for one in refined.detections[:2]], wanted)
    assert not np.array_equal(wanted, masks[:2])
    for old, new in zip(given, refined.detections, strict=True):
        assert (new.label, new.confidence, new.tags, new.hue) == (old.label, old.confidence, old.tags, old.hue)
    assert refined.detections[2].bounding_box == given[2].bounding_box
    assert not refined.detections[2].has_mask
    assert np.array_equal(in_frame(given[0]), masks[0]), "the sample's own field stays"
    out = str(tmp_path / "out.png")  # what apply_model does with output_dir
    refined.detections[1].export_mask(out, update=True)
    assert (refined.detections[1].mask, refined.detections[1].mask_path) == (None, out)
    assert np.array_equal(in_frame(refined.detections[1]), wanted[1])


def test_a_wrong_field_is_one_line(sample: Any) -> None:
    from bpr.integrations.fiftyone import RefineModel

    model = RefineModel("starter")
    with pytest.raises(bpr.BPRError, match="expected apply_model"):
        model.predict(None, sample=sample)
    model.needs_fields = {"prompt_field": "other"}
    sample["other"] = fo.Classification(label="a")
    with pytest.raises(bpr.BPRError, match="expected Detections, got 'Classification'"):
        model.predict(None, sample=sample)
    sample["other"] = None
    assert model.predict(None, sample=sample) is None
