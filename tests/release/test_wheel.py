"""The wheel that this tree would release is complete, contains nothing else, and works without the checkout.

``python -m tests.release.check`` tests more, in empty environments and with a package index; this needs no network.
"""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.release.archives import copy_source, files_of, models_files, wheel_files
from tests.test_readme import BLOCKER, python_block, refined_well, write_photo

OFFLINE = ("--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check")
WHERE = """
import bpr.configs, bpr.errors
print(bpr.__file__)
print(bpr.configs.find_config("configs/bpr_hrnet-w18s_1xb32-3000_own-64x64.py"))
print(bpr.errors.install_hint("app"))
"""


LARGEST_WHEEL = 12 * 2**20


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The wheel of the package, and the one of the models that it leaves out."""
    folder = tmp_path_factory.mktemp("wheel")
    source = copy_source(folder / "source")
    for project in (source, source / "models"):
        command = [sys.executable, "-m", "pip", "wheel", "-q", *OFFLINE, "--wheel-dir", str(folder), str(project)]
        ran = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stderr
    return sorted(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def wheel(wheels: list[Path]) -> Path:
    return wheels[0]


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    assert wheel.stat().st_size <= LARGEST_WHEEL
    assert files_of(wheel) == wheel_files()
    assert {"bpr/py.typed", "bpr/assets/starter.onnx", "bpr/.mim/configs/metafile.yml"} <= files_of(wheel)


def test_the_wheel_works_away_from_the_checkout(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    coarse = write_photo(tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "installed")}
    command = [sys.executable, "-c", BLOCKER + WHERE + python_block()]
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    *paths, hint = ran.stdout.splitlines()
    package, config = map(Path, paths)
    assert hint == "pip install 'boundary-patch-refinement[app]'"
    assert package.parent == tmp_path / "installed" / "bpr"
    assert config.parent == package.parent / ".mim" / "configs"
    refined_well(tmp_path, coarse)


def test_the_second_wheel_adds_its_models(wheels: list[Path], tmp_path: Path) -> None:
    assert files_of(wheels[1]) == models_files()
    (tmp_path / "work").mkdir()
    code = "import bpr; print(bpr.load('hrnet-w18s').predictor.model)"
    for archive, expected in zip(wheels, (1, 0), strict=True):
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(tmp_path / "installed")
        environment = {**os.environ, "PYTHONPATH": str(tmp_path / "installed")}
        ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path / "work", env=environment, capture_output=True, text=True)
        assert ran.returncode == expected, ran.stderr
    assert ran.stdout == "hrnet-w18s\n"
