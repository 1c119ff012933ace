"""Photographs to refine on, and a predictor that changes every boundary."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from bpr.backends import load_predictor
from tests.formats import layouts


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    return layouts.photographs(tmp_path)


class Swelling:
    """A predictor that grows every mask by two pixels: deterministic, cheap, and it changes every boundary."""

    def __init__(self) -> None:
        identity = load_predictor("identity")
        self.spec, self.recommended, self.batch_size = identity.spec, identity.recommended, identity.batch_size

    def predict(self, batch: object) -> np.ndarray:
        coarse = batch.patches[..., 3].astype(np.float32) / 255  # type: ignore[attr-defined]
        return np.stack([cv2.blur(cv2.dilate(patch, np.ones((5, 5))), (3, 3)) for patch in coarse])


@pytest.fixture
def swelling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bpr.backends.load_predictor", lambda *_, **__: Swelling())
