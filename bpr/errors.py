"""The errors that a user can cause: one line that says what was expected, what was found, and what to do."""

from __future__ import annotations

import reprlib
import sys
import warnings
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path

DISTRIBUTION = "boundary-patch-refinement"
"""The name on the package index, where ``bpr`` belongs to another project. Import and command are ``bpr``."""
LONGEST_LINE = 1000
"""The text of an error is cut to this many characters, because it may quote the contents of a file."""


class BPRError(Exception):
    """Bad input, or a run that cannot continue. Its text is one line for the user; the command exits with 1.

    Line breaks and control characters, which may come from a file, are escaped.

    >>> str(BPRError("a\\nb\\x1b[2J.png: cannot read the image"))
    'a\\\\nb\\\\x1b[2J.png: cannot read the image'
    """

    def __init__(self, text: str = "") -> None:
        super().__init__(_one_line(text))


class BadUsage(BPRError):
    """Arguments of a command that do not fit together or are out of range; nothing was written. The command exits with 2."""


class BadInput(BPRError, ValueError):
    """What a caller passed for one image cannot be used: the image, its masks or an argument.

    A service answers with a status of 4xx; any other error is a matter of the service itself.
    """


class BadMask(BadInput):
    """One mask that cannot be read. A run keeps such a record unchanged and counts it."""


class BadImage(BadInput):
    """One image that cannot be found or read. A run keeps its records unchanged and counts them."""


def install_hint(extra: str) -> str:
    """The command that installs an extra of setup.py; in a checkout it installs the checkout.

    >>> install_hint("app") in ("pip install '.[app]'", "pip install 'boundary-patch-refinement[app]'")
    True
    """
    checkout = Path(__file__).parents[1] / "setup.py"
    return f"pip install '{'.' if checkout.is_file() else DISTRIBUTION}[{extra}]'"


def warn_caller(text: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the line of the program that called the package, however deep inside it the warning arises."""
    frame, level = sys._getframe(1), 2
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] == __name__.partition(".")[0]:
        frame, level = frame.f_back, level + 1
    warnings.warn(text, category, stacklevel=level)


def shown(value: object) -> str:
    """A short form of ``value`` for an error message; long values are cut before they are converted to text.

    >>> shown([[0] * 10**6])
    '[[0, 0, 0, 0, 0, 0, ...]]'
    >>> shown("x" * 10**6)
    "'xxxxxxxxxxxxxxxxxxxxxxxxxxx...xxxxxxxxxxxxxxxxxxxxxxxxxxxx'"
    """
    return _SHORT.repr(value)[:80]


def did_you_mean(word: str, known: Iterable[str], most: int = 1) -> str:
    """The end of an error: the name that a user may have meant, if one is near; capital letters do not matter.

    Args:
        most: offer so many names, the nearest first.

    >>> did_you_mean("--Backnd", ["--out", "--backend"]), did_you_mean("7", ["--out"])
    ('; did you mean --backend?', '')
    """
    names = {name.lower(): name for name in known}
    near = get_close_matches(word.lower(), names, most, cutoff=0.75)
    return f"; did you mean {' or '.join(names[name] for name in near)}?" if near else ""


def some(names: Sequence[str], most: int = 3) -> str:
    """The first of many names, for a line to the user.

    >>> some(["a.png", "b.png"]), some(["a.png", "b.png", "c.png"], most=2)
    ('a.png, b.png', 'a.png, b.png, ...')
    """
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")


def amount(count: int, one: str, many: str = "") -> str:
    """A number with its noun, for a line to the user.

    Args:
        many: the plural, where it is not the singular with an s.

    >>> amount(1, "mask"), amount(2, "mask"), amount(0, "patch", "patches")
    ('1 mask', '2 masks', '0 patches')
    """
    return f"{count} {one if count == 1 else many or one + 's'}"


def _one_line(text: str) -> str:
    if len(text) > LONGEST_LINE:
        text = f"{text[: LONGEST_LINE // 2]} ... {text[-LONGEST_LINE // 2 :]}"
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 60
