"""The parameters of the method, each in exactly one class.

- :class:`PatchSpec`: the patches that a network was trained on. It belongs to the predictor.
- :class:`Placement`: where patches lie. Extraction of training patches and refining share it.
- :class:`RefineOptions`: the placement, and how refining blends and decides. It belongs to the refiner.

A field carries its help text, from which the options of the commands and of ``bpr.load`` are made.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import Field, asdict, dataclass, field, fields, replace
from typing import Any, Final, Literal, TypeVar, get_args

import numpy as np

from bpr.errors import shown
from bpr.geometry.boxes import Box, expand
from bpr.geometry.budget import SIGNALS
from bpr.geometry.channels import CHANNELS
from bpr.geometry.placement import SCHEMES

Blend = Literal["mean", "centred"]
Rule = tuple[str, bool, str]
"""A field's name, whether its value is allowed, and a description of the allowed values."""
Options = TypeVar("Options", bound="_Checked")

AUTO: Final = "auto"
"""The caution that leaves the choice to the verdict."""
Leaning = tuple[float, float]
"""What is added to the mean probability of a pixel before it is compared with one half: inside the coarse mask, outside."""
LEANINGS: tuple[Leaning, ...] = (
    *((caution, -caution) for caution in (0.0, 0.1, 0.2, 0.3, 0.4)),  # towards the coarse mask
    *((-boldness, boldness) for boldness in (0.1, 0.2)),  # away from it: most masks of a poor maker are wrong
    *((bias, bias) for bias in (-0.2, -0.1, 0.1, 0.2)),  # towards a smaller or a larger mask
)
"""The leanings among which the verdict chooses; or it keeps the mask."""
LARGEST_WINDOW = 4096
"""The largest window side in pixels (the paper uses at most 512): larger ones would fill the memory."""
SMALLEST_OBJECT = 32
"""The smallest ``object_size``: in smaller copies nothing of an object can be seen."""
RETIRED = {"wide": (0,), "passes": (1,), "withdrawn": None}
"""Names in files of earlier versions, and their values that have no effect (None: any value)."""


def _about(help: str, metavar: str | None = None, choices: Iterable[str] | None = None) -> dict[str, Any]:
    """The metadata of a field. A field with a metavar or choices is an option of ``bpr refine``."""
    return {"help": help, "metavar": metavar, "choices": choices}


@dataclass(frozen=True)
class _Checked:
    """A frozen set of options whose values are checked."""

    def __post_init__(self) -> None:
        for name, value in list(vars(self).items()):
            if isinstance(value, list):  # JSON and configs hold lists instead of tuples
                object.__setattr__(self, name, tuple(value))
            if isinstance(value, np.generic):  # JSON cannot hold NumPy numbers
                object.__setattr__(self, name, value.item())
        for name, allowed, expected in self._rules():
            if not allowed:
                raise ValueError(f"{name}: expected {expected}, got {shown(getattr(self, name))}")

    def _rules(self) -> Iterator[Rule]:
        """The rule of every field; a rule may rely on those before it."""
        yield from ()

    def changed(self: Options, **values: Any) -> Options:
        """A copy with those values replaced that are not None."""
        return replace(self, **{name: value for name, value in values.items() if value is not None})


@dataclass(frozen=True)
class PatchSpec(_Checked):
    """The patches that a network was trained on.

    Attributes:
        side: patch side in image pixels; patches of the scheme ``instance`` are resized to it.
        padding: context in pixels around the patch: the network sees it, only the centre is pasted back.
        inputs: names of :data:`bpr.geometry.channels.CHANNELS`, in channel order.

    >>> PatchSpec(side=64, padding=8).window
    80
    >>> PatchSpec(side=7)
    Traceback (most recent call last):
        ...
    ValueError: side: expected an even whole number of 8..4096 pixels, got 7

    Raises:
        ValueError: a value of another type or out of its range.
    """

    side: int = 64
    padding: int = 0
    inputs: tuple[str, ...] = ("rgb", "mask")

    def _rules(self) -> Iterator[Rule]:
        even = _whole(self.side, 8, LARGEST_WINDOW) and self.side % 2 == 0
        yield "side", even, f"an even whole number of 8..{LARGEST_WINDOW} pixels"
        room = (LARGEST_WINDOW - self.side) // 2
        expected = f"0..{room} whole pixels (a window of at most {LARGEST_WINDOW})"
        yield "padding", _whole(self.padding, 0, room), expected
        names = self.inputs
        known = isinstance(names, tuple) and all(isinstance(name, str) and name in CHANNELS for name in names)
        once = known and names[:1] == ("rgb",) and len(set(names)) == len(names)
        yield "inputs", once, f"'rgb' first, then any of {[name for name in CHANNELS if name != 'rgb']} once"

    @property
    def window(self) -> int:
        """Side in pixels of the square that the network sees: the patch and its padding."""
        return self.side + 2 * self.padding

    @property
    def channels(self) -> int:
        """How many channels a patch has."""
        return sum(CHANNELS[name].width for name in self.inputs)

    def channel_of(self, name: str) -> int:
        """The first channel of an input.

        >>> PatchSpec(inputs=("rgb", "evidence", "mask")).channel_of("mask")
        4
        """
        return sum(CHANNELS[before].width for before in self.inputs[: self.inputs.index(name)])

    def resizes(self, box: Sequence[int] | np.ndarray) -> bool:
        """Whether the patch in ``box`` is resized: its side differs from the network's."""
        return int(box[2] - box[0]) != self.side

    def window_of(self, box: Box) -> Box:
        """The part of the image that the network sees of a patch; the padding grows with a resized patch.

        >>> PatchSpec(side=16, padding=4).window_of((20, 20, 36, 36))
        (16, 16, 40, 40)
        >>> PatchSpec(side=16, padding=4).window_of((0, 0, 160, 160))
        (-40, -40, 200, 200)
        """
        return expand(box, round(self.padding * (box[2] - box[0]) / self.side))


