"""Decide for every mask of an image how much of its change to take. A small network predicts what the change is worth.

The masks of an image usually come from one maker, so each of them is judged by its own features and by their mean over
the image. For every leaning the network gives the probabilities of some ranges of the change of IoU, and the expected
change of F@2px, which shows more of a change at the boundary of a large object than IoU does.

Legend: N masks of an image, F features, I inputs of the network, E members of an ensemble, C leanings, B ranges.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np

from bpr.geometry.options import LEANINGS, Leaning
from bpr.limits import is_score
from bpr.refinement.verdict.features import FEATURES, Description

HARM = -1.0
"""Points of IoU: a change below this is a harm."""
TAKEN = ("all", "part", "nothing")
"""How much of a change a verdict takes."""
MOST_CHANGED = 4
"""A change of more pixels than so many times the mask's is never taken: such a mask says too little of its object."""
LEAST_SCORE = 0.01
"""A detection of a lower score counts as one of this score."""
LARGEST_INPUT = 4.0
"""Inputs are cut off at so many spreads from their centre."""


class Verdict(NamedTuple):
    """The decision on one mask.

    Attributes:
        taken: ``all`` of the change that the network proposes, ``part`` of it, or ``nothing``: the mask stays as it was.
        expected_gain: predicted change of IoU by what is taken, in points (hundredths).
        moved_px: the mean distance in pixels between the coarse and the refined boundary.
    """

    taken: str
    expected_gain: float
    moved_px: float

    def enlarged(self, factor: int) -> Verdict:
        """The verdict on a mask of a smaller copy of the image, for the image."""
        return self._replace(moved_px=round(self.moved_px * factor, 2))

    def followed_by(self, later: Verdict) -> Verdict:
        """The verdict on both of two changes.

        >>> Verdict("all", 2.0, 3.0).followed_by(Verdict("part", 0.5, 1.0))
        Verdict(taken='part', expected_gain=2.5, moved_px=4.0)
        """
        kinds = {self.taken, later.taken} - {"nothing"}
        taken = "nothing" if not kinds else kinds.pop() if len(kinds) == 1 else "part"
        gain, moved = self.expected_gain + later.expected_gain, self.moved_px + later.moved_px
        return Verdict(taken, round(gain, 2), round(moved, 2))

    @property
    def as_key(self) -> dict[str, Any]:
        """The value of a record's key ``bpr``."""
        return {"verdict": self.taken, "expected_gain": self.expected_gain, "moved_px": self.moved_px}

    @classmethod
    def from_key(cls, value: Any) -> Verdict | None:
        """Read :attr:`as_key`; None for anything else."""
        try:
            verdict = cls(value["verdict"], value["expected_gain"], value["moved_px"])
        except (KeyError, TypeError):
            return None
        numbers = verdict.expected_gain, verdict.moved_px
        return verdict if verdict.taken in TAKEN and all(map(is_score, numbers)) else None


