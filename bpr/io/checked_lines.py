"""Lines with a checksum: if a kill or a full or bad disk damaged the file, only its intact lines are read.

A line is the CRC-32 of its text in eight hexadecimal digits, a space, the text and a line break::

    3610a686 hello
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path


class CheckedLines:
    """A file of checked lines, open for appending; existing lines are kept.

    There is no fsync: written lines survive the death of the process, and a power cut may lose or tear the last ones,
    which their checksums show.
    """

    def __init__(self, path: Path) -> None:
        self._file = open(path, "ab+", buffering=0)  # noqa: SIM115  (closed by close)
        if size := self._file.seek(0, os.SEEK_END):
            self._file.seek(size - 1)
            if self._file.read(1) != b"\n":
                self._write(b"\n")  # ends a torn line, so that the next one does not continue it

    def append(self, texts: Iterable[bytes]) -> None:
        """Append a line for each text, all in one write.

        Raises:
            OSError: the disk is full or fails; the last line may be torn then.
        """
        self._write(b"".join(map(checked_line, texts)))

    def _write(self, block: bytes) -> None:
        while block:
            block = block[self._file.write(block) :]

    def fileno(self) -> int:
        return self._file.fileno()

    def close(self) -> None:
        self._file.close()


def checked_line(text: bytes) -> bytes:
    """``text``, which must not contain line breaks, as a line with its checksum.

    >>> checked_line(b"hello")
    b'3610a686 hello\\n'
    """
    return b"%08x %b\n" % (zlib.crc32(text), text)


def text_of(line: bytes) -> bytes | None:
    """The text of a line; None where the line is not exactly what :func:`checked_line` wrote.

    >>> text_of(b"3610a686 hello\\n"), text_of(b"3610a686 hallo\\n"), text_of(b"3610a686 hel")
    (b'hello', None, None)
    """
    text = line[9:-1]
    return text if line == checked_line(text) else None


def read_checked_lines(path: Path) -> Iterator[tuple[int, bytes | None]]:
    """The byte at which every line begins, and its text; None in place of the text of a damaged line."""
    start = 0
    with open(path, "rb") as file:
        for line in file:
            yield start, text_of(line)
            start += len(line)