@dataclass(frozen=True)
class Placement(_Checked):
    """Where the patches of an instance lie (paper section 3.1, supplement section B).

    Attributes:
        scheme: ``dense``: squares along the boundary; ``grid``: the cells of a fixed grid that hold a boundary;
            ``instance``: one square around the instance.
        nms_iou: of two squares with a larger IoU, non-maximum suppression keeps one.
        cover_margin: a boundary pixel is covered by a patch whose border is at least this many pixels away. Pixels that
            the suppression left uncovered get additional patches.

    >>> Placement(nms_iou=1.5)
    Traceback (most recent call last):
        ...
    ValueError: nms_iou: expected a number in [0, 1), got 1.5

    Raises:
        ValueError: a value of another type or out of its range.
    """

    scheme: str = field(
        default="dense",
        metadata=_about("where patches lie: along the boundary, in cells of a grid, around the instance", choices=SCHEMES),
    )
    nms_iou: float = field(
        default=0.25, metadata=_about("dense: drop patches with a larger IoU; a higher number means more patches")
    )
    cover_margin: int = field(
        default=4, metadata=_about("dense: distance in pixels from a boundary pixel to the border of its patch")
    )

    def _rules(self) -> Iterator[Rule]:
        yield "scheme", *_choice(self.scheme, SCHEMES)
        yield "nms_iou", _number(self.nms_iou) and 0 <= self.nms_iou < 1, "a number in [0, 1)"
        most = LARGEST_WINDOW // 2 - 1
        yield "cover_margin", _whole(self.cover_margin, 0, most), f"0..{most} whole pixels"

    def check_fits(self, spec: PatchSpec) -> None:
        """Raise a ValueError where a patch could not cover the pixel in its middle."""
        inside = spec.side // 2 - 1
        if self.cover_margin > inside:
            raise ValueError(f"cover_margin: expected 0..{inside} whole pixels, got {self.cover_margin}")


