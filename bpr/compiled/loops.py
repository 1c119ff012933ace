"""The compiled loops: placing, evidence, putting patches back, run lengths.

The benchmark suites `refine` and `geometry` measure what they save. Every loop has one signature and is compiled when this
module is imported. The code does not check indices: callers must pass the right shapes and dtypes.

Legend: N pixels, K patches, h w sample.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numba import njit

BINS = 16
HALF = np.float32(0.5)
FINE, BROKEN, TOO_LONG = 0, 1, 2
"""What :func:`parsed_runs` found: run lengths, wrong or missing characters, or a run of too many pixels."""
LONGEST = 7
"""Groups of 5 bits that a run may have; more would be over 2^31 pixels."""


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


@_compiled("uint8[:, ::1](uint8[:, :, ::1], uint8[::1])")
def looked_up(colours: np.ndarray, table: np.ndarray) -> np.ndarray:
    """(h, w) uint8: the entry of the (4096,) uint8 ``table`` for every pixel of (h, w, 3) uint8 ``colours``."""
    found = np.empty(colours.shape[:2], np.uint8)
    for row in range(found.shape[0]):
        line, values = colours[row], found[row]
        for column in range(found.shape[1]):
            red, green, blue = line[column, 0] >> 4, line[column, 1] >> 4, line[column, 2] >> 4
            values[column] = table[np.int64(red) << 8 | np.int64(green) << 4 | np.int64(blue)]
    return found


@_compiled("void(uint8[:, :, ::1], int64[:, ::1], uint8[:, :, :, ::1], int64)")
def copy_windows(layer: np.ndarray, corners: np.ndarray, out: np.ndarray, first: int) -> None:
    """Write the windows of an (h, w, N) uint8 ``layer`` to the N channels of ``out`` (K, S, S, C) uint8 from ``first`` on.

    Args:
        corners: (K, 2) first column and row of every window, which lies inside the layer.
    """
    side, width = out.shape[1], layer.shape[2]
    for window in range(out.shape[0]):
        x, y = corners[window]
        for line in range(side):
            source, target = layer[y + line, x : x + side], out[window, line]
            for channel in range(width):
                for column in range(side):
                    target[column, first + channel] = source[column, channel]


@_compiled("void(float32[:, ::1], boolean[:, ::1], int64[:, ::1], float32[:, :, ::1], int64, float32[::1])")
def add_patches(
    excess: np.ndarray,
    covered: np.ndarray,
    corners: np.ndarray,
    probabilities: np.ndarray,
    padding: int,
    along: np.ndarray,
) -> None:
    """Add the weighted P - 1/2 of every patch to ``excess`` (h, w) float32, and note in ``covered`` (h, w) bool where it lies.

    Args:
        corners: (K, 2) first column and row of every patch within the arrays; what reaches beyond them is left out.
        probabilities: (K, S, S) float32, with their padding.
        along: (side,) float32 weights along one side of a patch; the weight of a pixel is the product of two.
    """
    tall, broad = excess.shape
    side = along.shape[0]
    for patch in range(corners.shape[0]):
        x0, y0 = corners[patch]
        first, end = max(-x0, 0), min(side, broad - x0)
        if first >= end:
            continue
        for line in range(max(-y0, 0), min(side, tall - y0)):
            sums = excess[y0 + line, x0 + first : x0 + end]
            answers = probabilities[patch, padding + line, padding + first : padding + end]
            weight = along[line] * along[first:end]
            for place in range(end - first):
                sums[place] += (answers[place] - HALF) * weight[place]
            covered[y0 + line, x0 + first : x0 + end] = True


@_compiled("Tuple((int64[::1], int64))(uint8[::1])")
def parsed_runs(text: np.ndarray) -> tuple[np.ndarray, int]:
    """(N,) int64 run lengths that the (n,) uint8 characters spell, and FINE, BROKEN (characters, or a cut end) or TOO_LONG."""
    runs = np.zeros(text.size, np.int64)
    count, groups, value, verdict = 0, 0, np.int64(0), FINE
    for character in text:
        code = np.int64(character) - 48
        if code < 0 or code > 63:
            return runs[:0], BROKEN
        if groups < LONGEST:
            value |= (code & 0x1F) << (5 * groups)
        else:
            verdict = TOO_LONG
        groups += 1
        if code & 0x20:
            continue
        if code & 0x10 and groups <= LONGEST:
            value -= np.int64(1) << (5 * groups)
        runs[count] = value + (runs[count - 2] if count > 2 else 0)
        count, groups, value = count + 1, 0, np.int64(0)
    return runs[:count], BROKEN if groups else verdict


@_compiled("Tuple((uint8[:, ::1], int64, int64))(int64[::1], int64)")
def painted(runs: np.ndarray, height: int) -> tuple[np.ndarray, int, int]:
    """The foreground of runs that fill a frame: its tight box as (w, h) uint8, and the box's left and top.

    Args:
        runs: (N,) int64, none negative.
        height: of the frame.
    """
    top, bottom, left, right, position = height, 0, -1, 0, 0
    for index in range(runs.size):
        start, position = position, position + runs[index]
        if index % 2 and position > start:
            column, last = start // height, (position - 1) // height
            left, right = column if left < 0 else left, last + 1
            whole = last > column  # it has reached the bottom, and the top of the next column
            top = 0 if whole else min(top, start - column * height)
            bottom = height if whole else max(bottom, position - column * height)
    side = max(bottom - top, 0)
    columns = np.zeros((right - max(left, 0), side), np.uint8)
    flat, position = columns.ravel(), 0
    for index in range(runs.size):
        start, position = position, position + runs[index]
        if index % 2 and position > start:
            column, last = start // height, (position - 1) // height
            first = (column - left) * side + start - column * height - top
            flat[first : (last - left) * side + position - last * height - top] = 1
    return columns, left, top


@_compiled("uint8[::1](uint8[:, ::1], int64, int64, int64, int64)")
def counts_string(columns: np.ndarray, left: int, top: int, height: int, width: int) -> np.ndarray:
    """(n,) uint8 characters of the compressed run lengths, background first, of a (w, h) uint8 box, 0 for background, in a frame."""
    edges, count = np.empty(columns.size + columns.shape[0] + 1, np.int64), 0
    for column in range(columns.shape[0]):
        line, before = columns[column], False
        place = (left + column) * height + top
        for row in range(line.size + 1):
            here = row < line.size and line[row] != 0
            if here != before:
                # A run that ends at the bottom of a column and one that starts at the top of the next are one run.
                if count and count % 2 == 0 and edges[count - 1] == place + row:
                    count -= 1
                else:
                    edges[count] = place + row
                    count += 1
                before = here
    if not count or edges[count - 1] < height * width:
        edges[count] = height * width
        count += 1
    runs = edges[:count].copy()
    runs[1:] -= edges[: count - 1]
    text, length = np.empty(LONGEST * count, np.uint8), 0
    for index in range(count):
        value = runs[index] - (runs[index - 2] if index > 2 else 0)
        more = True
        while more:
            code = value & 0x1F
            value >>= 5
            more = value != (-1 if code & 0x10 else 0)
            text[length] = (code | 0x20 * more) + 48
            length += 1
    return text[:length].copy()
