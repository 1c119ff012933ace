"""Finds a config: a file of the user, or one of those that come with BPR."""

from __future__ import annotations

from pathlib import Path

from bpr.errors import BPRError, did_you_mean

PACKAGE = Path(__file__).parent
FOLDER = "configs"


def find_config(name: str | Path) -> Path:
    """The file ``name`` if there is one, else BPR's config of that name: ``configs/NAME.py``, or ``NAME`` for short.

    >>> find_config("bpr_hrnet-w18s_1xb32-3000_own-64x64").name
    'bpr_hrnet-w18s_1xb32-3000_own-64x64.py'

    Raises:
        BPRError: there is no such file.
    """
    path = Path(name)
    packaged = packaged_configs() / (path.relative_to(FOLDER) if path.parts[:1] == (FOLDER,) else path)
    for candidate in (path, packaged):
        for file in (candidate, Path(f"{candidate}.py")):
            if file.is_file():
                return file
    known = sorted(config.stem for config in packaged_configs().glob("*.py"))
    remedy = did_you_mean(path.name.removesuffix(".py"), known, most=3) or f"; bpr's own are in {packaged_configs()}"
    raise BPRError(f"{name}: no such config; expected a .py file, or the name of one that comes with BPR{remedy}")


def packaged_configs() -> Path:
    """The folder of the configs that come with BPR: inside an installed package, next to the package in a checkout."""
    installed = PACKAGE / ".mim" / FOLDER
    return installed if installed.is_dir() else PACKAGE.parent / FOLDER
