"""The compiled loops: where patches lie, and how often each colour is inside and outside a mask.

benchmarks/studies/compiled_loops.py measures what each saves. Every loop has one signature and is compiled when this
module is imported. The code does not check indices: callers must pass the right shapes and dtypes.

Legend: N pixels, K patches, h w sample.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numba import njit

BINS = 16


def _compiled(signature: str) -> Callable[[Callable], Callable]:
    """Compile for one signature, without the interpreter's lock, and keep the machine code for the next process."""

    def compile(function: Callable) -> Callable:
        try:
            return njit(signature, nogil=True, cache=True)(function)
        except Exception:  # there is no folder to keep machine code in, or its files are damaged
            return njit(signature, nogil=True)(function)

    return compile


@_compiled("int32[:, ::1](int64[::1], int64[::1], int64, int64[::1], int64, int64, int64)")
def covering_squares(
    rows: np.ndarray, columns: np.ndarray, side: int, reach: np.ndarray, margin: int, height: int, width: int
) -> np.ndarray:
    """(K, 4) int32: the squares on (N,) pixels that greedy suppression keeps, then squares on pixels still uncovered.

    Args:
        reach: (side,) how far left and right a square excludes others, at every vertical offset; -1: it excludes none.
        margin: a square covers a pixel that is at least this far from each of its sides inside the frame.
    """
    count = rows.size
    if not count:
        return np.empty((0, 4), np.int32)
    top, left = rows.min(), columns.min()
    free = np.ones((rows.max() - top + 1, columns.max() - left + 1), np.uint8)
    uncovered = free.copy()
    tall, broad = free.shape
    last_x, last_y = max(width - side, 0), max(height - side, 0)
    boxes, kept = np.empty((count, 4), np.int32), 0
    for topping_up in (False, True):
        wanted = uncovered if topping_up else free
        for pixel in range(count):
            row, column = rows[pixel] - top, columns[pixel] - left
            if not wanted[row, column]:
                continue
            x0 = min(max(columns[pixel] - side // 2, 0), last_x)
            y0 = min(max(rows[pixel] - side // 2, 0), last_y)
            x1, y1 = x0 + side, y0 + side
            boxes[kept] = x0, y0, x1, y1
            kept += 1
            free[row, column] = uncovered[row, column] = 0  # whatever the arguments are, no pixel is kept twice
            if not topping_up:
                for line in range(max(row - side + 1, 0), min(row + side, tall)):
                    far = reach[abs(line - row)]
                    free[line, max(column - far, 0) : column + far + 1] = 0
            first = max(x0 + margin * (x0 > 0) - left, 0)
            end = min(max(x1 - margin * (x1 < width) - left, 0), broad)
            for line in range(max(y0 + margin * (y0 > 0) - top, 0), min(y1 - margin * (y1 < height) - top, tall)):
                uncovered[line, first:end] = 0
    return boxes[:kept].copy()


@njit(nogil=True)
def _smoothed(counts: np.ndarray) -> np.ndarray:
    """Four times the smoothed counts along the first axis, which becomes the last; three calls smooth all axes."""
    smooth = np.empty_like(counts)
    for index in range(BINS):
        before, after = counts[max(index - 1, 0)], counts[min(index + 1, BINS - 1)]
        for first in range(BINS):
            for second in range(BINS):
                both_sides = before[first, second] + after[first, second]
                smooth[first, second, index] = both_sides + 2 * counts[index, first, second]
    return smooth


@_compiled("float64[:, ::1](uint8[:, :, ::1], uint8[:, ::1], uint8[:, ::1], float64)")
def colour_frequencies(sample: np.ndarray, inside: np.ndarray, outside: np.ndarray, floor: float) -> np.ndarray:
    """(2, 4096) float64 smoothed frequencies of the colour bins inside and outside, plus ``floor``; uniform without pixels.

    Args:
        sample: (h, w, 3) uint8 RGB.
        inside: (h, w) uint8, 0 or 1; a pixel that is both inside and ``outside`` counts for neither.
    """
    counted = np.zeros((4, BINS, BINS, BINS), np.int32)
    for row in range(inside.shape[0]):
        colours, within, beyond = sample[row], inside[row], outside[row]
        for column in range(inside.shape[1]):
            red, green, blue = colours[column, 0] >> 4, colours[column, 1] >> 4, colours[column, 2] >> 4
            counted[within[column] + 2 * beyond[column], red, green, blue] += 1
    frequencies = np.full((2, BINS, BINS, BINS), 1 / BINS**3 + floor)
    for side in range(2):
        counts, total = counted[1 + side], counted[1 + side].sum()
        if total:
            # A quarter, a half and a quarter along each axis, in whole numbers: the order of the sums changes nothing.
            for _ in range(3):
                counts = _smoothed(counts)
            frequencies[side] = counts / 64 / total + floor
    return frequencies.reshape(2, BINS**3)