@dataclass(frozen=True, eq=False)
class VerdictModel:
    """The network of the verdict, fitted to one model (``tools/fit_verdict.py``).

    Attributes:
        centre: (I,) float32, the value that becomes 0.
        spread: (I,) float32, the difference from the centre that becomes 1.
        first, second, last: (E, ., .) float32 weights of three layers; the row below the last holds the biases. The last
            layer gives B logits and the change of F@2px in points for the first leaning, then for the second, and so on.
        edges: (B - 1,) float32, changes of IoU in points between which the ranges lie.
        outcomes: (B,) float32, the mean change in each range.
        boundary_weight: points that one point of F@2px counts.
        aversion: points that a harm counts in addition.
        least: the smallest value of a change that is taken, in points.
    """

    centre: np.ndarray
    spread: np.ndarray
    first: np.ndarray
    second: np.ndarray
    last: np.ndarray
    edges: np.ndarray
    outcomes: np.ndarray
    boundary_weight: np.ndarray
    aversion: np.ndarray
    least: np.ndarray

    def __post_init__(self) -> None:
        inputs, ranges = 2 * FEATURES + 1, self.outcomes.size
        layers = (self.first, self.second, self.last)
        chained = all(layer.ndim == 3 for layer in layers) and (
            [inputs + 1, self.first.shape[2] + 1, self.second.shape[2] + 1] == [layer.shape[1] for layer in layers]
        )
        fitting = self.centre.shape == self.spread.shape == (inputs,) and self.edges.shape == (ranges - 1,)
        if not (chained and fitting and self.last.shape[2] == len(LEANINGS) * (ranges + 1)):
            raise ValueError("verdict: expected the layers of one network, got shapes that do not fit")

    def __call__(
        self, masks: Sequence[Description], scores: Sequence[float], pool: Pool | None = None
    ) -> list[tuple[Leaning | None, Verdict]]:
        """For each of the N masks of an image: its leaning (None: keep the mask) and the verdict.

        Args:
            scores: of the detections; unlikely ones say little about the maker of the masks.
            pool: what is known about all masks of the image, if these are only some of them.
        """
        if not masks:
            return []
        decisions: list[tuple[Leaning | None, Verdict]] = []
        for mask, best, worthwhile, gain in zip(masks, *self.choose(inputs_of(masks, scores, pool)), strict=True):
            changed = mask.moved_px[best] * mask.length
            if not (worthwhile and 0 < changed <= MOST_CHANGED * mask.area):
                decisions.append((None, Verdict("nothing", 0.0, 0.0)))
                continue
            leaning = LEANINGS[best]
            taken = "part" if leaning[0] > 0 > leaning[1] else "all"
            decisions.append((leaning, Verdict(taken, round(float(gain), 2), round(mask.moved_px[best], 2))))
        return decisions

    def choose(self, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """For each of (N, I) inputs: the best leaning, whether its change is worth taking, and what it is expected to gain."""
        expected, values = self.predict(inputs)
        best, rows = values.argmax(1), np.arange(len(values))
        return best, values[rows, best] > self.least, expected[rows, best]

    def predict(self, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """For each of N masks and each leaning: the expected change of IoU, and what the change is worth, in points.

        A change is worth what it is expected to add to IoU and, by their weight, to F@2px, less the aversion times its
        probability of a harm. All are means over the members of the ensemble, which learned from different sources.

        Args:
            inputs: (N, I) float32.
        """
        scaled = np.clip((inputs - self.centre) / self.spread, -LARGEST_INPUT, LARGEST_INPUT)
        hidden = _silu(_layer(_silu(_layer(scaled, self.first)), self.second))
        outputs = _layer(hidden, self.last).reshape(len(self.first), len(inputs), len(LEANINGS), -1)
        logits, boundary_gains = outputs[..., :-1], outputs[..., -1].mean(0)
        odds = np.exp(logits - logits.max(-1, keepdims=True))
        shares = (odds / odds.sum(-1, keepdims=True)).mean(0)
        harms = np.count_nonzero(self.edges <= HARM)  # the first ranges
        gains, risks = shares @ self.outcomes, shares[..., :harms].sum(-1)
        return gains, gains + self.boundary_weight * boundary_gains - self.aversion * risks

    def to_dict(self) -> dict[str, Any]:
        """Values of JSON for the metadata of a model file."""
        return {item.name: _packed(getattr(self, item.name)) for item in fields(self)}

    @classmethod
    def from_dict(cls, values: Any) -> VerdictModel:
        """Read :meth:`to_dict`.

        Raises:
            ValueError: something else.
        """
        names = [item.name for item in fields(cls)]
        if not isinstance(values, Mapping) or sorted(values) != sorted(names):
            raise ValueError(f"verdict: expected {', '.join(names)}")
        return cls(**{name: _unpacked(values[name]) for name in names})


class Pool(NamedTuple):
    """All masks of an image, as a verdict sees them. Long boundaries and likely detections count more.

    Attributes:
        mean: (F,) their features.
        objects: how many there are.
    """

    mean: np.ndarray
    objects: float

    @classmethod
    def of(cls, masks: Sequence[Description], scores: Sequence[float]) -> Pool:
        own = np.array([mask.values for mask in masks])
        likely = np.clip(scores, LEAST_SCORE, 1) ** 2
        return cls(np.average(own, axis=0, weights=likely * [mask.length for mask in masks]), likely.sum())


def inputs_of(masks: Sequence[Description], scores: Sequence[float], pool: Pool | None = None) -> np.ndarray:
    """(N, I) float32: the features of every mask, their mean over the image, and how many objects the image has."""
    own = np.array([mask.values for mask in masks])
    mean, objects = pool or Pool.of(masks, scores)
    joined = np.concatenate([own, np.broadcast_to(mean, own.shape), np.full((len(own), 1), objects)], axis=1)
    return (np.sign(joined) * np.log1p(np.abs(joined))).astype(np.float32)


def _layer(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return values @ weights[:, :-1] + weights[:, -1:]


def _silu(values: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):  # the limit, zero, is right
        return values / (1 + np.exp(-values))


def _packed(array: np.ndarray) -> dict[str, Any]:
    text = base64.b64encode(np.ascontiguousarray(array, "<f4" if array.ndim < 2 else "<f2").tobytes()).decode()
    return {"shape": list(array.shape), "data": text}


def _unpacked(value: Any) -> np.ndarray:
    try:
        shape = tuple(map(int, value["shape"]))
        data = base64.b64decode(value["data"], validate=True)
        array = np.frombuffer(data, "<f4" if len(shape) < 2 else "<f2").reshape(shape).astype(np.float32)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"verdict: expected packed numbers ({error})") from None
    if not np.isfinite(array).all():
        raise ValueError("verdict: expected finite numbers")
    return array
