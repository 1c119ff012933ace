"""The Dockerfile is sound; a Docker daemon is not needed to see it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest

from bpr.cli.main import build_parser
from bpr.errors import DISTRIBUTION
from tests.conftest import ROOT
from tests.release.archives import tracked

TEXT = (ROOT / "Dockerfile").read_text(encoding="utf-8")
LINES = re.sub(r"\\\n\s*", "", TEXT).splitlines()
INSTRUCTIONS = [tuple(line.split(" ", 1)) for line in LINES if line and not line.startswith("#")]
KNOWN = {"FROM", "WORKDIR", "COPY", "RUN", "USER", "ENV", "ENTRYPOINT", "CMD"}


def values(instruction: str) -> list[str]:
    return [value for name, value in INSTRUCTIONS if name == instruction]


def problems(instructions: list[tuple[str, ...]]) -> list[str]:
    """What a linter would say."""
    found = [f"{name}: unknown" for name, _ in instructions if name not in KNOWN]
    for name, value in instructions:
        if name == "FROM" and not re.match(r"python:\d\.\d+-slim( AS \w+)?$", value):
            found.append(f"{value}: no pinned tag")
        if name == "RUN" and re.search(r"\bpip (install|wheel)\b", value) and "--no-cache-dir" not in value:
            found.append(f"{value}: keeps pip's cache")
        if name == "RUN" and "apt-get install" in value and "rm -rf /var/lib/apt/lists" not in value:
            found.append(f"{value}: keeps the lists of apt")
    users = [value for name, value in instructions if name == "USER"]
    return found if users and users[-1] != "root" else [*found, "runs as root"]


def test_the_file_has_none_of_the_usual_faults() -> None:
    assert problems(INSTRUCTIONS) == []


def test_the_usual_faults_are_seen() -> None:
    faults = [("FROM", "python:latest"), ("RUN", "pip install bpr"), ("ADD", "x y")]
    assert len(problems(faults)) == 4


def test_the_image_runs_the_command() -> None:
    (entry,), (default,) = values("ENTRYPOINT"), values("CMD")
    assert json.loads(entry) == ["bpr"]
    build_parser().parse_args(json.loads(default))
    assert values("RUN")[1].endswith(f" {DISTRIBUTION}")


def test_what_the_wheel_is_built_from_reaches_the_build_and_nothing_else() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    kept = {line[1:] for line in lines if line.startswith("!")}
    assert "*" in lines
    assert {"bpr", "configs", "setup.py", "pyproject.toml", "README.md", "model-index.yml"} <= kept
    assert all(any(file == name or file.startswith(f"{name}/") for file in tracked()) for name in kept)


def test_docker_builds_it() -> None:
    if not shutil.which("docker") or subprocess.run(["docker", "info"], capture_output=True).returncode:
        pytest.skip("no Docker daemon here")
    subprocess.run(["docker", "build", "-t", "bpr-test", str(ROOT)], check=True)
    ran = subprocess.run(["docker", "run", "--rm", "bpr-test"], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "the core works"
