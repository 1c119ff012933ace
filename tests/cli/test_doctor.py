"""What bpr doctor says of a sound environment, of rivals in it, and of a library that does not load."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import bpr
from bpr.cli.main import main
from tests.conftest import ROOT


def test_versions_backends_and_gates(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"bpr {bpr.__version__} in ")
    assert lines[1].startswith("Python ")
    assert "numpy " in lines[2]
    assert "backend onnxruntime: ready" in lines
    assert any(line.startswith("model starter: auto takes ") and "gates passed by" in line for line in lines)
    assert lines[-1] == "the core works"
    assert not [line for line in lines if line.startswith("problem")]


def doctor(extra: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command where ``extra`` comes before what is installed."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(extra), str(ROOT)])}
    command = [sys.executable, "-m", "bpr", *(arguments or ["doctor"])]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


def distribution(folder: Path, name: str, version: str) -> None:
    """What pip leaves of a distribution by which others find it."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


@pytest.mark.parametrize("rival", ["opencv-python", "opencv-contrib-python", "onnxruntime-gpu"])
def test_distributions_that_share_a_folder(tmp_path: Path, rival: str) -> None:
    distribution(tmp_path, rival, "4.11.0")
    ran = doctor(tmp_path)
    assert (ran.returncode, ran.stdout.splitlines()[-1]) == (0, "the core works")
    (line,) = [line for line in ran.stdout.splitlines() if line.startswith("conflict: ")]
    assert f"{rival} 4.11.0" in line
    assert "; pip uninstall -y " in line


def test_two_builds_of_one_version_work(tmp_path: Path) -> None:
    for name in ("onnxruntime-gpu", "onnxruntime-directml"):
        distribution(tmp_path, name, version("onnxruntime"))
    lines = doctor(tmp_path).stdout.splitlines()
    assert not [line for line in lines if line.startswith("conflict: ONNX")]
    assert any(line.startswith("note: ONNX Runtime: ") and line.endswith("as long as none of them is removed") for line in lines)


BROKEN = {
    "cv2": "raise ImportError('libGL.so.1: cannot open shared object file')",
    "numpy": "raise RuntimeError('built for another processor')",
    "onnxruntime": "raise ImportError('DLL load failed')",
    "pycocotools": "raise ImportError('numpy.dtype size changed')",
}


@pytest.mark.parametrize("module", BROKEN)
def test_a_library_that_does_not_load(tmp_path: Path, module: str) -> None:
    (tmp_path / f"{module}.py").write_text(BROKEN[module])
    ran = doctor(tmp_path)
    assert ran.returncode == 1
    problems = [line for line in ran.stdout.splitlines() if line.startswith("problem: ")]
    assert any(BROKEN[module].split("'")[1] in line and "; pip install --force-reinstall" in line for line in problems)
    assert ran.stdout.splitlines()[-1] == "the core cannot work"


def test_an_opencv_of_which_a_folder_is_left(tmp_path: Path) -> None:
    """A module of the same name without content, as after pip uninstall."""
    (tmp_path / "cv2.py").touch()
    ran = doctor(tmp_path)
    assert ran.returncode == 1
    assert "problem: OpenCV: expected it to load, got AttributeError (" in ran.stdout


def test_an_opencv_that_is_too_old(tmp_path: Path) -> None:
    (tmp_path / "cv2.py").write_text("__version__ = '4.10.0.84'")
    assert "problem: OpenCV: expected 4.11 or newer, got 4.10.0.84; pip install --upgrade" in doctor(tmp_path).stdout


def test_another_command_names_the_doctor(tmp_path: Path) -> None:
    (tmp_path / "cv2.py").write_text(BROKEN["cv2"])
    ran = doctor(tmp_path, "refine", "a.json", "--out", "b.json")
    assert ran.returncode == 1
    assert ran.stderr == "bpr: ImportError: libGL.so.1: cannot open shared object file; bpr doctor shows what is installed\n"
