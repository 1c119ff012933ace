"""The pages about formats name every format; their commands run on samples in the layouts that the projects write."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import pytest

from bpr.cli.main import main
from bpr.formats.registry import FORMATS
from tests.formats import layouts, tool_layouts
from tests.formats.test_round_trips import FOLDERS, JSON

DOCS = Path(__file__).parents[2] / "docs" / "formats.md"
COMMANDS = [line for line in DOCS.read_text().splitlines() if line.startswith(("bpr refine ", "bpr convert "))]
TOOL_PAGES = [DOCS.with_name(f"{name}.md") for name in ("cvat", "label-studio", "labelme", "ultralytics")]
TOOL_LINES = [line for page in TOOL_PAGES for line in page.read_text(encoding="utf-8").splitlines()]
TOOL_COMMANDS = [line for line in TOOL_LINES if line.startswith("bpr refine ")]


@pytest.mark.parametrize("line", COMMANDS)
def test_a_documented_command_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    monkeypatch.chdir(tmp_path)
    layouts.photographs(tmp_path)
    for layout in [*FOLDERS, *JSON, layouts.gtfine]:
        layout(tmp_path)
    _, *words = shlex.split(line)
    assert main([*words, *(["--strict"] if words[0] == "refine" else [])]) == 0
    assert Path(words[words.index("--out") + 1]).exists()


def tools_files(folder: Path) -> None:
    """What the pages about tools name."""
    shutil.copytree(layouts.photographs(folder), folder / "images")
    shutil.copytree(folder / "images", folder / "media" / "upload" / "1")
    tool_layouts.cvat(folder)
    tool_layouts.cvat_coco(folder)
    layouts.annotations(folder)
    tool_layouts.label_studio(folder).rename(folder / "project-1.json")
    tool_layouts.labelme(folder).rename(folder / "labels")
    tool_layouts.roboflow(folder).rename(folder / "dataset")


@pytest.mark.parametrize("line", TOOL_COMMANDS)
def test_a_command_of_a_tools_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    monkeypatch.chdir(tmp_path)
    tools_files(tmp_path)
    _, *words = shlex.split(line)
    assert main([*words, "--strict"]) == 0
    assert Path(words[words.index("--out") + 1]).exists()


@pytest.mark.parametrize("page", TOOL_PAGES, ids=lambda page: page.stem)
def test_a_tools_page_begins_with_its_command_and_is_short(page: Path) -> None:
    title, command, *rest = page.read_text(encoding="utf-8").split("\n\n")
    assert title.startswith("# ")
    assert (rest[0] if command.startswith("<!-- not run: ") else command).startswith("```sh\nbpr ")
    assert len(page.read_text(encoding="utf-8").split()) <= 340


def test_every_format_is_in_the_tables() -> None:
    first_cells = [line.split("|")[1].strip(" `") for line in DOCS.read_text().splitlines() if line.startswith("| `")]
    targets = [name for name, row in FORMATS.items() if row.target]
    assert sorted(cell for cell in first_cells if cell in FORMATS) == sorted([*FORMATS, *targets])


def test_the_four_projects_of_the_paper_have_their_line() -> None:
    text = DOCS.read_text()
    assert all(project in text for project in ("SegFix", "PointRend", "PolyTransform", "Panoptic-DeepLab"))
    assert len(COMMANDS) >= 11
