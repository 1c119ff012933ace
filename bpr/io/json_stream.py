"""JSON read piece by piece: the elements of a list and the keys of an object one at a time, however long the file is."""

from __future__ import annotations

import codecs
import json
import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from typing import IO, Any

from bpr.errors import BPRError
from bpr.limits import DEEPEST_JSON, LARGEST_VALUE, check_depth

CHUNK = 2**22
"""Bytes that are read at once."""
LONGEST_TOKEN = len(r"\ud83d\ude00")
"""Characters that the decoder looks at together: nearer to the end, an error may mean that the rest is not read yet."""
DECODER = json.JSONDecoder()
SOMETHING = re.compile(r"[^ \t\n\r]")


class JsonStream:
    """A place in a JSON file, which every method moves on.

    Raises:
        ValueError: it is no JSON; what the json module says of the whole file, with line and column.
        BPRError: a value is too long or too deep; ``where`` says which file holds it.

    >>> import io
    >>> stream = JsonStream(io.BytesIO(b'{"a": [1, 22], "b": 3}'), "example")
    >>> [(key, list(stream.elements()) if stream.peek() == "[" else stream.value()) for key in stream.names()]
    [('a', [1, 22]), ('b', 3)]
    """

    def __init__(self, file: IO[bytes], where: object, chunk: int = CHUNK) -> None:
        self._file, self._where, self._chunk = file, where, chunk
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._text, self._place = "", 0
        self._bytes, self._counted = _pass_mark(file), 0
        self._chars = self._lines = self._column = 0
        self.start = 0
        """The byte at which the last value began."""

    def tell(self) -> int:
        """The byte that comes next."""
        self._bytes += len(self._text[self._counted : self._place].encode())
        self._counted = self._place
        return self._bytes

    def peek(self) -> str:
        """The next character that is no space; empty at the end of the file."""
        while True:
            found = SOMETHING.search(self._text, self._place)
            self._place = found.start() if found else len(self._text)
            if found or not self._more():
                return self._text[self._place : self._place + 1]

    def value(self) -> Any:
        """The next value, decoded whole."""
        self.peek()
        self.start = self.tell()
        while True:
            try:
                value, end = DECODER.raw_decode(self._text, self._place)
            except json.JSONDecodeError as error:
                if not (self._is_cut(error) and self._more()):
                    raise self._wrong(error.msg, error.pos) from None
                continue
            if end < len(self._text) - len("e-") or not self._more():  # a number at the end may go on
                self._check_depth(value, end)
                self._place = end
                return value

    def skip(self) -> Any:
        """Pass the next value; what is no list comes back, of a list an empty one."""
        if self.peek() != "[":
            return self.value()
        for _ in self.elements():
            pass
        return []

    def elements(self) -> Iterator[Any]:
        """The elements of the list that comes next, each decoded when it is its turn."""
        return (self.value() for _ in self._members("]"))

    def names(self) -> Iterator[str]:
        """The keys of the object that comes next; whoever draws them takes the value behind each."""
        for _ in self._members("}"):
            if self.peek() != '"':
                raise self._wrong("Expecting property name enclosed in double quotes", self._place)
            key = self.value()
            if self.peek() != ":":
                raise self._wrong("Expecting ':' delimiter", self._place)
            self._place += 1
            yield key

    def end(self) -> None:
        """Raise a ValueError where anything but spaces is left."""
        if self.peek():
            raise self._wrong("Extra data", self._place)

    def _members(self, close: str) -> Iterator[None]:
        """Stop before every member of the list or object that opens here, and at last behind it."""
        self.peek()
        self._place += 1
        if self.peek() != close:
            yield
            while self.peek() == ",":
                self._place += 1
                yield
        if self.peek() != close:
            raise self._wrong("Expecting ',' delimiter", self._place)
        self._place += 1

    def _check_depth(self, value: Any, end: int) -> None:
        """What has few brackets is not looked into: that would take as long as decoding it."""
        if self._text.count("[", self._place, end) + self._text.count("{", self._place, end) >= DEEPEST_JSON:
            check_depth([value], self._where)

    def _is_cut(self, error: json.JSONDecodeError) -> bool:
        return error.pos >= len(self._text) - LONGEST_TOKEN or error.msg.startswith("Unterminated string")

    def _more(self) -> bool:
        """Read on, and drop what has been passed; False at the end of the file, and then nothing has changed."""
        left = len(self._text) - self._place
        if left > LARGEST_VALUE:
            raise BPRError(f"{self._where}: expected JSON values of at most {LARGEST_VALUE} characters, got a longer one")
        content = self._file.read(max(self._chunk, left))  # at least twice as much as before: what is cut is not decoded often
        more = self._decoded(content)
        if not content:
            return False
        self._pass(self._text[: self._place])
        self._text, self._place, self._counted = self._text[self._place :] + more, 0, 0
        return True

    def _decoded(self, content: bytes) -> str:
        try:
            return self._utf8.decode(content, final=not content)
        except UnicodeDecodeError as error:
            place = self.tell() + len(self._text[self._place :].encode()) + error.start
            raise ValueError(f"no UTF-8 at byte {place}: {error.reason}") from None

    def _pass(self, text: str) -> None:
        """Count what is dropped, for the sake of errors behind it."""
        self.tell()
        self._chars += len(text)
        self._lines += text.count("\n")
        self._column = len(text) - text.rfind("\n") - 1 + (0 if "\n" in text else self._column)

    def _wrong(self, message: str, place: int) -> ValueError:
        before = self._text[:place]
        column = len(before) - before.rfind("\n") + (0 if "\n" in before else self._column)
        return ValueError(f"{message}: line {self._lines + before.count(chr(10)) + 1} column {column} (char {self._chars + place})")


def _pass_mark(file: IO[bytes]) -> int:
    """Go behind the byte order mark with which editors on Windows begin a file; its bytes, 0 where there is none."""
    return file.seek(len(BOM_UTF8) if file.read(len(BOM_UTF8)) == BOM_UTF8 else 0)