@dataclass(frozen=True)
class RefineOptions(Placement):
    """Where patches lie, and how refining blends them and decides.

    Attributes:
        blend: where patches overlap: the ``mean`` of their probabilities (the paper), or ``centred``: a patch counts
            more the farther a pixel lies from its border, because near the border the network sees less of the
            surroundings.
        caution: the mean probability of a pixel is moved by this much towards its coarse mask before it is compared
            with one half, so that a pixel changes only if its probability is farther than this from one half. With
            ``auto``, the verdict of the model decides for every mask how much of the change to take.
        keep: the share of an image's patches that is used, rounded up: those where boundaries look worst. In smaller
            copies of the image it is the share of the patches there.
        max_patches: use at most this many patches per image, those in its smaller copies included: each of these takes
            at most half of what is left. If both budgets are set, the smaller one applies.
        signal: how the budget finds the worst boundaries: a name of :data:`bpr.geometry.budget.SIGNALS`.
        object_size: the largest object that the network knows, as the root of its area in pixels. A larger one is first
            refined in smaller copies of the image, from the coarsest to the finest; None: never.

    Raises:
        ValueError: a value of another type or out of its range.
    """

    blend: Blend = field(
        default="mean",
        metadata=_about("where patches overlap: take their mean, or give the middle of a patch more weight"),
    )
    caution: float | Literal["auto"] = field(
        default=0.0,
        metadata=_about(
            "auto: decide for every mask how much of the change to take; a number: change a pixel only if its probability "
            "is more than P away from one half",
            "P",
        ),
    )
    keep: float = field(
        default=1.0,
        metadata=_about("use only this share of an image's patches, those where boundaries look worst", "SHARE"),
    )
    max_patches: int | None = field(default=None, metadata=_about("use at most this many patches per image"))
    signal: str = field(default="off_edge", metadata=_about("how the budget finds the worst boundaries"))
    object_size: int | None = field(
        default=200,
        metadata=_about("objects with a larger root of the area, in pixels, are first refined in smaller copies of the image"),
    )

    def _rules(self) -> Iterator[Rule]:
        yield from super()._rules()
        yield "blend", *_choice(self.blend, get_args(Blend))
        yield "signal", *_choice(self.signal, SIGNALS)
        in_range = _number(self.caution) and 0 <= float(self.caution) < 0.5
        yield "caution", self.caution == AUTO or in_range, "auto, or a probability in [0, 0.5)"
        yield "keep", _number(self.keep) and 0 < self.keep <= 1, "a share in (0, 1]"
        allowed = self.max_patches is None or _whole(self.max_patches, 1)
        yield "max_patches", allowed, "a whole number of 1 or more"
        known = self.object_size is None or _whole(self.object_size, SMALLEST_OBJECT)
        yield "object_size", known, f"a whole number of {SMALLEST_OBJECT} or more pixels"

    @property
    def placement(self) -> Placement:
        """Where patches lie, without the rest."""
        return Placement(**{item.name: getattr(self, item.name) for item in fields(Placement)})

    def budget(self, count: int) -> int:
        """How many of an image's ``count`` patches are used.

        >>> [RefineOptions(keep=0.5).budget(7), RefineOptions(keep=0.5, max_patches=3).budget(7)]
        [4, 3]
        """
        # Ten digits: a share like .07 of 100 is 7, although its binary fraction is a little more.
        share = math.ceil(round(self.keep * count, 10))
        return share if self.max_patches is None else min(share, self.max_patches)


def command_options() -> list[Field[Any]]:
    """The fields of :class:`RefineOptions` that ``bpr refine`` offers."""
    return [item for item in fields(RefineOptions) if item.metadata["metavar"] or item.metadata["choices"]]


def to_dict(spec: PatchSpec, placement: Placement) -> dict[str, Any]:
    """The plain values of both, for a manifest or the metadata of a model; :func:`from_dict` reads them."""
    return {**asdict(spec), **asdict(placement), "inputs": list(spec.inputs)}


def from_dict(values: Any) -> tuple[PatchSpec, RefineOptions]:
    """Read the values of a manifest, a config or the metadata of a model; those of earlier versions too.

    >>> spec, options = from_dict({"kind": "grid", "side": 32})
    >>> spec.side, options.scheme
    (32, 'grid')

    Raises:
        ValueError: unknown names, or values that are not allowed.
    """
    if not isinstance(values, Mapping):
        raise ValueError(f"patch options: expected names and values, got {type(values).__name__}")
    values = {"scheme" if name == "kind" else name: value for name, value in values.items()}
    for name, neutral in RETIRED.items():
        value = values.pop(name, None)
        if value is not None and neutral is not None and value not in neutral:
            raise ValueError(f"{name}: expected {neutral[0]}, got {shown(value)}; this version refines every mask once")
    owners = {item.name: owner for owner in (PatchSpec, RefineOptions) for item in fields(owner)}
    if unknown := sorted(str(name) for name in values if name not in owners):
        raise ValueError(f"patch options: unknown names {unknown}")
    of_spec = {name: value for name, value in values.items() if owners[name] is PatchSpec}
    spec = PatchSpec(**of_spec)
    options = RefineOptions(**{name: value for name, value in values.items() if name not in of_spec})
    options.check_fits(spec)
    return spec, options


def from_config(refinement: Mapping[str, Any], part: Literal["train", "test"]) -> tuple[PatchSpec, RefineOptions]:
    """Read a config's ``refinement``: the patches that training and refining share, and the options of one of them.

    >>> from_config({"patch": {"side": 64}, "train": {"nms_iou": 0.25}, "test": {"nms_iou": 0.55}}, "test")[1].nms_iou
    0.55
    """
    return from_dict({**refinement["patch"], **refinement[part]})


def _whole(value: Any, least: int, most: float = math.inf) -> bool:
    """Whether the value is a whole number in this range; neither a bool nor 2.0 is one."""
    return type(value) is int and least <= value <= most


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _choice(value: Any, names: Iterable[str]) -> tuple[bool, str]:
    return isinstance(value, str) and value in tuple(names), f"one of {', '.join(names)}"
