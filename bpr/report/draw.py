"""Draw masks on images, and what refinement changed.

Legend: N masks, H W image, h w picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from bpr.errors import BPRError
from bpr.io.files import atomic_open

Colour = tuple[int, int, int]
Outlines = Sequence[tuple[np.ndarray, Colour, int]]
"""Stacks of masks whose outlines are drawn, each with a colour and a line width in pixels."""

PALETTE: tuple[Colour, ...] = (
    (255, 112, 67), (38, 198, 218), (255, 214, 79), (171, 124, 255), (118, 212, 95),
    (255, 105, 180), (66, 150, 255), (240, 160, 60), (70, 220, 170), (214, 214, 224),
)  # fmt: skip
COARSE, REFINED, TRUTH = (255, 82, 60), (60, 225, 255), (255, 255, 255)
"""Colours of the outlines of masks."""
BACKGROUND, INK = (24, 26, 30), (236, 238, 242)
"""Colours of the space between pictures, and of text."""

JPEG_ENDINGS = (".jpg", ".jpeg")
PANEL_WIDTH = 640
"""Width in pixels of either large picture."""
GAP = 12
"""Pixels between pictures."""
HEADER = 34
"""Height in pixels of a line of text above pictures."""
PLACES = 3
"""How many places are enlarged."""
ZOOM = 4
"""How much they are enlarged."""
PLACE_HEIGHT = 72
"""Height of such a place in pixels of the image; its width follows from the width of the picture."""


def overlay(
    image: np.ndarray, masks: np.ndarray | Sequence[np.ndarray], alpha: float = 0.3, width: int = 2
) -> np.ndarray:
    """(H, W, 3) uint8 RGB: every (H, W) mask as a tint of strength ``alpha`` with a contour ``width`` pixels wide.

    A dark line below a contour makes it visible on any image. The masks take the colours of the palette in turn.
    """
    picture = image.copy()
    for index, mask in enumerate(masks):
        inside = np.asarray(mask, bool)
        tint = np.array(PALETTE[index % len(PALETTE)])
        picture[inside] = np.round(picture[inside] * (1 - alpha) + tint * alpha).astype(np.uint8)
    for index, mask in enumerate(masks):
        draw_contour(picture, mask, BACKGROUND, width + 2)
        draw_contour(picture, mask, PALETTE[index % len(PALETTE)], width)
    return picture


def draw_contour(picture: np.ndarray, mask: np.ndarray, colour: Colour, width: int = 2, zoom: int = 1) -> None:
    """Draw the outline of a mask and of its holes into ``picture``, whose sides are ``zoom`` times the mask's.

    There is no outline along the edge of the picture.
    """
    enlarged = np.repeat(np.repeat(np.asarray(mask, np.uint8), zoom, axis=0), zoom, axis=1)
    # A repeated rim continues the object beyond the picture, so that the outline there is not visible.
    rim = width + 1
    beyond = cv2.copyMakeBorder(enlarged, rim, rim, rim, rim, cv2.BORDER_REPLICATE)
    contours, _ = cv2.findContours(beyond, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE, offset=(-rim, -rim))
    cv2.drawContours(picture, contours, -1, colour, width, cv2.LINE_AA)


def before_after(
    image: np.ndarray, coarse: np.ndarray, refined: np.ndarray, truth: np.ndarray | None = None
) -> np.ndarray:
    """(h, w, 3) uint8 RGB: coarse masks, refined masks, and below them the places where they differ most, enlarged.

    Args:
        image: (H, W, 3) uint8 RGB.
        coarse, refined, truth: (N, H, W) bool.
    """
    sides = ((coarse, "coarse"), (refined, "refined by BPR"))
    top = side_by_side([_panel(overlay(image, masks), title) for masks, title in sides])
    width = top.shape[1]
    place_size = PLACE_HEIGHT, (width - (PLACES - 1) * GAP) // PLACES // ZOOM
    places = changed_places(coarse, refined, place_size)
    if not places:
        return framed(top)
    bars = [blank(GAP, width), legend(width, truth is not None, f"where the masks differ most, x{ZOOM}")]
    outlines = [(coarse, COARSE, 2), *([] if truth is None else [(truth, TRUTH, 1)]), (refined, REFINED, 2)]
    tiles = [_tile(image, outlines, place, place_size) for place in places]
    return framed(np.concatenate([top, *bars, _row(tiles, width)]))


def changed_places(
    coarse: np.ndarray, refined: np.ndarray, size: tuple[int, int], most: int = PLACES
) -> list[tuple[int, int]]:
    """(row, column) of the top left corners of up to ``most`` windows of ``size = (h, w)``, the most changed first.

    A changed pixel counts for the first window that contains it. Windows lie inside the image if it is large enough.

    Args:
        coarse, refined: (N, H, W).

    >>> coarse, refined = np.zeros((1, 8, 8), bool), np.zeros((1, 8, 8), bool)
    >>> refined[0, 4:7, 4:7] = refined[0, 0, 1] = True
    >>> changed_places(coarse, refined, (4, 4))
    [(3, 3), (0, 0)]
    """
    changes = (np.asarray(coarse, bool) != np.asarray(refined, bool)).sum(axis=0).astype(np.float32)
    height, width = changes.shape
    places: list[tuple[int, int]] = []
    while len(places) < most and changes.any():
        density = cv2.GaussianBlur(changes, (0, 0), size[1] / 4, sigmaY=size[0] / 4, borderType=cv2.BORDER_CONSTANT)
        row, column = np.unravel_index(int(density.argmax()), density.shape)
        top = int(np.clip(row - size[0] // 2, 0, max(height - size[0], 0)))
        left = int(np.clip(column - size[1] // 2, 0, max(width - size[1], 0)))
        places.append((top, left))
        changes[top : top + size[0], left : left + size[1]] = 0
    return places


def _panel(picture: np.ndarray, title: str) -> np.ndarray:
    height = max(1, round(picture.shape[0] * PANEL_WIDTH / picture.shape[1]))
    shrinks = picture.shape[1] > PANEL_WIDTH
    scaled = cv2.resize(picture, (PANEL_WIDTH, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return titled(scaled, title)


def _tile(image: np.ndarray, outlines: Outlines, place: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    window = np.s_[place[0] : place[0] + size[0], place[1] : place[1] + size[1]]
    tile = np.repeat(np.repeat(image[window], ZOOM, axis=0), ZOOM, axis=1)
    for masks, colour, thickness in outlines:
        for mask in masks:
            draw_contour(tile, mask[window], colour, thickness, ZOOM)
    return tile


def _row(tiles: list[np.ndarray], width: int) -> np.ndarray:
    """Tiles side by side on a strip ``width`` pixels wide."""
    strip = blank(max(tile.shape[0] for tile in tiles), width)
    slot = (width + GAP) // PLACES
    for index, tile in enumerate(tiles):
        strip[: tile.shape[0], index * slot : index * slot + tile.shape[1]] = tile
    return strip


def legend(width: int, with_truth: bool = True, note: str = "") -> np.ndarray:
    """A line that names the colours of the outlines, followed by a note."""
    bar, left = blank(HEADER, width), 0
    for name, colour in [("coarse", COARSE), ("refined", REFINED), ("ground truth", TRUTH)][: 3 if with_truth else 2]:
        thickness, middle = 3 if colour != TRUTH else 1, HEADER // 2 - 2
        cv2.line(bar, (left, middle), (left + 26, middle), colour, thickness, cv2.LINE_AA)
        left = write_line(bar, name, left + 36) + 28
    write_line(bar, note, left)
    return bar


def side_by_side(pictures: Sequence[np.ndarray], gap: int = GAP) -> np.ndarray:
    """Pictures of one height with gaps of ``gap`` pixels between them."""
    between = blank(pictures[0].shape[0], gap)
    return np.concatenate([part for picture in pictures for part in (picture, between)][:-1], axis=1)


def framed(picture: np.ndarray) -> np.ndarray:
    return cv2.copyMakeBorder(picture, GAP, GAP, GAP, GAP, cv2.BORDER_CONSTANT, value=BACKGROUND)


def blank(height: int, width: int) -> np.ndarray:
    """(height, width, 3) uint8 of the background's colour."""
    return np.full((height, width, 3), BACKGROUND, np.uint8)


def titled(picture: np.ndarray, title: str) -> np.ndarray:
    """The picture with a line of text above it."""
    header = blank(HEADER, picture.shape[1])
    write_line(header, title, 0)
    return np.concatenate([header, picture])


def write_line(picture: np.ndarray, text: str, left: int) -> int:
    """Write text into a line of HEADER pixels; return the column where it ends."""
    font, scale = cv2.FONT_HERSHEY_SIMPLEX, 0.6
    (width, height), _ = cv2.getTextSize(text, font, scale, 1)
    cv2.putText(picture, text, (left, (HEADER + height) // 2 - 2), font, scale, INK, 1, cv2.LINE_AA)
    return left + width


def write_image(path: str | Path, image: np.ndarray) -> None:
    """Write an (h, w, 3) uint8 RGB image as JPEG, where the name ends so, or PNG. It appears complete or not at all.

    Raises:
        BPRError: the file cannot be written.
    """
    pixels = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    if Path(path).suffix.lower() in JPEG_ENDINGS:
        done, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 92])
    else:
        done, data = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    if not done:
        raise BPRError(f"{path}: OpenCV could not encode the picture")
    with atomic_open(path, "wb") as file:
        file.write(data.tobytes())
