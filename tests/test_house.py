"""Who may import whom, and what loading the package costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGE = "bpr itself"
"""``bpr/__init__.py``: the few names that a user imports, above all that they are made of."""
FLOORS: dict[str, float] = {
    "errors": 0,
    "version": 0,
    "cores": 1,
    "limits": 1,
    "configs": 1,
    "compiled": 1,
    "geometry": 2,
    "io": 2,
    "raster": 2.5,  # above what reads whole files, below the formats
    "formats": 3,
    "scenes": 4,
    "evaluation": 4,
    "refinement": 4,
    "backends": 5,
    "job": 6,
    "training": 6,
    PACKAGE: 7,
    "report": 8,
    "app": 9,
    "integrations": 9,
    "cli": 10,
    "__main__": 11,
}
HEAVY = {"torch", "mmengine", "mmcv", "mmseg", "mmdet"}
MAY_USE_TORCH = {"training", "integrations"}
MM_MODULES = {"bpr/cli/extract_patches.py", "bpr/refinement/sharing/ranks.py"}


def _imported(node: ast.AST) -> list[str]:
    """The modules that a statement imports."""
    names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module] if isinstance(node, ast.ImportFrom) else []
    return [name for name in names if name]


MODULES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "bpr").rglob("*.py"))


def rooms_of(source: str) -> list[tuple[str, str]]:
    """(statement, room) of every import from bpr, wherever it stands; ``import bpr`` and ``from bpr import load`` reach
    the package itself, ``from bpr import limits`` reaches the room ``limits``.
    """
    rooms = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module == "bpr":
            names = [f"bpr.{alias.name}" for alias in node.names if alias.name in FLOORS]
            names += ["bpr"] if len(names) < len(node.names) else []
        else:
            names = [name for name in _imported(node) if name.split(".")[0] == "bpr"]
        rooms += [(ast.unparse(node), name.split(".")[1] if "." in name else PACKAGE) for name in names]
    return rooms


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_down_the_floors(module: str) -> None:
    part = Path(module).with_suffix("").parts[1]
    own = PACKAGE if part == "__init__" else part
    for statement, other in rooms_of((ROOT / module).read_text(encoding="utf-8")):
        allowed = other == own or FLOORS[other] < FLOORS[own]
        assert allowed, f"{module}, {statement}: {own} (floor {FLOORS[own]}) may not reach {other} (floor {FLOORS[other]})"


@pytest.mark.parametrize(
    ("source", "rooms"),
    [
        ("import bpr", [PACKAGE]),
        ("from bpr import load", [PACKAGE]),
        ("from bpr import limits, load", ["limits", PACKAGE]),
        ("from bpr.geometry import masks", ["geometry"]),
        ("import bpr.io.png", ["io"]),
        ("def late():\n    import bpr", [PACKAGE]),
        ("import bprx, numpy", []),
    ],
)
def test_every_way_to_import_is_seen(source: str, rooms: list[str]) -> None:
    assert [room for _, room in rooms_of(source)] == rooms


@pytest.mark.parametrize("module", MODULES)
def test_heavy_libraries_stay_where_training_lives(module: str) -> None:
    own = Path(module).parts[1]
    tree = ast.parse((ROOT / module).read_text(encoding="utf-8"))
    for name in (name for node in ast.walk(tree) for name in _imported(node)):
        heavy = name.split(".")[0] in HEAVY
        assert not heavy or own in MAY_USE_TORCH or module in MM_MODULES, f"{module} imports {name}"


def test_refining_loads_neither_torch_nor_mm() -> None:
    code = "import sys, bpr; bpr.load('identity'); import bpr.cli.refine, bpr.backends.onnx_runtime, bpr.cli.main\n"
    code += f"print(sorted({HEAVY!r} & set(sys.modules)))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert printed.strip() == "[]"


SCRIPTS = {
    *("average_checkpoints", "benchmark", "build_web", "convert_checkpoint", "fit_verdict", "model_repository", "quantize"),
    "synthesize_masks",
}
"""Tools of a checkout that are not commands of ``bpr``."""


def test_every_command_has_its_tool() -> None:
    from bpr.cli.main import COMMANDS

    tools = {path.stem for path in (ROOT / "tools").glob("*.py")}
    assert tools == {name.replace("-", "_") for name in COMMANDS} - {"demo"} | SCRIPTS


PARTS = ("bpr", "tools", "benchmarks", "configs", "tests")
TREE = sorted(path.relative_to(ROOT).as_posix() for part in PARTS for path in (ROOT / part).rglob("*.py"))
RUN_TEXT = {"eval", "exec", "compile"}
UNPICKLE = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "jsonpickle"}


def name_of(node: ast.AST) -> str:
    """``a.b.c`` as it is written; empty for what is no name."""
    if isinstance(node, ast.Attribute):
        return f"{name_of(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def dangers(source: str) -> list[str]:
    """What in a Python source could run code that lies in a file."""
    found = []
    for node in ast.walk(ast.parse(source)):
        found += [f"import {module}" for module in _imported(node) if module.split(".")[0] in UNPICKLE]
        if isinstance(node, ast.Call):
            called, options = name_of(node.func), {word.arg: word.value for word in node.keywords}
            safe = options.get("weights_only")
            if called in RUN_TEXT:
                found.append(f"{called}()")
            if called == "torch.load" and not (isinstance(safe, ast.Constant) and safe.value is True):
                found.append("torch.load without weights_only=True")
            unpickles = options.get("allow_pickle")
            if unpickles is not None and not (isinstance(unpickles, ast.Constant) and unpickles.value is False):
                found.append("allow_pickle")
    return found


@pytest.mark.parametrize("path", TREE)
def test_no_file_can_run_code(path: str) -> None:
    assert not dangers((ROOT / path).read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import pickle", ["import pickle"]),
        ("from dill import loads", ["import dill"]),
        ("eval(text)", ["eval()"]),
        ("model.eval()", []),
        ("torch.load(path)", ["torch.load without weights_only=True"]),
        ("torch.load(path, weights_only=False)", ["torch.load without weights_only=True"]),
        ("torch.load(path, weights_only=True)", []),
        ("np.load(path, allow_pickle=True)", ["allow_pickle"]),
        ("np.load(path, allow_pickle=False)", []),
    ],
)
def test_what_could_run_code_is_seen(source: str, found: list[str]) -> None:
    assert dangers(source) == found
