"""COCO's run lengths: read from a counts string, painted, found in pixels and written again.

Legend: N run lengths, H W frame, h w box, w h the box column by column.
"""

from __future__ import annotations

import numpy as np

from bpr.compiled.machine_code import compiled

FINE, BROKEN, TOO_LONG = 0, 1, 2
LONGEST = 7
"""Groups of 5 bits that a run may have; more would be over 2^31 pixels."""


@compiled
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


@compiled
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


@compiled
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
    text, length = np.empty(LONGEST * count, np.uint8), 0
    for index in range(count):
        value = _run(edges, index) - (_run(edges, index - 2) if index > 2 else 0)
        more = True
        while more:
            code = value & 0x1F
            value >>= 5
            more = value != (-1 if code & 0x10 else 0)
            text[length] = (code | 0x20 * more) + 48
            length += 1
    return text[:length].copy()


@compiled
def _run(edges: np.ndarray, index: int) -> int:
    return edges[index] - (edges[index - 1] if index else 0)
