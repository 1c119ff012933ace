"""COCO results of any size: checked once from beginning to end, then read record by record, whenever one is asked for."""

from __future__ import annotations

import os
import weakref
from array import array
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, overload

import numpy as np

from bpr.errors import BPRError, shown
from bpr.io.files import json_errors, open_regular
from bpr.io.json_stream import CHUNK, DECODER, JsonStream

Record = dict[str, Any]
RESULTS = "COCO results: a JSON list of detections"


class RecordFile(Sequence[Record]):
    """The records of a results file; memory holds the byte at which each begins, and not the record.

    Drawn in their order they cost least. Threads may read at once. The file has to stay as it is, and is looked at for that
    at every read; another file may take its place.

    Raises:
        BPRError: the file holds no COCO results, or has changed.
    """

    def __init__(self, path: str | Path, chunk: int = CHUNK) -> None:
        self._path, self._chunk = path, chunk
        with json_errors(path, RESULTS):
            self._file = open_regular(path)
            weakref.finalize(self, self._file.close)
            self._state = self._stated()
            self._starts = self._indexed()
        self._check_unchanged()

    def _indexed(self) -> np.ndarray:
        """(N + 1,) int64: the byte at which each of N records begins, and one behind them all."""
        stream = JsonStream(self._file, self._path, self._chunk)
        starts = array("q", (stream.start for _ in stream_records(stream, self._path)))
        starts.append(stream.tell())
        return np.array(starts, np.int64)

    def __len__(self) -> int:
        return len(self._starts) - 1

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> list[Record]: ...
    def __getitem__(self, index: int | slice) -> Record | list[Record]:
        if isinstance(index, slice):
            return [self[place] for place in range(len(self))[index]]
        place = range(len(self))[index]
        return _decode(self._read(*self._starts[place : place + 2].tolist()))

    def __iter__(self) -> Iterator[Record]:
        for first, last in self._blocks():
            places = self._starts[first : last + 1].tolist()
            content = self._read(places[0], places[-1])
            for start, stop in pairwise(places):
                yield _decode(content[start - places[0] : stop - places[0]])

    def _blocks(self) -> Iterator[tuple[int, int]]:
        """Records from .. to that are read at once."""
        first = 0
        while first < len(self):
            full = int(np.searchsorted(self._starts, self._starts[first] + self._chunk, "right"))
            yield first, max(first + 1, full - 1)
            first = max(first + 1, full - 1)

    def _read(self, start: int, stop: int) -> bytes:
        content = os.pread(self._file.fileno(), stop - start, start)
        self._check_unchanged()
        return content

    def _stated(self) -> tuple[int, int]:
        kept = os.fstat(self._file.fileno())
        return kept.st_size, kept.st_mtime_ns

    def _check_unchanged(self) -> None:
        if self._stated() != self._state:
            raise BPRError(f"{self._path}: the file changed while it was read; start again when it stays as it is")


def _decode(content: bytes) -> Record:
    """The record with which ``content`` begins; behind it come a comma and spaces, or the end of the list."""
    record: Record = DECODER.raw_decode(content.decode())[0]
    return record


def stream_records(stream: JsonStream, path: str | Path) -> Iterator[Record]:
    """The records of a results file, each checked when it is its turn.

    Raises:
        BPRError: no list of objects with ``image_id`` and ``segmentation``.
    """
    if stream.peek() != "[":
        raise BPRError(f"{path}: expected COCO results (a JSON list of detections), got a JSON {_other(stream)}")
    for index, record in enumerate(stream.elements()):
        if not isinstance(record, dict) or "image_id" not in record or "segmentation" not in record:
            raise BPRError(f"{path}: record {index}: expected an object with image_id and segmentation, got {shown(record)}")
        yield record
    stream.end()


def _other(stream: JsonStream) -> str:
    """What a file holds that is no list."""
    if stream.peek() != "{":
        return type(stream.value()).__name__
    keys = {key: stream.skip() for key in stream.names()}
    return "dict; annotation files go to --ann" if "annotations" in keys else "dict"
