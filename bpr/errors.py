"""The errors that a user can cause: one line that says what was expected, what came instead, and what to do."""

from __future__ import annotations

import reprlib
from pathlib import Path

DISTRIBUTION = "boundary-patch-refinement"
"""The name on the package index, where ``bpr`` is a package of others; import and command are called ``bpr``."""
LONGEST_LINE = 1000
"""Characters of an error; the contents of a file that it quotes may be longer."""


class BPRError(Exception):
    """Bad input, or a run that cannot go on. Its text is one line for the user; the command exits with 1.

    Text that comes from a file can neither break the line nor reach the terminal as control characters.

    >>> str(BPRError("a\\nb\\x1b[2J.png: cannot read the image"))
    'a\\\\nb\\\\x1b[2J.png: cannot read the image'
    """

    def __init__(self, text: str = "") -> None:
        super().__init__(_one_line(text))


class BadUsage(BPRError):
    """Arguments of a command that do not fit together; nothing was read or written. The command exits with 2."""


class BadMask(BPRError):
    """One mask that cannot be read. A run leaves such a record as it was and counts it."""


class BadImage(BPRError):
    """One image that cannot be found or read. A run leaves its records as they were and counts them."""


def install_hint(extra: str) -> str:
    """The command that installs an extra of setup.py; in a checkout it installs the checkout.

    >>> install_hint("app") in ("pip install '.[app]'", "pip install 'boundary-patch-refinement[app]'")
    True
    """
    checkout = Path(__file__).parents[1] / "setup.py"
    return f"pip install '{'.' if checkout.is_file() else DISTRIBUTION}[{extra}]'"


def shown(value: object) -> str:
    """``value`` as an error shows it: only its beginning, computed without writing out the whole.

    >>> shown([[0] * 10**6])
    '[[0, 0, 0, 0, 0, 0, ...]]'
    >>> shown("x" * 10**6)
    "'xxxxxxxxxxxxxxxxxxxxxxxxxxx...xxxxxxxxxxxxxxxxxxxxxxxxxxxx'"
    """
    return _SHORT.repr(value)[:80]


def _one_line(text: str) -> str:
    if len(text) > LONGEST_LINE:
        text = f"{text[: LONGEST_LINE // 2]} ... {text[-LONGEST_LINE // 2 :]}"
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 60
