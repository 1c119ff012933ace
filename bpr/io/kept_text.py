"""A text file of which some places are replaced: everything else stays byte for byte, spaces and spellings too."""

from __future__ import annotations

import json
import re
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from bpr.errors import BPRError
from bpr.io.files import atomic_open, open_regular, size_and_time
from bpr.io.json_stream import DECODER

SPACE = re.compile(r"[ \t\r\n]*")


class Span(NamedTuple):
    """The bytes from ``start`` to ``stop`` of a file, and those that replace them."""

    start: int
    stop: int
    new: bytes


Places = Callable[[bytes], Iterable[Span]]
"""Finds places in the content of a file, which do not overlap."""


class Changes(dict[Any, Any]):
    """New values in a JSON document, by key or index; Changes as a value go one level deeper.

    A key that an object does not have is added at its end.

    >>> changes = Changes(shapes=Changes({0: Changes(points=[[1, 2]])}))
    """


class KeptText:
    """A text file that is read again when its new version is written, which may be hours later."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamp = self._size_and_time()

    def _size_and_time(self) -> tuple[int, int]:
        try:
            return size_and_time(self.path)
        except OSError as error:
            raise BPRError(f"{self.path}: cannot read it ({error.strerror})") from None

    def read(self) -> bytes:
        """The content of the file.

        Raises:
            BPRError: the file has changed since it was opened.
        """
        if self._size_and_time() != self._stamp:
            raise BPRError(f"{self.path}: the file changed while it was read; start again when it stays as it is")
        with open_regular(self.path) as source:
            return source.read()

    def write(self, places: Places, out: Path) -> None:
        """Write the file to ``out`` with other bytes in some places.

        Raises:
            BPRError: the file has changed since it was opened, or ``out`` cannot be written.
        """
        content, written = self.read(), 0
        with atomic_open(out, "wb") as file:
            for start, stop, new in sorted(places(content)):
                file.write(content[written:start])
                file.write(new)
                written = stop
            file.write(content[written:])


def json_places(changes: Changes, *path: Any) -> Places:
    """The places of some values in a JSON file, which ``changes`` replace, below the keys of a ``path``."""
    for key in reversed(path) if changes else ():
        changes = Changes({key: changes})

    def places(content: bytes) -> list[Span]:
        if not changes:
            return []
        # One character per byte: the scanner needs only the ASCII of JSON's syntax, and finds positions in bytes.
        text = content.decode("latin-1")
        first = _after_space(text, len(BOM_UTF8) if content.startswith(BOM_UTF8) else 0)
        return _inner_spans(text, first, changes)[0]

    return places


def as_in(earlier: KeptText, there: Places, here: Places) -> Places:
    """The places that ``here`` finds, with the bytes of the places that ``there`` finds in an earlier version of the file."""

    def places(content: bytes) -> list[Span]:
        old = earlier.read()
        pairs = zip(sorted(here(content)), sorted(there(old)), strict=True)
        return [Span(start, stop, old[first:last]) for (start, stop, _), (first, last, _) in pairs]

    return places


def _inner_spans(text: str, start: int, changes: Changes) -> tuple[list[Span], int]:
    """The places to replace in the object or list at ``start``, and where that one ends."""
    is_object = text[start] == "{"
    position, index, stop = _after_space(text, start + 1), 0, start + 1
    gap, colon = "", ": "  # the text before the last key, and that between it and its value
    spans: dict[Any, list[Span]] = {}  # of a key that stands twice the last one is valid
    keys: set[Any] = set()
    while text[position] not in "}]":
        key: Any = index
        if is_object:
            gap = text[text.rfind(text[start] if not index else ",", 0, position) + 1 : position]
            key, after_key = DECODER.raw_decode(text, position)
            position = _after_space(text, _after_space(text, after_key) + 1)
            colon = text[after_key:position]
        keys.add(key)
        change = changes.get(key)
        if isinstance(change, Changes):
            spans[key], stop = _inner_spans(text, position, change)
        else:
            stop = DECODER.raw_decode(text, position)[1]
            if key in changes:
                spans[key] = [Span(position, stop, _in_style(change, text, position, stop).encode("ascii"))]
        position, index = _after_space(text, stop), index + 1
        if text[position] == ",":
            position = _after_space(text, position + 1)
    for key in changes.keys() - keys if is_object else ():
        new = f"{json.dumps(key)}{colon}{_in_style(changes[key], text, start, stop, deeper=True)}"
        spans[key] = [Span(stop, stop, f"{',' if keys else ''}{gap}{new}".encode("ascii"))]
    return [span for found in spans.values() for span in found], position + 1


def _after_space(text: str, position: int) -> int:
    found = SPACE.match(text, position)
    return found.end() if found else position


def _in_style(value: Any, text: str, start: int, stop: int, deeper: bool = False) -> str:
    """``value`` as JSON in the style of the value at ``start``: on indented lines, or on one with or without spaces.

    Args:
        deeper: ``value`` is to stand inside the one at ``start``, and not in its place.
    """
    old = text[start:stop]
    lines = old.split("\n")
    if len(lines) < 2:
        return json.dumps(value, separators=(",", ":") if "," in old and ", " not in old else None)
    margin, inner = _indent(text[text.rfind("\n", 0, start) + 1 : start]), _indent(lines[1])
    new = json.dumps(value, indent=inner.removeprefix(margin) or 1)
    return new.replace("\n", f"\n{inner if deeper else margin}")


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]
