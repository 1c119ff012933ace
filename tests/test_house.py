"""Who may import whom, and what loading the package costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

FLOORS = {
    "errors": 0,
    "geometry": 1,
    "formats": 2,
    "evaluation": 3,
    "refinement": 3,
    "backends": 4,
    "datasets": 4,
    "models": 4,
    "visualization": 4,
    "demo": 4,
    "analysis": 5,
    "detection": 5,
    "inferencer": 5,
    "cli": 6,
}
SAME_FLOOR = {("backends", "models"), ("models", "backends"), ("datasets", "models")}
HEAVY = {"torch", "mmengine", "mmcv", "mmseg", "mmdet"}
MAY_USE_TORCH = {"models", "datasets", "detection"}
MM_MODULES = {"bpr/backends/mmseg.py", "bpr/cli/options.py", "bpr/inferencer.py"}


def imports_of(path: Path) -> list[tuple[str, bool]]:
    """(module, whether at the top of the file) of every import statement."""
    tree = ast.parse(path.read_text())
    found = []
    for node in ast.walk(tree):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module] if isinstance(node, ast.ImportFrom) else []
        found += [(name, node in tree.body) for name in names if name]
    return found


MODULES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "bpr").rglob("*.py"))


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_down_the_floors(module: str) -> None:
    parts = Path(module).with_suffix("").parts
    own = parts[1]
    if own == "__init__":
        return
    for name, _ in imports_of(ROOT / module):
        if not name.startswith("bpr."):
            continue
        other = name.split(".")[1]
        allowed = other == own or FLOORS[other] < FLOORS[own] or (own, other) in SAME_FLOOR
        assert allowed, f"{module} imports {name}: {own} (floor {FLOORS[own]}) may not reach {other} (floor {FLOORS[other]})"


@pytest.mark.parametrize("module", MODULES)
def test_heavy_libraries_stay_where_training_lives(module: str) -> None:
    own = Path(module).parts[1]
    for name, _ in imports_of(ROOT / module):
        heavy = name.split(".")[0] in HEAVY
        assert not heavy or own in MAY_USE_TORCH or module in MM_MODULES, f"{module} imports {name}"


def test_refining_loads_neither_torch_nor_mm() -> None:
    code = "import sys, bpr; bpr.load('identity'); import bpr.cli.refine, bpr.backends.onnx_runtime, bpr.cli.main\n"
    code += f"print(sorted({HEAVY!r} & set(sys.modules)))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert printed.strip() == "[]"


def test_every_command_has_its_tool() -> None:
    from bpr.cli.main import COMMANDS

    tools = {path.stem for path in (ROOT / "tools").glob("*.py")}
    assert tools == {name.replace("-", "_") for name in COMMANDS} - {"demo"}


def test_nothing_downloaded_is_unpickled() -> None:
    for path in [*(ROOT / "bpr").rglob("*.py"), *(ROOT / "tools").glob("*.py")]:
        text = path.read_text()
        for forbidden in ("pickle.load", "allow_pickle=True", "weights_only=False"):
            assert forbidden not in text, f"{path.name} holds {forbidden}"
        calls = [node.func.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
        assert not {"eval", "exec"} & set(calls), f"{path.name} evaluates text"
