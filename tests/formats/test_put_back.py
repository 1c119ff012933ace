"""Refined files of every format in which some masks are as they were before: every shape is one of the two, to the byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from bpr.formats.recognise import open_source
from tests.formats import layouts, tool_layouts
from tests.formats.test_round_trips import files, refine
from tests.formats.test_tool_formats import ALL, Layout, images_of

OTHERS = [layouts.annotations, layouts.yolo, layouts.coco_results, layouts.sam_lists, layouts.sa_1b, layouts.mmdetection]


def contents(path: Path) -> dict[str, bytes]:
    return files(path) if path.is_dir() else {"": path.read_bytes()}


@pytest.mark.parametrize("layout", [*ALL, *OTHERS])
@pytest.mark.usefixtures("swelling")
def test_every_shape_is_that_of_one_of_both_files(tmp_path: Path, photographs: Path, layout: Layout) -> None:
    source = layout(tmp_path)
    images = images_of(source, photographs)
    refined = refine(source, images, tmp_path / f"refined{source.suffix}", "--crowds", "refine", model="starter")
    before, after = (open_source(path, None, images, crowds=True)[0] for path in (source, refined))
    count = len(before.records)
    for undone in ({0, count - 1}, set(), set(range(count))):
        out = tmp_path / f"final{len(undone)}{source.suffix}"
        after.put_back(before, undone, out)
        final = open_source(out, None, images, crowds=True)[0]
        wanted = [(old if index in undone else new) for index, (old, new) in enumerate(zip(before.records, after.records, strict=True))]
        assert list(final.records) == wanted
        if not undone:
            assert contents(out) == contents(refined)
        if len(undone) == count and layout not in OTHERS[2:]:  # results are dumped anew by refining, with other spaces
            assert contents(out) == contents(source)
    assert list(before.records) != list(after.records)


@pytest.mark.usefixtures("swelling")
def test_one_undone_shape_changes_nothing_else(tmp_path: Path, photographs: Path) -> None:
    source = tool_layouts.cvat(tmp_path)
    refined = refine(source, photographs, tmp_path / "refined.xml", model="starter")
    before, after = (open_source(path, None, photographs)[0] for path in (source, refined))
    after.put_back(before, {2}, tmp_path / "final.xml")
    old, new, final = (path.read_text().splitlines() for path in (source, refined, tmp_path / "final.xml"))
    shapes = [row for row, line in enumerate(old) if line.lstrip().startswith(("<polygon", "<mask"))]
    assert final == [*new[: shapes[2]], old[shapes[2]], *new[shapes[2] + 1 :]]
    assert old[shapes[2]] != new[shapes[2]]
