"""Versions of packages. ``bpr doctor`` uses this where a library does not load, so this imports none."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata

import bpr


def versions_of(packages: Sequence[str]) -> dict[str, str | None]:
    """The versions of ``packages``, to record with a number or a file; None where one is not installed.

    >>> versions_of(["bpr"]) == {"bpr": bpr.__version__}
    True
    """
    versions: dict[str, str | None] = {}
    for name in packages:
        try:
            versions[name] = bpr.__version__ if name == "bpr" else metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    return versions
