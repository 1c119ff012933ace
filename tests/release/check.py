"""Build the release and try it in empty environments: ``python -m tests.release.check``.

Only tracked files are built. There is one environment for every Python of this machine; it gets the wheel and the
dependencies of the core. There the demo, the README's six lines, ``bpr refine`` and the type check of a user's program
must work, without torch or MMSegmentation. Then the second wheel is added, whose models must be found by name.
This needs a package index. Results are written to docs/results/release.json, the archives to dist/.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

import bpr
from benchmarks.measuring import provenance
from bpr.io.files import write_json
from tests.release.archives import ROOT, copy_source, files_of, models_files, sdist_files, wheel_files
from tests.test_readme import python_block, refined_well, write_photo

RESULTS = ROOT / "docs" / "results" / "release.json"
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
LOWEST = "3.10, lowest versions"
BESIDE = "3.11, beside others"
NEIGHBOURS = ("ultralytics", "supervision", "albumentations", "label-studio-sdk")
"""Libraries that users have in the same environment; some of them bring another build of OpenCV."""
UNWANTED = {"torch", "mmengine", "mmcv", "mmcv-lite", "mmsegmentation", "mmdet", "opencv-python"}
CORE = ("numpy", "opencv-python-headless", "pycocotools", "onnxruntime", "rich")
ALONE = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


def output_of(*command: str | Path, cwd: Path) -> str:
    """What a command prints; it runs without the Python environment variables of this process.

    Raises:
        RuntimeError: the command failed; the text is the last line that it printed.
    """
    ran = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=ALONE, capture_output=True, text=True, check=False
    )
    if ran.returncode:
        line = (ran.stderr.strip() or ran.stdout.strip() or f"exit code {ran.returncode}").splitlines()[-1]
        raise RuntimeError(line.replace(f"{cwd}{os.sep}", ""))  # results contain no path of this machine
    return ran.stdout


def environment(interpreter: str | Path, folder: Path, *install: str | Path) -> Path:
    """Create an environment, install ``install`` into it, and return its folder of commands."""
    folder.mkdir(parents=True)
    output_of(interpreter, "-m", "venv", folder / "env", cwd=folder)
    commands = folder / "env" / "bin"
    output_of(commands / "python", "-m", "pip", "install", "-q", "--disable-pip-version-check", *install, cwd=folder)
    return commands


def build(folder: Path) -> list[Path]:
    """Build source archive and both wheels in ``folder / "dist"``; the wheels of archive and tree have the same files.

    Raises:
        RuntimeError: an archive lacks a file or has one too many, or an index could not render the README.
    """
    source, dist = copy_source(folder / "source"), folder / "dist"
    python = environment(sys.executable, folder / "tools", "-r", ROOT / "requirements-release.txt") / "python"
    output_of(python, "-m", "build", "--outdir", dist, source, cwd=folder)
    output_of(python, "-m", "pip", "wheel", "-q", "--no-deps", "--wheel-dir", folder / "of_tree", source, cwd=folder)
    (sdist,), (wheel,), (of_tree,) = dist.glob("*.tar.gz"), dist.glob("*.whl"), (folder / "of_tree").glob("*.whl")
    output_of(python, "-m", "build", "--wheel", "--outdir", dist, source / "models", cwd=folder)
    (models,) = dist.glob("*_models-*.whl")
    contents = {sdist: sdist_files(), wheel: wheel_files(), of_tree: wheel_files(), models: models_files()}
    for archive, expected in contents.items():
        if different := files_of(archive) ^ expected:
            raise RuntimeError(f"{archive.name}: missing or superfluous: {', '.join(sorted(different))}")
    output_of(python, "-m", "twine", "check", "--strict", sdist, wheel, models, cwd=folder)
    return [sdist, wheel, models]


def interpreter_of(version: str) -> str | None:
    """The command of a Python of this version, on the path or of pyenv; None where there is none."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [shutil.which(f"python{version}"), *map(str, sorted(pyenv.glob(f"{version}.*/bin/python")))]
    return next((one for one in candidates if one and _works(one, version)), None)


