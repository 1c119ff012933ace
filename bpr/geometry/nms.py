"""Greedy suppression among equal squares, in time that grows with the boundary and not with its square."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


def suppress_squares(rows: np.ndarray, columns: np.ndarray, side: int, iou: float) -> np.ndarray:
    """Indices, in order, of the squares that greedy non-maximum suppression keeps.

    Squares of one side are centred on N pixels given by ``rows`` and ``columns``, the best first. Two squares
    at offset (dx, dy) share (side - |dx|)(side - |dy|) pixels; they exclude each other when their IoU is
    larger than ``iou``. No general box code is needed: only the offset counts.

    >>> suppress_squares(np.zeros(5, int), np.array([0, 1, 2, 3, 4]), side=4, iou=0.25).tolist()
    [0, 3]
    """
    least_overlap = 2 * side * side * iou / (1 + iou)
    kept = []
    for index, near, alive in _greedy(rows, columns, side):
        kept.append(index)
        dx = np.maximum(side - np.abs(columns[near] - columns[index]), 0)
        dy = np.maximum(side - np.abs(rows[near] - rows[index]), 0)
        alive[near[dx * dy > least_overlap]] = 0
        alive[index] = 0
    return np.array(kept, dtype=np.intp)


def _greedy(rows: np.ndarray, columns: np.ndarray, side: int) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Walk the points still alive in order; yield each with the points of the 3x3 cells of one side around it."""
    flags = bytearray(b"\x01") * len(rows)
    alive = np.frombuffer(flags, np.uint8)
    cell_rows, cell_columns = rows // side, columns // side
    stride = int(cell_columns.max(initial=0)) + 3
    cells = (cell_rows + 1) * stride + cell_columns + 1
    by_cell = np.argsort(cells, kind="stable")
    sorted_cells = cells[by_cell]
    index = flags.find(1)
    while index >= 0:
        above = int(cells[index]) - stride
        firsts = np.searchsorted(sorted_cells, [above - 1, above + stride - 1, above + 2 * stride - 1])
        lasts = np.searchsorted(sorted_cells, [above + 2, above + stride + 2, above + 2 * stride + 2])
        yield index, np.concatenate([by_cell[a:b] for a, b in zip(firsts, lasts, strict=True)]), alive
        index = flags.find(1, index)
