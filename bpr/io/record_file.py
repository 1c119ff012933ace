"""COCO results of any size: the whole file is checked once, then records are read from it when they are needed."""

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
from bpr.io.files import json_errors, open_regular, size_and_time
from bpr.io.json_stream import CHUNK, DECODER, JsonStream
from bpr.limits import is_id

Record = dict[str, Any]
RESULTS = "COCO results: a JSON list of detections"


def called(record: Record, index: int, kind: str = "record") -> str:
    """How a line to the user calls a record: by its id, as ``--ids`` does, or by its position where it has none.

    >>> called({"id": 7}, 0), called({}, 3), called({"id": None}, 3, "annotation")
    ('record id 7', 'record 3', 'annotation 3')
    """
    return f"{kind} id {shown(record['id'])}" if is_id(record.get("id")) else f"{kind} {index}"


class RecordFile(Sequence[Record]):
    """The records of a results file as a sequence; memory holds only the byte at which each record begins.

    Reading in order is fastest. Several threads may read at once. The file must not change while it is in use, which
    every read checks; it may be replaced by another file of the same name.

    Args:
        chunk: bytes that one read takes from the file.

    Raises:
        BPRError: the file does not hold COCO results, or has changed since it was opened.
    """

    def __init__(self, path: str | Path, chunk: int = CHUNK) -> None:
        self._path, self._chunk = path, chunk
        with json_errors(path, RESULTS):
            self._file = open_regular(path)
            weakref.finalize(self, self._file.close)
            self._opened_as = size_and_time(self._file.fileno())
            stream = JsonStream(self._file, path, chunk)
            starts = array("q", (stream.start for _ in stream_records(stream, path)))
            starts.append(stream.tell())
            # (N + 1,) the byte at which each of N records begins, and the end of the last one.
            self._starts = np.array(starts, np.int64)
        self._check_unchanged()

    def __len__(self) -> int:
        return len(self._starts) - 1

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> list[Record]: ...
    def __getitem__(self, index: int | slice) -> Record | list[Record]:
        if isinstance(index, slice):
            return [self[number] for number in range(len(self))[index]]
        number = range(len(self))[index]
        return _decode(self._read(*self._starts[number : number + 2].tolist()))

    def __iter__(self) -> Iterator[Record]:
        first = 0
        while first < len(self):
            # One read takes as many whole records as a chunk holds, but at least one.
            beyond = int(np.searchsorted(self._starts, self._starts[first] + self._chunk, "right"))
            last = max(first + 1, beyond - 1)
            starts = self._starts[first : last + 1].tolist()
            content = self._read(starts[0], starts[-1])
            for start, stop in pairwise(starts):
                yield _decode(content[start - starts[0] : stop - starts[0]])
            first = last

    def _read(self, start: int, stop: int) -> bytes:
        content = os.pread(self._file.fileno(), stop - start, start)
        self._check_unchanged()
        return content

    def _check_unchanged(self) -> None:
        if size_and_time(self._file.fileno()) != self._opened_as:
            raise BPRError(f"{self._path}: the file changed while it was read; start again when it stays as it is")


def _decode(content: bytes) -> Record:
    """The record at the beginning of ``content``; a comma and white space, or the end of the list, may follow it."""
    record: Record = DECODER.raw_decode(content.decode())[0]
    return record


def stream_records(stream: JsonStream, path: str | Path) -> Iterator[Record]:
    """The records of a results file, each decoded and checked only when it is asked for.

    Raises:
        BPRError: the file is not a list of objects with ``image_id`` and ``segmentation``.
    """
    if stream.peek() != "[":
        found = "dict" if stream.peek() == "{" else type(stream.value()).__name__
        if found == "dict" and "annotations" in {key: stream.skip() for key in stream.names()}:
            found = "dict; annotation files go to --ann"
        raise BPRError(f"{path}: expected COCO results (a JSON list of detections), got a JSON {found}")
    for index, record in enumerate(stream.elements()):
        if not isinstance(record, dict) or "image_id" not in record or "segmentation" not in record:
            raise BPRError(f"{path}: record {index}: expected an object with image_id and segmentation, got {shown(record)}")
        yield record
    stream.end()
