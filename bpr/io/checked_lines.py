"""Lines with a checksum, so that a file which a kill, a full disk or a bad disk damaged is read only where it is sound.

A line is the CRC-32 of its text in eight hexadecimal digits, a space, the text and a line break::

    3610a686 hello
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path


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
