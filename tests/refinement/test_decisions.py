"""The file of decisions: what it must hold, and that it is about the files that are given with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bpr.cli.main import main
from bpr.formats.recognise import open_source
from bpr.refinement.decisions import Review
from tests.conftest import SmallSet
from tests.formats import layouts


def review(before: Path, after: Path) -> dict[str, Any]:
    """What the page of their report would save before anyone decided."""
    sources = [open_source(path, crowds=True)[0] for path in (before, after)]
    found = Review.of(*sources, {"before": before.name, "after": after.name})
    assert found
    return {**found.sides, "undo": [], "keep": []}


@pytest.fixture
def refined(small_set: SmallSet) -> Path:
    """The annotations of the small set, each a little smaller."""
    annotations = [
        {**old, "segmentation": new["segmentation"], "bpr": {"verdict": "all", "expected_gain": 1.5, "moved_px": 1}}
        for old, new in zip(small_set.document["annotations"], small_set.records, strict=True)
    ]
    return small_set.write("refined.json", {**small_set.document, "annotations": annotations})


def apply(data: SmallSet, decisions: object, refined: Path, before: Path | None = None) -> int:
    file, out = data.write("decisions.json", decisions), data.folder / "final.json"
    return main(["apply", str(file), str(refined), "--before", str(before or data.ann), "--out", str(out)])


def test_undone_masks_are_as_before(small_set: SmallSet, refined: Path, capsys: pytest.CaptureFixture[str]) -> None:
    decisions = review(small_set.ann, refined) | {"undo": ["2", 4], "keep": ["1"]}
    assert apply(small_set, decisions, refined) == 0
    assert "2 masks put back, the other 2 as refined (1 marked as kept)" in capsys.readouterr().out
    old, new, final = (json.loads(path.read_text()) for path in (small_set.ann, refined, small_set.folder / "final.json"))
    pairs = zip(old.pop("annotations"), new.pop("annotations"), strict=True)
    assert final.pop("annotations") == [before if before["id"] in (2, 4) else after for before, after in pairs]
    assert final == old


def test_ids_that_two_records_have_are_replaced_by_positions(small_set: SmallSet, refined: Path) -> None:
    for path in (small_set.ann, refined):
        document = json.loads(path.read_text())
        for annotation in document["annotations"]:
            annotation["id"] = 7
        path.write_text(json.dumps(document))
    assert apply(small_set, review(small_set.ann, refined) | {"undo": ["3"]}, refined) == 0
    old, new, final = (json.loads(path.read_text())["annotations"] for path in (small_set.ann, refined, small_set.folder / "final.json"))
    assert final == [*new[:3], old[3]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"undo": ["9"]}, "decisions.json: undo: expected ids of {after}, got '9'"),
        ({"undo": ["1"], "keep": ["2", "1"]}, "expected one decision about each mask, got undo and keep for '1'"),
        ({"before": {"name": "other.json", "masks": "0"}}, "{before}: expected the masks before refining that {file} is about"),
        ({"after": {"name": "other.json", "masks": "0"}}, "{after}: expected the refined masks that {file} is about"),
        ({"after": {}}, "expected decisions that the page of bpr report saved"),
        ({"after": None}, "expected decisions that the page of bpr report saved"),
        ({"keep": None}, "expected decisions that the page of bpr report saved"),
    ],
)
def test_wrong_decisions_are_one_line(
    small_set: SmallSet, refined: Path, capsys: pytest.CaptureFixture[str], change: dict[str, Any], message: str
) -> None:
    assert apply(small_set, review(small_set.ann, refined) | change, refined) == 1
    names = {"before": small_set.ann, "after": refined, "file": small_set.folder / "decisions.json"}
    assert message.format(**names) in capsys.readouterr().err
    assert not (small_set.folder / "final.json").exists()


def test_files_in_another_order_are_one_line_that_says_so(
    small_set: SmallSet, refined: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert apply(small_set, review(small_set.ann, refined), small_set.ann, before=refined) == 1
    assert f"got the refined masks; it looks swapped with {small_set.ann}\n" in capsys.readouterr().err
    decisions, out = str(small_set.folder / "decisions.json"), ["--out", str(small_set.folder / "final.json")]
    for words in ([str(refined), decisions, "--before", str(small_set.ann)], [str(refined), str(small_set.ann), "--before", decisions]):
        assert main(["apply", *words, *out]) == 1
        printed = capsys.readouterr().err
        assert printed.startswith(f"bpr apply: {refined}: expected decisions that the page of bpr report saved, got another file; ")
        assert printed.endswith("decisions.json that its button saves goes first\n")


def test_masks_that_must_not_overlap_cannot_be_put_back(small_set: SmallSet, refined: Path, capsys: pytest.CaptureFixture[str]) -> None:
    decisions, labels = review(small_set.ann, refined), layouts.semantic(small_set.folder)
    assert apply(small_set, decisions, labels, labels) == 1
    assert "expected files of one format, in which masks may overlap, got semantic; refine again with --ids" in capsys.readouterr().err
    assert apply(small_set, decisions, refined, small_set.results) == 1
    assert "got coco and annotations" in capsys.readouterr().err
