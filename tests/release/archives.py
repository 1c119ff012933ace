"""The files that the wheel and the source archive must contain, computed from the files that git tracks."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

import bpr
from bpr.errors import DISTRIBUTION

ROOT = Path(__file__).parents[2]
PACKAGED = ("bpr/", "configs/")
BESIDE = {
    "CHANGELOG.md",
    "CITATION.cff",
    "LICENSE",
    "MANIFEST.in",
    "README.md",
    "model-index.yml",
    "pyproject.toml",
    "setup.py",
}
MODELS = "models/"
"""The folder of the second wheel, which holds the models that the first leaves out."""
PROJECT = DISTRIBUTION.replace("-", "_")
"""The name of the distribution as file names spell it."""
ADDED = ("PKG-INFO", "setup.cfg", f"{PROJECT}.egg-info/")
"""What setuptools adds to a source archive."""


def tracked() -> list[str]:
    """The files of the checkout that git tracks and that exist."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def copy_source(folder: Path) -> Path:
    """Copy the files of a release to ``folder``, without git or anything that was built; returns ``folder``.

    Those of the second wheel lie in ``folder / "models"``, where the first wheel leaves them out.
    """
    for name in (*sdist_files(), *(name for name in tracked() if name.startswith(MODELS))):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / name)
    return folder


def wheel_files() -> set[str]:
    """The files of the package; configs and model index are in ``.mim``, where OpenMMLab's tools look for them."""
    names = [name for name in tracked() if name.startswith(PACKAGED) or name == "model-index.yml"]
    return {name if name.startswith("bpr/") else f"bpr/.mim/{name}" for name in names}


def models_files() -> set[str]:
    """The files of the second wheel."""
    names = {name.removeprefix(MODELS) for name in tracked() if name.startswith(MODELS)}
    return {name for name in names if name.startswith("bpr_models/")}


def sdist_files() -> set[str]:
    return {name for name in tracked() if name.startswith(PACKAGED) or name in BESIDE}


def files_of(archive: Path) -> set[str]:
    """The files of a wheel or source archive, without the metadata that the build adds."""
    if archive.suffix == ".whl":
        metadata = f"{archive.name.partition('-')[0]}-{bpr.__version__}.dist-info/"
        with zipfile.ZipFile(archive) as wheel:
            return {name for name in wheel.namelist() if not name.startswith(metadata)}
    with tarfile.open(archive) as source:
        names = {PurePosixPath(*PurePosixPath(one.name).parts[1:]).as_posix() for one in source if one.isfile()}
    return {name for name in names if not name.startswith(ADDED)}
