"""Where configs lie: wherever the user says, else among those that come with BPR."""

from __future__ import annotations

from pathlib import Path

from bpr.errors import BPRError

PACKAGE = Path(__file__).parent
FOLDER = "configs"


def find_config(name: str | Path) -> Path:
    """The file ``name``, or the config of BPR's own that is called so: ``configs/NAME.py``, or ``NAME.py`` for short.

    >>> find_config("bpr_hrnet-w18s_1xb32-3000_own-64x64.py").stem
    'bpr_hrnet-w18s_1xb32-3000_own-64x64'

    Raises:
        BPRError: there is no such file.
    """
    path = Path(name)
    own = own_configs() / (path.relative_to(FOLDER) if path.parts[:1] == (FOLDER,) else path)
    for place in (path, own):
        if place.is_file():
            return place
    raise BPRError(f"{name}: no such config; expected a .py file, or one of those in {own_configs()}")


def own_configs() -> Path:
    """Folder of the configs that come with BPR: inside an installed package, beside it in a checkout."""
    installed = PACKAGE / ".mim" / FOLDER
    return installed if installed.is_dir() else PACKAGE.parent / FOLDER
