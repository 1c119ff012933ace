"""Patches are cut and put back on the network's device, so that one process keeps a GPU busy.

An image is uploaded once, its patches are cut, answered, added up and thresholded on the device, and masks come back,
eight pixels to a byte. Every step has the bits of its twin in :mod:`bpr.geometry`. What a few samples of an image or its
masks decide stays on the CPU: where patches lie, and the table of the colour evidence. Resized patches (the scheme
``instance``) and channels without a row in :data:`LAYERS` are made in memory.

Legend: K patches, N instances, S window side, C channels, P pixels in the boxes of all instances, H W frame.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from bpr.geometry.boxes import Box
from bpr.geometry.evidence import BINS, evidence_table
from bpr.geometry.masks import BoxMask, check_image
from bpr.geometry.once import once
from bpr.geometry.options import Blend, Leaning, PatchSpec
from bpr.geometry.reassembly import EVEN, Blended, area_of, patch_weights
from bpr.refinement.workbench import Workbench, counts_to_slices

BITS = (128, 64, 32, 16, 8, 4, 2, 1)


@dataclass(frozen=True, eq=False)
class Windows:
    """The windows of an image's patches on the device.

    Attributes:
        image: (H, W, 3) uint8, in memory.
        masks: N.
        owners: (K,) the index of each patch's mask, in memory.
        rows, columns: (K, S) of the image; beyond the frame those of its edge.
        colours: (K, S, S, 3) uint8.
    """

    image: np.ndarray
    masks: Sequence[BoxMask]
    owners: np.ndarray
    rows: torch.Tensor
    columns: torch.Tensor
    colours: torch.Tensor

    def upload(self, array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array).to(self.colours.device)


def _coarse(windows: Windows) -> torch.Tensor:
    """(K, S, S, 1) uint8."""
    flat = Flat.of([mask.box for mask in windows.masks], windows.colours.device)
    pixels = windows.upload(np.concatenate([*(mask.pixels.ravel() for mask in windows.masks), [False]]).astype(np.uint8))
    return pixels[flat.places(windows.upload(windows.owners), windows.rows, windows.columns)][..., None] * 255


def _evidence(windows: Windows) -> torch.Tensor:
    """(K, S, S, 1) uint8."""
    shown, which = np.unique(windows.owners, return_inverse=True)
    tables = np.concatenate([evidence_table(windows.image, windows.masks[index]) for index in shown])
    red, green, blue = (windows.colours.long() >> 4).unbind(-1)
    bins = windows.upload(which)[:, None, None] * BINS**3 + (red << 8 | green << 4 | blue)
    return windows.upload(tables)[bins][..., None]


LAYERS: dict[str, Callable[[Windows], torch.Tensor]] = {
    "rgb": lambda windows: windows.colours,
    "mask": _coarse,
    "evidence": _evidence,
}
"""The channels that are made on the device, as :data:`bpr.geometry.channels.CHANNELS` makes them in memory."""


@dataclass(frozen=True, eq=False)
class Flat:
    """The pixels of N boxes, one box after the other, as places 0 .. P - 1; P is the place of pixels outside.

    Attributes:
        left, top, width, height, start: (N,) int64 on the device.
        parts: N, the places of every box.
    """

    left: torch.Tensor
    top: torch.Tensor
    width: torch.Tensor
    height: torch.Tensor
    start: torch.Tensor
    parts: Sequence[slice]

    @property
    def pixels(self) -> int:
        """P."""
        return self.parts[-1].stop

    @classmethod
    def of(cls, boxes: Sequence[Box], device: torch.device) -> Flat:
        sides = np.array(boxes, np.int64).reshape(-1, 4)
        width, height = sides[:, 2] - sides[:, 0], sides[:, 3] - sides[:, 1]
        parts = counts_to_slices((width * height).tolist())
        starts = np.array([part.start for part in parts], np.int64)
        table = torch.from_numpy(np.stack([sides[:, 0], sides[:, 1], width, height, starts])).to(device)
        return cls(*table, parts)

    def places(self, owners: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
        """(K, S, S) int64: where the pixels of K squares lie in the boxes of their owners."""
        y, x = rows - self.top[owners, None], columns - self.left[owners, None]
        width, height, start = (of[owners, None] for of in (self.width, self.height, self.start))
        inside = ((y >= 0) & (y < height))[:, :, None] & ((x >= 0) & (x < width))[:, None, :]
        places = (start + y * width)[:, :, None] + x[:, None, :]
        return torch.where(inside, places, self.pixels)


class CardBlended(Blended):
    """The patches of an instance, added up on the device. The sums come to memory when they are asked for."""

    def __init__(self, mask: BoxMask, boxes: np.ndarray, sums: Sums, index: int) -> None:
        vars(self).update(mask=mask, boxes=boxes, blend=sums.blend, box=area_of(mask, boxes), _sums=sums, _part=sums.parts[index])

    @once
    def excess(self) -> np.ndarray:  # type: ignore[override]
        return self._sums.in_memory[0][self._part].reshape(self.coarse.shape)

    @once
    def covered(self) -> np.ndarray:  # type: ignore[override]
        return self._sums.in_memory[1][self._part].reshape(self.coarse.shape)

    def refined(self, leaning: Leaning = EVEN) -> BoxMask:
        foreground = self._sums.settled.get(leaning)
        if foreground is None or not len(self.boxes):
            return super().refined(leaning)
        refined = BoxMask(foreground[self._part].reshape(self.coarse.shape), *self.box[:2], self.mask.frame).trimmed()
        return refined if refined.pixels.size else self.mask


class Sums:
    """The weighted sums of P - 1/2 of all instances of an image, on the device.

    Attributes:
        parts: the places of the pixels of every instance.
        settled: the (P,) bool foreground at a leaning, in memory.
    """

    def __init__(
        self, flat: Flat, corners: torch.Tensor, owners: np.ndarray, probabilities: torch.Tensor, spec: PatchSpec, blend: Blend
    ) -> None:
        self.blend, self.parts, self._device = blend, flat.parts, probabilities.device
        self.settled: dict[Leaning, np.ndarray] = {}
        along = torch.arange(spec.side, device=self._device)
        places = flat.places(self._uploaded(owners), corners[:, 1, None] + along, corners[:, 0, None] + along)
        self._weights = self._uploaded(patch_weights(spec.side, blend).copy())
        # The first patches of all instances are added, then the second ones and so on. No two patches of a round share a
        # pixel, so the device may add them in any order, and every sum has the order of the boxes.
        first = np.searchsorted(owners, owners)
        ranks = np.arange(len(owners)) - first
        rounds = np.split(np.argsort(ranks, kind="stable"), np.cumsum(np.bincount(ranks))[:-1])
        self._rounds = [(one, places[one]) for one in map(self._uploaded, rounds)]
        centre = slice(spec.padding, spec.padding + spec.side)
        self._size = flat.pixels + 1
        self._excess = self._added((probabilities[:, centre, centre] - 0.5) * self._weights)
        self._covered = torch.zeros(self._size, dtype=torch.bool, device=self._device)
        self._covered[places.ravel()] = True

    @once
    def in_memory(self) -> tuple[np.ndarray, np.ndarray]:
        """(P,) float32 sums, and (P,) bool: where patches lie."""
        return self._excess[:-1].cpu().numpy(), self._covered[:-1].cpu().numpy()

    def settle(self, coarse: np.ndarray, leaning: Leaning) -> None:
        """Threshold the sums on the device.

        Args:
            coarse: (P,) bool.
        """
        before, excess = self._uploaded(coarse), self._excess[:-1]
        if leaning != EVEN:
            weights = self._added(self._weights.expand(sum(len(one) for one, _ in self._rounds), -1, -1))[:-1]
            inside, outside = (torch.tensor(value, dtype=torch.float32, device=self._device) for value in leaning)
            excess = excess + torch.where(before, inside, outside) * weights
        foreground = torch.where(self._covered[:-1], excess > 0, before)
        octets = torch.nn.functional.pad(foreground, (0, -len(foreground) % 8)).view(-1, 8)
        packed = (octets * torch.tensor(BITS, device=self._device)).sum(1).to(torch.uint8)
        self.settled[leaning] = np.unpackbits(packed.cpu().numpy(), count=len(foreground)).view(bool)

    def _added(self, values: torch.Tensor) -> torch.Tensor:
        """(P + 1,) float32: the sum of (K, S, S) values at every place; the last one is that of pixels outside."""
        total = torch.zeros(self._size, device=self._device)
        for patches, places in self._rounds:
            total.index_add_(0, places.ravel(), values[patches].ravel())
        return total

    def _uploaded(self, array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array).to(self._device)


class Card(Workbench):
    """Cuts patches and puts them back on a device of torch."""

    def __init__(self, device: torch.device) -> None:
        self._device = device

    @torch.no_grad()
    def cut(self, image: np.ndarray, masks: Sequence[BoxMask], boxes: Sequence[np.ndarray], spec: PatchSpec) -> torch.Tensor:
        if not _cut_as_they_are(boxes, spec) or any(name not in LAYERS for name in spec.inputs):
            return torch.from_numpy(super().cut(image, masks, boxes, spec)).to(self._device)
        height, width = masks[0].frame
        check_image(image, (height, width))
        pixels = torch.from_numpy(np.require(image, requirements=["C", "W"])).to(self._device)
        corners, along = self._corners(boxes) - spec.padding, torch.arange(spec.window, device=self._device)
        rows, columns = ((corners[:, axis, None] + along).clamp(0, side - 1) for axis, side in ((1, height), (0, width)))
        colours = pixels[rows[:, :, None], columns[:, None, :]]
        windows = Windows(image, masks, owners_of(boxes), rows, columns, colours)
        return torch.cat([LAYERS[name](windows) for name in spec.inputs], dim=3)

    def unanswered(self, count: int, side: int) -> torch.Tensor:
        return torch.empty((count, side, side), device=self._device)

    def joined(self, patches: Sequence[torch.Tensor]) -> torch.Tensor:
        return torch.cat(list(patches))

    def in_memory(self, array: torch.Tensor) -> np.ndarray:
        return array.cpu().numpy()

    @torch.no_grad()
    def blended(
        self,
        masks: Sequence[BoxMask],
        boxes: Sequence[np.ndarray],
        probabilities: torch.Tensor,
        spec: PatchSpec,
        blend: Blend,
        leaning: Leaning | None,
    ) -> list[Blended]:
        if not _cut_as_they_are(boxes, spec):
            return super().blended(masks, boxes, self.in_memory(probabilities), spec, blend, leaning)
        pairs = list(zip(masks, boxes, strict=True))
        flat = Flat.of([area_of(*pair) for pair in pairs], self._device)
        sums = Sums(flat, self._corners(boxes), owners_of(boxes), probabilities, spec, blend)
        found: list[Blended] = [CardBlended(*pair, sums, index) for index, pair in enumerate(pairs)]
        if leaning is not None:
            sums.settle(np.concatenate([one.coarse.ravel() for one in found]), leaning)
        return found

    def _corners(self, boxes: Sequence[np.ndarray]) -> torch.Tensor:
        """(K, 2) int64: the first column and row of every patch."""
        return torch.from_numpy(np.concatenate(boxes)[:, :2].astype(np.int64)).to(self._device)


def owners_of(boxes: Sequence[np.ndarray]) -> np.ndarray:
    """(K,) int64: the instance of every patch."""
    return np.repeat(np.arange(len(boxes)), [len(those) for those in boxes])


def _cut_as_they_are(boxes: Sequence[np.ndarray], spec: PatchSpec) -> bool:
    """Whether there are patches, and none is resized."""
    sides = [spec.resizes(those[0]) for those in boxes if len(those)]
    return bool(sides) and not any(sides)
