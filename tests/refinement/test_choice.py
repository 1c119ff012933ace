"""Runs that are limited to classes or records: the rest comes back as it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bpr.cli.main import main
from bpr.job import RefineJob
from tests.conftest import SmallSet


@pytest.fixture
def data(small_set: SmallSet) -> SmallSet:
    """The small set with two classes, in turn."""
    for items in (small_set.records, small_set.document["annotations"]):
        for number, item in enumerate(items):
            item["category_id"] = (7, 8)[number % 2]
    small_set.document["categories"] = [{"id": 7, "name": "disk"}, {"id": 8, "name": "7"}]
    small_set.write("instances.json", small_set.document)
    small_set.write("results.json", small_set.records)
    return small_set


def changed(data: SmallSet, *options: str, masks: Path | None = None, code: int = 0) -> list[int]:
    """The positions of the records that a run changed, where no verdict turns a change down."""
    given, out = masks or data.results, data.folder / "out.json"
    arguments = [str(given), "--img-dir", str(data.images), "--model", "starter-fast", "--out", str(out)]
    assert main(["refine", *arguments, "--caution", "0", *options]) == code
    both = [json.loads(path.read_text()) for path in (given, out)]
    before, after = (side if isinstance(side, list) else side["annotations"] for side in both)
    return [n for n, pair in enumerate(zip(before, after, strict=True)) if pair[0] != pair[1]]


def listed(data: SmallSet, *lines: object) -> str:
    path = data.folder / "ids.txt"
    path.write_text("\n".join(map(str, lines)))
    return str(path)


def test_classes_by_name_or_id(data: SmallSet, capsys: pytest.CaptureFixture[str]) -> None:
    ann = ["--ann", str(data.ann)]
    assert changed(data, *ann, "--only", "disk") == [0, 2]
    assert "2 of 4 records refined; 2 not chosen by --only; could not be refined: none" in capsys.readouterr().out
    assert changed(data, *ann, "--only", "8") == [1, 3]
    assert changed(data, *ann, "--only", "7") == [1, 3], "a name comes before an id"
    assert changed(data, *ann, "--only", "disk", "8") == [0, 1, 2, 3]
    assert changed(data, "--only", "7") == [0, 2], "without names"
    assert changed(data, masks=data.ann) == [0, 1, 2, 3]
    assert changed(data, "--only", "disk", masks=data.ann) == [0, 2]


def test_a_class_that_is_not_there(data: SmallSet, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [str(data.results), "--img-dir", str(data.images), "--ann", str(data.ann), "--out", str(data.folder / "out.json")]
    assert main(["refine", *arguments, "--only", "disk", "dog"]) == 1
    assert "--only: expected classes of the masks, ['disk', '7'], got 'dog'; part classes by spaces" in capsys.readouterr().err
    for word in ("Disk", "dsk"):
        assert main(["refine", *arguments, "--only", word]) == 1
        assert f"got {word!r}; did you mean disk?" in capsys.readouterr().err


def test_records_by_their_ids(data: SmallSet, capsys: pytest.CaptureFixture[str]) -> None:
    assert changed(data, "--ids", listed(data, 2, "", "3 "), masks=data.ann) == [1, 2]
    assert "2 of 4 records refined; 2 not chosen by --ids" in capsys.readouterr().out
    assert changed(data, "--ids", listed(data, 0, 3)) == [0, 3], "results have no ids: by position"
    named = [{**annotation, "id": f"box {n}"} for n, annotation in enumerate(data.document["annotations"])]
    ann = data.write("named.json", {**data.document, "annotations": named})
    assert changed(data, "--ids", listed(data, "box 2"), masks=ann) == [2]
    assert changed(data, "--ids", listed(data, "box 2", "box 1"), "--only", "disk", "--min-score", "0.5", masks=ann) == [2]
    assert "3 not chosen by --min-score, --only, --ids" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("lines", "error"),
    [
        (["1", "99"], "line 2: expected the id of a record, or its position where records have no id, got '99'"),
        (["0"], "line 1: expected the id of a record"),
        (["", " "], "expected ids of records, one on a line, got none"),
    ],
)
def test_ids_that_no_record_has(data: SmallSet, capsys: pytest.CaptureFixture[str], lines: list[str], error: str) -> None:
    arguments = [str(data.ann), "--img-dir", str(data.images), "--out", str(data.folder / "out.json")]
    assert main(["refine", *arguments, "--ids", listed(data, *lines)]) == 1
    assert error in capsys.readouterr().err
    assert main(["refine", *arguments, "--ids", str(data.folder / "nothing.txt")]) == 1
    assert "cannot read it (No such file or directory); expected ids of records" in capsys.readouterr().err


def test_a_limited_run_is_shared_and_merged(data: SmallSet, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--ann", str(data.ann), "--only", "disk", "--ids", listed(data, 0, 1), "--caution", "0"]
    whole = changed(data, *options)
    expected = (data.folder / "out.json").read_bytes()
    out = str(data.folder / "shared.json")
    files = [str(data.results), "--img-dir", str(data.images), "--model", "starter-fast", "--out", out]
    for shard in ("1/2", "2/2"):
        assert main(["refine", *files, *options, "--shard", shard]) == 0
    assert main(["merge", out]) == 0
    assert (whole, Path(out).read_bytes()) == ([0], expected)


def test_another_choice_does_not_go_on(data: SmallSet) -> None:
    def job(**choice: Any) -> RefineJob:
        return RefineJob(data.results, data.folder / "out.json", images=data.images, ann=data.ann, model="identity", **choice)

    with pytest.raises(Exception, match="interrupted"):
        job(only=["disk"]).run(stopped=lambda: True)
    for other in ({"only": ["8"]}, {"only": ["disk"], "crowds": "refine"}, {"only": ["disk"], "ids": listed(data, 0)}):
        with pytest.raises(Exception, match=r"began with other"):
            job(**other).run(resume=True)
    assert job(only=["disk"]).run(resume=True).refined == 2
    assert job(only="disk").run().refined == job(only=[8]).run().refined == 2
