"""Patches: proposed, cut and put back.

Legend: N pixels, K patches, S window side, H W frame, h w box.
"""

from __future__ import annotations

import numpy as np

from bpr.compiled.machine_code import compiled

HALF = np.float32(0.5)
BINS = 16


@compiled
def covering_squares(
    rows: np.ndarray, columns: np.ndarray, side: int, reach: np.ndarray, margin: int, height: int, width: int
) -> np.ndarray:
    """(K, 4) int32: what greedy suppression keeps of the squares on (N,) pixels, then squares on pixels still bare.

    Args:
        reach: (side,) how far to either side a square excludes others, at every vertical offset; -1 where it excludes none.
        margin: a pixel is covered so many pixels off the sides of a square that are not the frame's.
    """
    count = rows.size
    if not count:
        return np.empty((0, 4), np.int32)
    top, left = rows.min(), columns.min()
    free = np.ones((rows.max() - top + 1, columns.max() - left + 1), np.uint8)
    bare = free.copy()
    tall, broad = free.shape
    last_x, last_y = max(width - side, 0), max(height - side, 0)
    boxes, kept = np.empty((count, 4), np.int32), 0
    for topping_up in (False, True):
        wanted = bare if topping_up else free
        for pixel in range(count):
            row, column = rows[pixel] - top, columns[pixel] - left
            if not wanted[row, column]:
                continue
            x0 = min(max(columns[pixel] - side // 2, 0), last_x)
            y0 = min(max(rows[pixel] - side // 2, 0), last_y)
            x1, y1 = x0 + side, y0 + side
            boxes[kept] = x0, y0, x1, y1
            kept += 1
            free[row, column] = bare[row, column] = 0  # whatever the numbers are, no pixel is kept twice
            if not topping_up:
                for line in range(max(row - side + 1, 0), min(row + side, tall)):
                    far = reach[abs(line - row)]
                    free[line, max(column - far, 0) : column + far + 1] = 0
            first = max(x0 + margin * (x0 > 0) - left, 0)
            end = min(max(x1 - margin * (x1 < width) - left, 0), broad)
            for line in range(max(y0 + margin * (y0 > 0) - top, 0), min(y1 - margin * (y1 < height) - top, tall)):
                bare[line, first:end] = 0
    return boxes[:kept].copy()


@compiled
def colour_frequencies(sample: np.ndarray, inside: np.ndarray, outside: np.ndarray, floor: float) -> np.ndarray:
    """(2, 4096) float64 frequencies of the colour bins inside and outside, smoothed, plus ``floor``; uniform where no pixel is.

    Args:
        sample: (h, w, 3) uint8 RGB.
        inside: (h, w) uint8, 0 or 1; a pixel that is both inside and ``outside`` counts for neither.
    """
    counted = np.zeros((4, BINS, BINS, BINS), np.int32)
    for row in range(inside.shape[0]):
        colours, own, others = sample[row], inside[row], outside[row]
        for column in range(inside.shape[1]):
            red, green, blue = colours[column, 0] >> 4, colours[column, 1] >> 4, colours[column, 2] >> 4
            counted[own[column] + 2 * others[column], red, green, blue] += 1
    frequencies = np.full((2, BINS, BINS, BINS), 1 / BINS**3 + floor)
    for side in range(2):
        total = counted[1 + side].sum()
        if total:
            _smooth(counted[1 + side], total, floor, frequencies[side])
    return frequencies.reshape(2, BINS**3)


@compiled
def _smooth(counts: np.ndarray, total: int, floor: float, out: np.ndarray) -> None:
    """Write a quarter, a half and a quarter along red, green and blue: whole numbers till the end, so that no order of sums tells."""
    once, twice = np.empty_like(counts), np.empty_like(counts)
    for red in range(BINS):
        before, after = max(red - 1, 0), min(red + 1, BINS - 1)
        for green in range(BINS):
            for blue in range(BINS):
                once[red, green, blue] = counts[before, green, blue] + 2 * counts[red, green, blue] + counts[after, green, blue]
    for red in range(BINS):
        for green in range(BINS):
            before, after = max(green - 1, 0), min(green + 1, BINS - 1)
            for blue in range(BINS):
                twice[red, green, blue] = once[red, before, blue] + 2 * once[red, green, blue] + once[red, after, blue]
    for red in range(BINS):
        for green in range(BINS):
            line = twice[red, green]
            for blue in range(BINS):
                before, after = max(blue - 1, 0), min(blue + 1, BINS - 1)
                out[red, green, blue] = (line[before] + 2 * line[blue] + line[after]) / 64 / total + floor


@compiled
def looked_up(colours: np.ndarray, table: np.ndarray) -> np.ndarray:
    """(h, w) uint8: the entry of the (4096,) uint8 ``table`` for every pixel of (h, w, 3) uint8 ``colours``."""
    found = np.empty(colours.shape[:2], np.uint8)
    for row in range(found.shape[0]):
        line, values = colours[row], found[row]
        for column in range(found.shape[1]):
            red, green, blue = line[column, 0] >> 4, line[column, 1] >> 4, line[column, 2] >> 4
            values[column] = table[np.int64(red) << 8 | np.int64(green) << 4 | np.int64(blue)]
    return found


@compiled
def add_patches(
    excess: np.ndarray,
    covered: np.ndarray,
    corners: np.ndarray,
    probabilities: np.ndarray,
    padding: int,
    weights: np.ndarray,
) -> None:
    """Add the weighted P - 1/2 of every patch to ``excess`` (h, w) float32, and note in ``covered`` (h, w) bool where it lies.

    Args:
        corners: (K, 2) first column and row of every patch within the arrays; what reaches beyond them is left out.
        probabilities: (K, S, S) float32, with their padding.
        weights: (side, side) float32.
    """
    tall, broad = excess.shape
    side = weights.shape[0]
    for patch in range(corners.shape[0]):
        x0, y0 = corners[patch]
        first, end = max(-x0, 0), min(side, broad - x0)
        if first >= end:
            continue
        for line in range(max(-y0, 0), min(side, tall - y0)):
            sums = excess[y0 + line, x0 + first : x0 + end]
            answers = probabilities[patch, padding + line, padding + first : padding + end]
            weight = weights[line, first:end]
            for place in range(end - first):
                sums[place] += (answers[place] - HALF) * weight[place]
            covered[y0 + line, x0 + first : x0 + end] = True


@compiled
def settled(excess: np.ndarray, covered: np.ndarray, coarse: np.ndarray) -> tuple[np.ndarray, int, int]:
    """The (h, w) bool foreground where the covered pixels' excess decides, ``coarse`` elsewhere, cut to its tight box.

    Returns:
        The pixels and the column and row of their corner; (0, 0) pixels without foreground.
    """
    tall, broad = excess.shape
    foreground = np.empty((tall, broad), np.bool_)
    top, bottom, left, right = tall, 0, broad, 0
    for row in range(tall):
        sums, decided, given, line = excess[row], covered[row], coarse[row], foreground[row]
        count = 0
        for column in range(broad):
            line[column] = sums[column] > 0 if decided[column] else given[column]
            count += line[column]
        if count:
            top, bottom = min(top, row), row + 1
            first, end = 0, broad
            while not line[first]:
                first += 1
            while not line[end - 1]:
                end -= 1
            left, right = min(left, first), max(right, end)
    return foreground[top:bottom, left:right].copy(), left, top
