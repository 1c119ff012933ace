"""Signals of where a patch is worth its cost, for benchmarks/selection.py: each gives every pixel around an instance a doubt.

The one that ``bpr refine --keep`` uses is :func:`bpr.geometry.doubt.boundary_doubt`; the others live here alone.

Legend: K patches, S window side, h w area around an instance's patches.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from bpr.geometry.boundary import boundary_levels
from bpr.geometry.boxes import Box
from bpr.geometry.doubt import boundary_doubt
from bpr.geometry.evidence import colour_bins, evidence_table
from bpr.geometry.masks import BoxMask
from bpr.geometry.reassembly import mean_probability
from bpr.geometry.scheme import PatchScheme
from bpr.refinement.predictor import PatchBatch, Predictor

BAND = 8
RAGGED = 15
CHEAP_SIDE = 32


@dataclass(frozen=True, eq=False)
class Subject:
    """An instance as the signals see it, with what only the oracle may know: the truth and the refiner's answers."""

    image: np.ndarray
    mask: BoxMask
    score: float
    area: Box
    boxes: np.ndarray
    scheme: PatchScheme
    cheap: np.ndarray
    answers: np.ndarray
    truth: BoxMask

    @cached_property
    def coarse(self) -> np.ndarray:
        return self.mask.window(self.area)

    @cached_property
    def boundary(self) -> np.ndarray:
        return boundary_levels(self.coarse) > 0

    def per_length(self, doubt: np.ndarray) -> np.ndarray:
        return (doubt / max(np.count_nonzero(self.boundary), 1)).astype(np.float32)

    def blended(self, probabilities: np.ndarray) -> np.ndarray:
        return mean_probability(self.mask, self.boxes, probabilities, self.scheme, self.area)


def edge(subject: Subject) -> np.ndarray:
    return boundary_doubt(subject.image, subject.mask, subject.area)


def length(subject: Subject) -> np.ndarray:
    """Every boundary pixel alike: covers most boundary."""
    return subject.per_length(subject.boundary)


def evidence(subject: Subject) -> np.ndarray:
    """Colours that speak against the mask, near its boundary."""
    x0, y0, x1, y1 = subject.area
    colours = evidence_table(subject.image, subject.mask)[colour_bins(subject.image[y0:y1, x0:x1])]
    distance = cv2.distanceTransform((~subject.boundary).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return subject.per_length(np.abs(colours / 255 - subject.coarse) * (distance <= BAND))


def ragged(subject: Subject) -> np.ndarray:
    """Pixels that closing adds or opening removes: notches and spurs."""
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (RAGGED, RAGGED))
    coarse = subject.coarse.astype(np.uint8)
    return subject.per_length(cv2.morphologyEx(coarse, cv2.MORPH_CLOSE, disk) - cv2.morphologyEx(coarse, cv2.MORPH_OPEN, disk))


def score(subject: Subject) -> np.ndarray:
    """Instances of a low score first."""
    return length(subject) * np.float32(1 - subject.score)


def size(subject: Subject) -> np.ndarray:
    """Large instances first."""
    return length(subject) * np.float32(subject.mask.area**0.5)


def cheap_pass(subject: Subject) -> np.ndarray:
    """What starter-fast would change, seen at 32 px."""
    return subject.per_length(np.abs(subject.blended(subject.cheap) - subject.coarse))


def oracle(subject: Subject) -> np.ndarray:
    """The true benefit: pixels that the refiner corrects less those that it spoils."""
    truth, refined = subject.truth.window(subject.area), subject.blended(subject.answers) > 0.5
    gained = (refined == truth).astype(np.float32) - (subject.coarse == truth)
    return subject.per_length(gained)


SIGNALS: dict[str, Callable[[Subject], np.ndarray]] = {
    "edge": edge,
    "32 px pass": cheap_pass,
    "colour evidence": evidence,
    "boundary length": length,
    "raggedness": ragged,
    "low score": score,
    "large size": size,
    "oracle": oracle,
}


def cheap_answers(predictor: Predictor, patches: np.ndarray) -> np.ndarray:
    """(K, S, S) float32 of a 64 px model that sees every patch at 32 px: four of them in one input, at a quarter of its cost."""
    side, count = CHEAP_SIDE, len(patches)
    small = np.zeros((-(-count // 4) * 4, side, side, patches.shape[-1]), np.uint8)
    for place, patch in zip(small, patches, strict=False):
        place[:] = cv2.resize(patch, (side, side), interpolation=cv2.INTER_AREA)
    tiles = small.reshape(-1, 2, 2, side, side, small.shape[-1]).swapaxes(2, 3).reshape(-1, 2 * side, 2 * side, small.shape[-1])
    answers = [predictor.predict(PatchBatch(tile[None], np.zeros((1, 4), np.int32), [])) for tile in tiles]
    apart = np.array(answers).reshape(-1, 2, side, 2, side).swapaxes(2, 3).reshape(-1, side, side)[:count]
    window = patches.shape[1]
    return np.array([cv2.resize(answer, (window, window)) for answer in apart], np.float32).reshape(count, window, window)