def _works(interpreter: str, version: str) -> bool:
    command = [interpreter, "-c", "import sys, venv; print('%d.%d' % sys.version_info[:2])"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() == version


def lowest() -> list[str]:
    """The dependencies of the core in the lowest versions that setup.py allows."""
    (ranges,) = re.findall(r"install_requires=\[(.*?)\]", (ROOT / "setup.py").read_text(encoding="utf-8"), re.DOTALL)
    return [f"{name}=={version}.*" for name, version in re.findall(r'"([\w-]+)>=([\d.]+)"', ranges)]


class Trial:
    """The steps that must work in one environment, by the names that the results use."""

    def __init__(self, commands: Path, folder: Path, second: Path, beside_others: bool = False) -> None:
        self.second, self.beside_others = second, beside_others
        self.bpr, self.python, self.folder = commands / "bpr", commands / "python", folder
        self.coarse = write_photo(folder)
        self.results: dict[str, Any] = {}

    def steps(self) -> dict[str, Callable[[], None]]:
        return {
            "packages": self.packages,
            "demo": self.demo,
            "six lines": self.six_lines,
            "refine": self.refine,
            "types": self.types,
            "doctor": self.doctor,
            "second wheel": self.second_wheel,
        }

    def second_wheel(self) -> None:
        output_of(self.python, "-m", "pip", "install", "-q", "--disable-pip-version-check", self.second, cwd=self.folder)
        mask = ("mask.png", "--img-dir", "photo.jpg", "--out", "by_another.png")
        output_of(self.bpr, "refine", *mask, "--model", "hrnet-w18s", cwd=self.folder)

    def doctor(self) -> None:
        printed = output_of(self.bpr, "doctor", cwd=self.folder)
        if "\nthe core works\n" not in printed:
            raise RuntimeError(f"bpr doctor: {printed}")
        self.results["conflicts"] = re.findall("^conflict: (.*)$", printed, re.MULTILINE)

    def packages(self) -> None:
        """All requirements are met, and alone the core brings nothing heavy."""
        output_of(self.python, "-m", "pip", "check", cwd=self.folder)
        listed = json.loads(output_of(self.python, "-m", "pip", "list", "--format", "json", cwd=self.folder))
        versions = {one["name"].lower(): one["version"] for one in listed}
        self.results["versions"] = {name: versions[name] for name in CORE}
        if not self.beside_others and (unwanted := UNWANTED & versions.keys()):
            raise RuntimeError(f"the core installed {', '.join(sorted(unwanted))}")

    def demo(self) -> None:
        if output_of(self.bpr, "--version", cwd=self.folder) != f"bpr {bpr.__version__}\n":
            raise RuntimeError("bpr --version is not the version of this checkout")
        numbers = re.findall(r"mean boundary F.*?([\d.]+) +([\d.]+)\n", output_of(self.bpr, "demo", cwd=self.folder))
        self.results["demo_f"] = [float(value) for value in numbers[0]]
        if not self.results["demo_f"][0] < self.results["demo_f"][1]:
            raise RuntimeError(f"the demo's boundary F went from {numbers[0][0]} to {numbers[0][1]}")

    def six_lines(self) -> None:
        output_of(self.python, "-W", "error::SyntaxWarning", "-c", python_block(), cwd=self.folder)
        refined_well(self.folder, self.coarse)

    def refine(self) -> None:
        output_of(self.bpr, "refine", "mask.png", "--img-dir", "photo.jpg", "--out", "by_command.png", cwd=self.folder)
        sides = [
            cv2.imread(str(self.folder / name), cv2.IMREAD_GRAYSCALE) > 0 for name in ("by_command.png", "refined.png")
        ]
        if not np.array_equal(*sides):
            raise RuntimeError("bpr refine and the six lines gave different masks")

    def types(self) -> None:
        # Checked as a copy: beside the checkout, mypy would read the checkout's bpr instead of the installed one.
        program = shutil.copy(ROOT / "tests" / "release" / "typed_program.py", self.folder)
        output_of(
            sys.executable, "-m", "mypy", "--strict", "--python-executable", self.python, program, cwd=self.folder
        )


def try_environment(interpreter: str, folder: Path, second: Path, install: Sequence[str | Path]) -> dict[str, Any]:
    """The results of one environment: its Python, its packages, and for every step ``passed`` or the error."""
    results: dict[str, Any] = {"python": output_of(interpreter, "-V", cwd=folder.parent).split()[1]}
    try:
        commands = environment(interpreter, folder, *install)
    except RuntimeError as error:
        return {**results, "steps": {"install": str(error)}}
    trial = Trial(commands, folder, second, beside_others=NEIGHBOURS[0] in install)
    outcomes = {name: _outcome(step) for name, step in trial.steps().items()}
    return {**results, **trial.results, "steps": {"install": "passed", **outcomes}}


def _outcome(step: Callable[[], None]) -> str:
    try:
        step()
    except (RuntimeError, AssertionError) as error:
        return str(error) or type(error).__name__
    return "passed"


def trials(wheel: Path, second: Path, folder: Path) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """The results of every environment by name; None where this machine does not have its Python."""
    others = {LOWEST: lowest(), BESIDE: NEIGHBOURS}
    for name in (*PYTHONS, *others):
        interpreter = interpreter_of(name.partition(",")[0])
        install = [wheel, *others.get(name, ())]
        yield name, try_environment(interpreter, folder / name, second, install) if interpreter else None


def main() -> int:
    report: dict[str, Any] = {
        "command": "python -m tests.release.check",
        "provenance": provenance(),
        "environments": {},
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        archives = build(folder)
        report["archives"] = [
            {"name": one.name, "bytes": one.stat().st_size, "files": len(files_of(one))} for one in archives
        ]
        for label, results in trials(*archives[1:], folder):
            report["environments"][label] = results
            print(f"{label}: {results['steps'] if results else 'no such Python on this machine'}", flush=True)
        shutil.copytree(folder / "dist", ROOT / "dist", dirs_exist_ok=True)
    write_json(RESULTS, report, indent=1)
    steps = [outcome for results in report["environments"].values() if results for outcome in results["steps"].values()]
    return int(any(outcome != "passed" for outcome in steps))


if __name__ == "__main__":
    sys.exit(main())
