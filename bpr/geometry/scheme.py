"""How patches are cut: the numbers that extraction, training and refinement must share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, get_args

import numpy as np

from bpr.geometry.boxes import Box, expand

Kind = Literal["dense", "grid", "instance"]
KINDS: tuple[str, ...] = get_args(Kind)
Blend = Literal["mean", "centred"]
BLENDS: tuple[str, ...] = get_args(Blend)
TRAINED = ("side", "padding", "inputs")
"""What a network is trained for; the other numbers only say where to look."""
CUTTING = ("kind", *TRAINED, "nms_iou", "cover_margin")
"""What decides which patches are cut of a coarse mask, and how; the other numbers are for refining alone."""

LARGEST_NUMBER = 4096
"""Of the whole numbers that a file may ask for, the window among them (the paper: 512): more would take all memory or time."""

INPUT_CHANNELS = {"rgb": 3, "mask": 1, "evidence": 1}


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
        passes: how often the network looks at a mask with patches of ``side``.
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
        object.__setattr__(self, "inputs", tuple(self.inputs))
        if self.kind not in KINDS:
            raise ValueError(f"scheme kind: expected one of {', '.join(KINDS)}, got {self.kind!r}")
        if self.blend not in BLENDS:
            raise ValueError(f"blend: expected one of {', '.join(BLENDS)}, got {self.blend!r}")
        if self.side < 8 or self.side % 2:
            raise ValueError(f"side: expected an even number of at least 8 pixels, got {self.side}")
        if self.padding < 0:
            raise ValueError(f"padding: expected 0 or more pixels, got {self.padding}")
        if not 0 <= self.nms_iou < 1:
            raise ValueError(f"nms_iou: expected a number in [0, 1), got {self.nms_iou}")
        if not 0 <= self.cover_margin < self.side // 2:
            raise ValueError(f"cover_margin: expected 0..{self.side // 2 - 1} pixels, got {self.cover_margin}")
        if not 0 <= self.caution < 0.5:
            raise ValueError(f"caution: expected a probability in [0, 0.5), got {self.caution}")
        if self.wide and (self.wide <= self.side or self.wide % 2):
            raise ValueError(f"wide: expected 0 or an even number over the side, {self.side}, got {self.wide}")
        if self.passes < 1:
            raise ValueError(f"passes: expected 1 or more, got {self.passes}")
        if not 0 <= self.withdrawn < math.inf:
            raise ValueError(f"withdrawn: expected 0 or more pixels, got {self.withdrawn}")
        if not 0 < self.keep <= 1:
            raise ValueError(f"keep: expected a share in (0, 1], got {self.keep}")
        if self.max_patches is not None and self.max_patches < 1:
            raise ValueError(f"max_patches: expected 1 or more, got {self.max_patches}")
        if self.inputs[:1] != ("rgb",) or len(set(self.inputs)) < len(self.inputs) or set(self.inputs) - set(INPUT_CHANNELS):
            raise ValueError(f"inputs: expected 'rgb' first, then any of {list(INPUT_CHANNELS)[1:]} once, got {list(self.inputs)}")

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
            ValueError: unknown keys, values of another type or beyond all use.
        """
        if not isinstance(values, Mapping):
            raise ValueError(f"patch scheme: expected names and values, got {type(values).__name__}")
        unknown = set(values) - {field.name for field in fields(cls)}
        if unknown:
            raise ValueError(f"patch scheme: unknown keys {sorted(unknown)}")
        for name in (field.name for field in fields(cls) if field.type == "int" and field.name in values):
            if type(values[name]) is not int or values[name] > LARGEST_NUMBER:
                raise ValueError(f"{name}: expected a whole number of at most {LARGEST_NUMBER}, got {str(values[name])[:40]}")
        try:
            scheme = cls(**values)
        except TypeError:
            raise ValueError(f"patch scheme: expected numbers and names, got {str(dict(values))[:200]}") from None
        if scheme.window > LARGEST_NUMBER:
            raise ValueError(f"padding: expected a window of at most {LARGEST_NUMBER} pixels, got {scheme.window}")
        return scheme

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
