"""The names that the blocks of docs/neighbours.md take for granted: what each library would have returned, written by hand."""

from __future__ import annotations

from typing import Any

import cv2

from bpr.geometry.masks import BoxMask
from bpr.refinement.predictor import OraclePredictor
from bpr.refinement.refiner import Refiner
from tests.refinement.neighbours import IMAGE, TRUTH
from tests.refinement.test_neighbours_page import CASES


def names(index: int) -> dict[str, Any]:
    """Of the ``index``-th block."""
    cv2.imwrite("photo.jpg", IMAGE)
    truths = {number: BoxMask.from_frame(mask) for number, mask in enumerate(TRUTH)}
    return {"image": IMAGE, "refiner": Refiner(OraclePredictor(truths)), **CASES[index][0]()}
