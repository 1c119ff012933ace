"""Types of numeric arguments with a range: plain ``int`` accepts negative numbers, ``float`` accepts NaN."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable


def at_least(least: int) -> Callable[[str], int]:
    """The ``type`` of an argument that is a whole number of ``least`` or more.

    >>> at_least(0)("7")
    7
    """

    def read(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"expected a whole number of {least} or more, got {text!r}")
        return int(text)

    return read


def finite(text: str) -> float:
    """The ``type`` of an argument that is a number, and neither NaN nor infinite."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"expected a finite number, got {text!r}")
    return value
