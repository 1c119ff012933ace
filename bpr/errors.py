"""What a user can get wrong: one line that says what was expected, what came, and how to mend it."""

from __future__ import annotations

import reprlib

LONGEST_LINE = 1000
"""Characters of an error; what a file holds may be longer."""


class BPRError(Exception):
    """Bad input or a run that cannot go on. Its text is one line for the user; the command exits with 1.

    What a file brought into the text cannot break the line, nor reach the terminal as a control character.

    >>> str(BPRError("a\\nb\\x1b[2J.png: cannot read the image"))
    'a\\\\nb\\\\x1b[2J.png: cannot read the image'
    """

    def __init__(self, text: str = "") -> None:
        super().__init__(_one_line(text))


class BadUsage(BPRError):
    """Arguments of a command that do not fit together; nothing was read or done. The command exits with 2."""


class BadMask(BPRError):
    """One mask that cannot be read. A run keeps such a record as it was and counts it."""


class BadImage(BPRError):
    """One image that cannot be found or read. A run keeps its records as they were and counts them."""


def shown(value: object) -> str:
    """``value`` as an error shows it: its beginning, found without writing out the whole.

    >>> shown([[0] * 10**6])
    '[[0, 0, 0, 0, 0, 0, ...]]'
    >>> shown("x" * 10**6)
    "'xxxxxxxxxxxxxxxxxxxxxxxxxxx...xxxxxxxxxxxxxxxxxxxxxxxxxxxx'"
    """
    return _SHORT.repr(value)[:80]


def _one_line(text: str) -> str:
    text = text if len(text) <= LONGEST_LINE else f"{text[: LONGEST_LINE // 2]} ... {text[-LONGEST_LINE // 2 :]}"
    return text if text.isprintable() else "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 60
