"""docs/formats.md names every format, and its commands run on samples in the layouts that the projects write."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from bpr.cli.main import main
from bpr.formats.registry import FORMATS
from tests.formats import layouts
from tests.formats.test_round_trips import FOLDERS, JSON

DOCS = Path(__file__).parents[2] / "docs" / "formats.md"
COMMANDS = [line for line in DOCS.read_text().splitlines() if line.startswith(("bpr refine ", "bpr convert "))]


@pytest.mark.parametrize("line", COMMANDS)
def test_a_documented_command_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    monkeypatch.chdir(tmp_path)
    layouts.photographs(tmp_path)
    for layout in [*FOLDERS, *JSON, layouts.gtfine]:
        layout(tmp_path)
    _, *words = shlex.split(line)
    assert main([*words, *(["--strict"] if words[0] == "refine" else [])]) == 0
    assert Path(words[words.index("--out") + 1]).exists()


def test_every_format_is_in_the_tables() -> None:
    first_cells = [line.split("|")[1].strip(" `") for line in DOCS.read_text().splitlines() if line.startswith("| `")]
    targets = [name for name, row in FORMATS.items() if row.target]
    assert sorted(cell for cell in first_cells if cell in FORMATS) == sorted([*FORMATS, *targets])


def test_the_four_projects_of_the_paper_have_their_line() -> None:
    text = DOCS.read_text()
    assert all(project in text for project in ("SegFix", "PointRend", "PolyTransform", "Panoptic-DeepLab"))
    assert len(COMMANDS) >= 11
