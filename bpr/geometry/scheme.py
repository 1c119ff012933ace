"""How patches are cut: the numbers that extraction, training and refinement must share."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, get_args

import numpy as np

from bpr.errors import shown
from bpr.geometry.boxes import Box, expand

Kind = Literal["dense", "grid", "instance"]
KINDS: tuple[str, ...] = get_args(Kind)
Blend = Literal["mean", "centred"]
BLENDS: tuple[str, ...] = get_args(Blend)
TRAINED = ("side", "padding", "inputs")
"""What a network is trained for; the other numbers only say where to look."""
CUTTING = ("kind", *TRAINED, "nms_iou", "cover_margin")
"""What decides which patches are cut of a coarse mask, and how; the other numbers are for refining alone."""

LARGEST_WINDOW = 4096
"""Pixels along the side of what the network sees, and of a wide patch (the paper: 512): more would take all memory."""
MOST_PASSES = 16
"""Masks settle within a few; more would only take time."""

INPUT_CHANNELS = {"rgb": 3, "mask": 1, "evidence": 1}
SPOKEN_NAMES = {"kind": "scheme kind"}
"""What errors call an attribute, where its name alone says too little."""


@dataclass(frozen=True)
class PatchScheme:
    """The one home of the extraction defaults (paper section 3.1, supplement section B).

    Attributes:
        kind: ``dense``: squares along the boundary; ``grid``: the cells of a fixed grid that hold a boundary;
            ``instance``: one square around the instance, resized to the window.
        side: patch side in image pixels; for ``instance`` in pixels of the resized patch.
        padding: context in pixels around the patch; the network sees it, only the centre is pasted back.
        nms_iou: squares whose IoU is larger than this suppress each other.
        cover_margin: a boundary pixel counts as covered once a patch holds it this many pixels away
            from the patch's border; uncovered pixels get patches of their own after the suppression.
        inputs: what a patch carries to the network, in channel order.
        blend: where patches overlap: ``mean`` of their probabilities (the paper), or ``centred``: a patch counts more the farther a
            pixel lies from its border, as it knows less of what is beyond.
        caution: how much the coarse mask's word counts beside the network's: the mean probability of every pixel is moved so far towards
            it before it is compared with one half, so that a pixel changes sides only where the network is surer than that.
        wide: ``dense`` only: patch side of an earlier pass over the instances of at least ``wide**2`` pixels; resized to
            the window, these patches show parts that a narrow one misses. 0: no such pass.
        passes: how often the network looks at a mask with patches of ``side``; at most ``MOST_PASSES``.
        withdrawn: a further pass looks only where the boundary has withdrawn so many pixels into the mask that the pass before
            saw, and its patches are averaged with the earlier ones; ``instance`` has no such pass. 0: every pass refines the
            whole boundary of the mask that the pass before made.
        keep: share of an image's patches to spend, rounded up, where boundaries are least to be trusted.
        max_patches: spend at most so many on an image (and pass); of the two budgets the smaller holds.

    >>> PatchScheme(side=64, padding=8).window
    80
    >>> PatchScheme(nms_iou=1.5)
    Traceback (most recent call last):
        ...
    ValueError: nms_iou: expected a number in [0, 1), got 1.5

    Raises:
        ValueError: a number beyond its range or of another type.
    """

    kind: Kind = "dense"
    side: int = 64
    padding: int = 0
    nms_iou: float = 0.25
    cover_margin: int = 4
    inputs: tuple[str, ...] = ("rgb", "mask")
    blend: Blend = "mean"
    caution: float = 0
    wide: int = 0
    passes: int = 1
    withdrawn: float = 0
    keep: float = 1.0
    max_patches: int | None = None

    def __post_init__(self) -> None:
        if isinstance(self.inputs, list):  # as JSON and configs spell it
            object.__setattr__(self, "inputs", tuple(self.inputs))
        for name, value in list(vars(self).items()):
            if isinstance(value, np.generic):  # numbers of numpy become Python's, as JSON needs them
                object.__setattr__(self, name, value.item())
        for name, holds, expected in self._rules():
            if not holds:
                raise ValueError(f"{SPOKEN_NAMES.get(name, name)}: expected {expected}, got {shown(getattr(self, name))}")

    def _rules(self) -> Iterator[tuple[str, bool, str]]:
        """Of every attribute its name, whether it is as it has to be, and what that is; a rule may lean on those before it."""
        yield "kind", self.kind in KINDS, f"one of {', '.join(KINDS)}"
        yield "blend", self.blend in BLENDS, f"one of {', '.join(BLENDS)}"
        yield "side", _even(self.side, 8, LARGEST_WINDOW), f"an even whole number of 8..{LARGEST_WINDOW} pixels"
        room = (LARGEST_WINDOW - self.side) // 2
        yield "padding", _whole(self.padding, 0, room), f"0..{room} whole pixels (a window of at most {LARGEST_WINDOW})"
        yield "nms_iou", _number(self.nms_iou) and 0 <= self.nms_iou < 1, "a number in [0, 1)"
        inside = self.side // 2 - 1
        yield "cover_margin", _whole(self.cover_margin, 0, inside), f"0..{inside} whole pixels"
        yield "caution", _number(self.caution) and 0 <= self.caution < 0.5, "a probability in [0, 0.5)"
        wider = _even(self.wide, self.side + 1, LARGEST_WINDOW) or _whole(self.wide, 0, 0)
        yield "wide", wider, f"0 or an even whole number over the side, {self.side}, of at most {LARGEST_WINDOW}"
        yield "passes", _whole(self.passes, 1, MOST_PASSES), f"a whole number of 1..{MOST_PASSES}"
        yield "withdrawn", _number(self.withdrawn) and 0 <= self.withdrawn <= LARGEST_WINDOW, f"0..{LARGEST_WINDOW} pixels"
        yield "keep", _number(self.keep) and 0 < self.keep <= 1, "a share in (0, 1]"
        yield "max_patches", self.max_patches is None or _whole(self.max_patches, 1), "a whole number of 1 or more"
        yield "inputs", _inputs(self.inputs), f"'rgb' first, then any of {list(INPUT_CHANNELS)[1:]} once"

    @property
    def window(self) -> int:
        """Side in pixels of what the network sees: the patch and its padding."""
        return self.side + 2 * self.padding

    @property
    def pass_sides(self) -> tuple[int, ...]:
        """The patch side of every pass, in order.

        >>> PatchScheme(wide=128, passes=2).pass_sides
        (128, 64, 64)
        """
        passes = 1 if self.withdrawn and self.kind == "instance" else self.passes
        return ((self.wide,) if self.wide and self.kind == "dense" else ()) + (self.side,) * passes

    def looks_again(self, at: int) -> bool:
        """Whether pass ``at`` adds patches to those of the pass before, rather than refine the mask that it made.

        >>> [PatchScheme(wide=128, passes=2, withdrawn=4).looks_again(at) for at in range(3)]
        [False, False, True]
        """
        return at > 0 and self.withdrawn > 0 and self.pass_sides[at - 1] == self.side

    @property
    def channels(self) -> int:
        return sum(INPUT_CHANNELS[name] for name in self.inputs)

    def resizes(self, box: Sequence[int] | np.ndarray) -> bool:
        """Whether a patch of this box has another side than the network's and is resized."""
        return int(box[2] - box[0]) != self.side

    def window_of(self, box: Box) -> Box:
        """What the network sees of a patch, in image pixels: the box and its padding, which grows with a resized box.

        >>> PatchScheme(side=16, padding=4).window_of((20, 20, 36, 36))
        (16, 16, 40, 40)
        >>> PatchScheme(kind="instance", side=16, padding=4).window_of((0, 0, 160, 160))
        (-40, -40, 200, 200)
        """
        return expand(box, round(self.padding * (box[2] - box[0]) / self.side))

    def budget(self, count: int) -> int:
        """How many of the ``count`` patches of an image are spent.

        >>> PatchScheme(keep=0.5).budget(7), PatchScheme(keep=0.5, max_patches=3).budget(7), PatchScheme().budget(7)
        (4, 3, 7)
        """
        # Ten digits: a share like .07 of 100 is 7, whatever binary fractions make of it.
        share = math.ceil(round(self.keep * count, 10))
        return share if self.max_patches is None else min(share, self.max_patches)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a manifest or a model's metadata."""
        return {**asdict(self), "inputs": list(self.inputs)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> PatchScheme:
        """The scheme that a config, a manifest or a model's metadata spells.

        Raises:
            ValueError: unknown keys, or values that no scheme has.
        """
        if not isinstance(values, Mapping):
            raise ValueError(f"patch scheme: expected names and values, got {type(values).__name__}")
        unknown = set(values) - {field.name for field in fields(cls)}
        if unknown:
            raise ValueError(f"patch scheme: unknown keys {sorted(unknown)}")
        return cls(**values)

    @classmethod
    def from_refinement(cls, refinement: dict[str, Any], part: Literal["train", "test"]) -> PatchScheme:
        """The scheme of a config's ``refinement``: what both parts share, and the numbers of one.

        >>> PatchScheme.from_refinement({"scheme": {"side": 64}, "train": {"nms_iou": 0.25}, "test": {"nms_iou": 0.55}}, "test").nms_iou
        0.55
        """
        return cls.from_dict({**refinement["scheme"], **refinement[part]})

    def changed(self, **values: Any) -> PatchScheme:
        """A copy with the values that are not None replaced."""
        return replace(self, **{name: value for name, value in values.items() if value is not None})

    def refining_with(self, **values: Any) -> PatchScheme:
        """The scheme of a trained model with what a user may choose when refining: what is not of ``TRAINED``.

        >>> PatchScheme().refining_with(nms_iou=0.5).nms_iou
        0.5
        >>> PatchScheme().refining_with(side=32)
        Traceback (most recent call last):
            ...
        ValueError: side: expected 64, with which the model was trained, got 32; leave it out or train a model for it
        """
        for name in TRAINED:
            trained, given = getattr(self, name), values.get(name)
            if given is not None and given != trained:
                remedy = "leave it out or train a model for it"
                raise ValueError(f"{name}: expected {trained}, with which the model was trained, got {given}; {remedy}")
        return self.changed(**values)


def _whole(value: Any, least: int, most: float = math.inf) -> bool:
    """Whether it is a whole number of this range; a bool is none, and neither is 2.0."""
    return type(value) is int and least <= value <= most


def _even(value: Any, least: int, most: int) -> bool:
    return _whole(value, least, most) and value % 2 == 0


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _inputs(names: Any) -> bool:
    known = isinstance(names, tuple) and all(name in tuple(INPUT_CHANNELS) for name in names)
    return known and names[:1] == ("rgb",) and len(set(names)) == len(names)
