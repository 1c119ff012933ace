"""JSON of any length, read piece by piece: the elements of a list and the keys of an object one at a time."""

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
"""Bytes that one read takes from the file."""
LONGEST_TOKEN = len(r"\ud83d\ude00")
"""Characters of the longest token that the decoder needs whole.

An error closer than this to the end of the text read so far may only mean that the token has not been read completely.
"""
DECODER = json.JSONDecoder()
NOT_SPACE = re.compile(r"[^ \t\n\r]")


class JsonStream:
    """A position in a JSON file; every method reads on from there.

    Args:
        file: opened in binary mode, at its beginning.
        where: names the file in errors.
        chunk: bytes that one read takes.

    Raises:
        ValueError: the text is not JSON. The message, with line and column, is the one that the json module gives for
            the whole file.
        BPRError: a value is too long or nested too deeply.

    >>> import io
    >>> stream = JsonStream(io.BytesIO(b'{"a": [1, 22], "b": 3}'), "example")
    >>> [(key, list(stream.elements()) if stream.peek() == "[" else stream.value()) for key in stream.names()]
    [('a', [1, 22]), ('b', 3)]
    """

    def __init__(self, file: IO[bytes], where: object, chunk: int = CHUNK) -> None:
        self._file, self._where, self._chunk = file, where, chunk
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        # The part of the file in memory, and the next character in it.
        self._text, self._position = "", 0
        # The bytes up to the character _counted of the text.
        # Editors on Windows put a byte order mark before a text.
        self._bytes, self._counted = file.seek(len(BOM_UTF8) if file.read(len(BOM_UTF8)) == BOM_UTF8 else 0), 0
        # Where the text begins in the whole file: characters, line breaks, characters since the last line break.
        self._chars = self._lines = self._column = 0
        self.start = 0
        """The byte at which the last value began."""

    def tell(self) -> int:
        """The byte of the file that comes next."""
        self._bytes += len(self._text[self._counted : self._position].encode())
        self._counted = self._position
        return self._bytes

    def peek(self) -> str:
        """The next character that is not white space; empty at the end of the file."""
        while True:
            found = NOT_SPACE.search(self._text, self._position)
            self._position = found.start() if found else len(self._text)
            if found or not self._read_more():
                return self._text[self._position : self._position + 1]

    def value(self) -> Any:
        """The next value, decoded completely."""
        self.peek()
        self.start = self.tell()
        while True:
            try:
                value, end = DECODER.raw_decode(self._text, self._position)
            except json.JSONDecodeError as error:
                unfinished = error.pos >= len(self._text) - LONGEST_TOKEN or error.msg.startswith("Unterminated string")
                if not (unfinished and self._read_more()):
                    raise self._error(error.msg, error.pos) from None
                continue
            if end < len(self._text) - len("e-") or not self._read_more():  # a number may continue
                brackets = self._text.count("[", self._position, end) + self._text.count("{", self._position, end)
                if brackets >= DEEPEST_JSON:  # only then, because the check takes as long as decoding the value
                    check_depth([value], self._where)
                self._position = end
                return value

    def skip(self) -> Any:
        """Skip the next value; returns an empty list for a list, and any other value as it is."""
        if self.peek() != "[":
            return self.value()
        for _ in self.elements():
            pass
        return []

    def elements(self) -> Iterator[Any]:
        """The elements of the list that comes next, each decoded only when it is asked for."""
        return (self.value() for _ in self._members("]"))

    def names(self) -> Iterator[str]:
        """The keys of the object that comes next; the caller must take the value of each key before the next key."""
        for _ in self._members("}"):
            if self.peek() != '"':
                raise self._error("Expecting property name enclosed in double quotes", self._position)
            key = self.value()
            if self.peek() != ":":
                raise self._error("Expecting ':' delimiter", self._position)
            self._position += 1
            yield key

    def end(self) -> None:
        """Raise a ValueError unless only white space is left."""
        if self.peek():
            raise self._error("Extra data", self._position)

    def _members(self, close: str) -> Iterator[None]:
        """Yield before each member of the list or object that begins here; afterwards the stream stands behind it."""
        self.peek()
        self._position += 1
        if self.peek() != close:
            yield
            while self.peek() == ",":
                self._position += 1
                yield
        if self.peek() != close:
            raise self._error("Expecting ',' delimiter", self._position)
        self._position += 1

    def _read_more(self) -> bool:
        """Read on and drop the text before the position; at the end of the file change nothing and return False."""
        left = len(self._text) - self._position
        if left > LARGEST_VALUE:
            raise BPRError(f"{self._where}: expected JSON values of at most {LARGEST_VALUE} characters, got a longer one")
        # Doubling the remaining text bounds how often an unfinished value is decoded again.
        content = self._file.read(max(self._chunk, left))
        try:
            more = self._utf8.decode(content, final=not content)
        except UnicodeDecodeError as error:
            byte = self.tell() + len(self._text[self._position :].encode()) + error.start
            raise ValueError(f"no UTF-8 at byte {byte}: {error.reason}") from None
        if not content:
            return False
        self.tell()
        dropped = self._text[: self._position]
        self._chars += len(dropped)
        self._lines += dropped.count("\n")
        self._column = len(dropped) - dropped.rfind("\n") - 1 + (0 if "\n" in dropped else self._column)
        self._text, self._position, self._counted = self._text[self._position :] + more, 0, 0
        return True

    def _error(self, message: str, position: int) -> ValueError:
        """An error at a position of the text, with its line, column and character in the whole file."""
        before = self._text[:position]
        line = self._lines + before.count("\n") + 1
        column = len(before) - before.rfind("\n") + (0 if "\n" in before else self._column)
        return ValueError(f"{message}: line {line} column {column} (char {self._chars + position})")
