"""Lines that know whether they are whole, so that a file which a kill, a full disk or a bad one cut is read up to what is true.

3610a686 hello      CRC-32 of the text in hexadecimal, the text
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path


def checked_line(text: bytes) -> bytes:
    """``text``, which has no line breaks, as a line.

    >>> checked_line(b"hello")
    b'3610a686 hello\\n'
    """
    return b"%08x %b\n" % (zlib.crc32(text), text)


def text_of(line: bytes) -> bytes | None:
    """What a line says; None where it is not what :func:`checked_line` made.

    >>> text_of(b"3610a686 hello\\n"), text_of(b"3610a686 hallo\\n"), text_of(b"3610a686 hel")
    (b'hello', None, None)
    """
    text = line[9:-1]
    return text if line == checked_line(text) else None


def read_checked_lines(path: Path) -> Iterator[tuple[int, bytes | None]]:
    """Where every line begins, and what it says; None for one that is torn or damaged."""
    place = 0
    with open(path, "rb") as file:
        for line in file:
            yield place, text_of(line)
            place += len(line)
