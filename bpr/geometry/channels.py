"""The channels of a network's input, one row each.

A row is all that a channel needs: cutting, the network's normalisation and its export read it, and nothing else
names a channel. Legend: h w part of an image, N width of a channel.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from bpr.geometry.evidence import evidence_of, evidence_table
from bpr.geometry.masks import BoxMask
from bpr.geometry.once import once


class Whole:
    """An image and the coarse mask of one instance in it: the input of every channel.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        mask: the coarse mask.
    """

    def __init__(self, image: np.ndarray, mask: BoxMask) -> None:
        self.image, self.mask = image, mask

    @once
    def evidence(self) -> np.ndarray:
        """(4096,) uint8: the colour evidence of every colour bin, measured once for all patches."""
        return evidence_table(self.image, self.mask)


@dataclass(frozen=True)
class Part:
    """A part of an instance as it is cut, resized or not.

    Attributes:
        whole: the instance.
        colours: (h, w, 3) uint8 RGB.
        coarse: (h, w) bool.
    """

    whole: Whole
    colours: np.ndarray
    coarse: np.ndarray


@dataclass(frozen=True)
class Channel:
    """One input of a network.

    Attributes:
        draw: makes (h, w) or (h, w, N) uint8 of a part of an instance.
        centre: (N,) the value that becomes 0 in the network.
        spread: (N,) the difference from the centre that becomes 1.
        resized: how the network resizes the channel to its own input side.
    """

    draw: Callable[[Part], np.ndarray]
    centre: Sequence[float]
    spread: Sequence[float]
    resized: Literal["bilinear", "nearest"] = "bilinear"

    @property
    def width(self) -> int:
        """N."""
        return len(self.centre)


CHANNELS = {
    # ImageNet's mean and standard deviation: backbones were pretrained with them.
    "rgb": Channel(lambda part: part.colours, (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
    "mask": Channel(lambda part: part.coarse * np.uint8(255), (127.5,), (127.5,), "nearest"),
    "evidence": Channel(lambda part: evidence_of(part.colours, part.whole.evidence), (128.0,), (127.0,)),
}


def draw_channels(part: Part, inputs: Sequence[str]) -> list[np.ndarray]:
    """(h, w, N) uint8 for each of the named channels of a part of an instance.

    Raises:
        ValueError: a channel whose shape or dtype differs from its row.
    """
    layers = []
    for name in inputs:
        channel = CHANNELS[name]
        layer = channel.draw(part)
        layer = layer[..., None] if layer.ndim == 2 else layer
        expected = (*part.coarse.shape, channel.width)
        if layer.shape != expected or layer.dtype != np.uint8:
            raise ValueError(f"channel {name}: expected {expected} uint8, got {layer.shape} {layer.dtype}")
        layers.append(layer)
    return layers
