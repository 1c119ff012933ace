"""What is kept of the compiler's work, and what happens where Numba is broken or told to do nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bpr.compiled.machine_code import compiled

ROOT = Path(__file__).parents[2]
MODULE = """
from bpr.compiled.machine_code import compiled

@compiled
def scaled(number):
    return {factor} * number
"""
ASK = "import loops; print(loops.scaled(4), sum(loops.scaled.stats.cache_hits.values()))"


def run(words: str, *paths: Path, **environment: str) -> str:
    """What a new process prints, with ``paths`` before everything else that it imports from."""
    found = os.pathsep.join(map(str, [*paths, ROOT]))
    asked = subprocess.run(
        [sys.executable, "-c", words], env={**os.environ, "PYTHONPATH": found, **environment}, capture_output=True, text=True, check=False
    )
    return asked.stdout + asked.stderr


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A folder with a module whose machine code has been kept."""
    (tmp_path / "loops.py").write_text(MODULE.format(factor=2))
    assert run(ASK, tmp_path).split() == ["8", "0"]
    assert run(ASK, tmp_path).split() == ["8", "1"]
    return tmp_path


@pytest.mark.parametrize("suffix", ["nbi", "nbc"])
@pytest.mark.parametrize("damage", ["emptied", "cut"])
def test_damaged_files_cost_a_compilation(kept: Path, suffix: str, damage: str) -> None:
    (file,) = (kept / "__pycache__").glob(f"*.{suffix}")
    content = file.read_bytes()
    file.write_bytes(b"" if damage == "emptied" else content[: len(content) // 2])
    assert run(ASK, kept).split() == ["8", "0"]
    assert run(ASK, kept).split() == ["8", "1"]


def test_code_of_another_source_or_signature_is_not_taken(kept: Path) -> None:
    (code,) = (kept / "__pycache__").glob("*.nbc")
    of_numbers = code.read_bytes()
    assert run(ASK.replace("(4)", "(4.5)"), kept).split() == ["9.0", "0"]
    (of_floats,) = set((kept / "__pycache__").glob("*.nbc")) - {code}
    of_floats.write_bytes(of_numbers)  # as two first runs at once may leave it
    assert run(ASK.replace("(4)", "(4.5)"), kept).split() == ["9.0", "0"]

    (kept / "loops.py").write_text(MODULE.format(factor=3))
    stamp = code.stat().st_mtime_ns
    os.utime(kept / "loops.py", ns=(stamp, stamp))
    assert run(ASK, kept).split() == ["12", "0"]


def test_machine_code_needs_no_folder_to_be_kept_in() -> None:
    def doubled(number: int) -> int:
        return 2 * number

    doubled.__code__ = doubled.__code__.replace(co_filename="/nowhere/nothing.py")
    assert compiled(doubled)(4) == 8


ANY = "from bpr.compiled import kernels; print(kernels())"


def test_a_numba_that_shall_not_compile_is_not_asked() -> None:
    assert run(ANY, NUMBA_DISABLE_JIT="1").split() == ["None"]


def test_a_broken_numba_costs_a_warning(tmp_path: Path) -> None:
    (tmp_path / "numba").mkdir()
    (tmp_path / "numba" / "__init__.py").write_text("raise OSError('no libllvmlite.so')")
    printed = run(ANY, tmp_path)
    assert "None" in printed
    assert "Numba is installed but cannot be used (no libllvmlite.so)" in printed
    assert "Traceback" not in printed
