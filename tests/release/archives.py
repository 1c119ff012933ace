"""What the wheel and the source archive have to hold, from what git tracks: all of it, and nothing else."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

import bpr

ROOT = Path(__file__).parents[2]
PACKAGED = ("bpr/", "configs/")
BESIDE = {"CHANGELOG.md", "CITATION.cff", "LICENSE", "MANIFEST.in", "README.md", "model-index.yml", "pyproject.toml", "setup.py"}
MADE = ("PKG-INFO", "setup.cfg", "bpr.egg-info/")
"""What setuptools adds to a source archive."""


def tracked() -> list[str]:
    """Every file of the checkout that git knows, as it lies there now."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def copy_source(folder: Path) -> Path:
    """What a release is made of in a folder of its own: no git, nothing that was built or left lying about."""
    for name in sdist_files():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / name)
    return folder


def wheel_files() -> set[str]:
    """The package, and inside it the configs where OpenMMLab's tools look for them."""
    names = [name for name in tracked() if name.startswith(PACKAGED) or name == "model-index.yml"]
    return {name if name.startswith("bpr/") else f"bpr/.mim/{name}" for name in names}


def sdist_files() -> set[str]:
    return {name for name in tracked() if name.startswith(PACKAGED) or name in BESIDE}


def files_of(archive: Path) -> set[str]:
    """Files of a wheel or source archive, without what the build adds to describe it."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            return {name for name in wheel.namelist() if not name.startswith(f"bpr-{bpr.__version__}.dist-info/")}
    with tarfile.open(archive) as source:
        names = {PurePosixPath(*PurePosixPath(one.name).parts[1:]).as_posix() for one in source if one.isfile()}
    return {name for name in names if not name.startswith(MADE)}
