"""The JSON of Segment Anything, read and given back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bpr.cli.main import main
from bpr.formats.recognise import open_source
from bpr.geometry.rle import decode_mask
from tests.formats import layouts

LAYOUTS = [layouts.sam_lists, layouts.sa_1b]


def refine(source: Path, images: Path, out: Path, model: str = "identity") -> int:
    return main(["refine", str(source), "--img-dir", str(images), "--model", model, "--strict", "--out", str(out)])


def documents(folder: Path) -> dict[str, Any]:
    return {path.name: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_unchanged_masks_come_back_as_they_were(tmp_path: Path, layout: Any) -> None:
    source, images = layout(tmp_path), layouts.photographs(tmp_path)
    assert refine(source, images, tmp_path / "out") == 0
    assert documents(tmp_path / "out") == documents(source)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_changed_masks_keep_everything_else(tmp_path: Path, layout: Any) -> None:
    source, images = layout(tmp_path), layouts.photographs(tmp_path)
    assert refine(source, images, tmp_path / "out", "starter-fast") == 0
    before, after = documents(source), documents(tmp_path / "out")
    assert before.keys() == after.keys()
    changed = 0
    for name, document in before.items():
        old, new = (one["annotations"] if isinstance(one, dict) else one for one in (document, after[name]))
        for given, refined in zip(old, new, strict=True):
            changed += given != refined
            assert given.keys() == refined.keys()
            assert {key: given[key] for key in given if key not in ("segmentation", "area", "bbox")} == {
                key: refined[key] for key in refined if key not in ("segmentation", "area", "bbox")
            }
            assert refined["area"] == decode_mask(refined["segmentation"]).area
    assert changed


def test_a_single_file_gives_a_file(tmp_path: Path) -> None:
    source, images = layouts.sam_lists(tmp_path) / f"{layouts.STEMS[0]}_leftImg8bit.json", layouts.photographs(tmp_path)
    photo = next(images.rglob(f"{layouts.STEMS[0]}*"))
    for given in (images, photo):
        assert refine(source, given, tmp_path / "out.json") == 0
        assert json.loads((tmp_path / "out.json").read_text()) == json.loads(source.read_text())


@pytest.mark.parametrize("layout", LAYOUTS)
def test_files_beside_their_photos(tmp_path: Path, layout: Any) -> None:
    """As SA-1B is unpacked: the photos are not masks, although they are pictures."""
    source, images = layout(tmp_path), layouts.photographs(tmp_path)
    for photo in images.rglob("*.png"):
        photo.rename(source / photo.name)
    for file in source.glob("sa_*.json"):
        document = json.loads(file.read_text())
        document["image"]["file_name"] = Path(document["image"]["file_name"]).name
        file.write_text(json.dumps(document))
    records, find = open_source(source)
    assert records.format == "sam"
    assert all(find().path(record["image_id"]).is_file() for record in records.records)


def test_scores_are_those_that_the_model_predicts(tmp_path: Path) -> None:
    source, _ = open_source(layouts.sam_lists(tmp_path))
    assert [record["score"] for record in source.records] == [0.9876, 0.5, 0.25, 0.75]


def test_it_becomes_a_whole_annotation_file(tmp_path: Path) -> None:
    source, images = layouts.sa_1b(tmp_path), layouts.photographs(tmp_path)
    out = tmp_path / "out.json"
    assert main(["convert", str(source), "--img-dir", str(images), "--to", "annotations", "--out", str(out)]) == 0
    document = json.loads(out.read_text())
    assert [image["id"] for image in document["images"]] == [7, 8, 9]
    assert document["categories"] == [{"id": 1, "name": "object"}]
    assert [one["image_id"] for one in document["annotations"]] == [7, 7, 7, 8]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[{"segmentation": null}, {"area": 3}]', "expected masks of Segment Anything"),
        ('{"image": {"image_id": 1}, "annotations": []}', "expected masks of Segment Anything"),
        ("[1]", "expected masks of Segment Anything"),
    ],
)
def test_other_json_is_one_line(tmp_path: Path, text: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.json").write_text(text)
    arguments = [str(tmp_path / "a.json"), "--format", "sam", "--img-dir", str(tmp_path), "--out", str(tmp_path / "out.json")]
    assert main(["refine", *arguments]) == 1
    assert message in capsys.readouterr().err


def test_one_image_in_two_files_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, images = layouts.sa_1b(tmp_path), layouts.photographs(tmp_path)
    (source / "twice.json").write_bytes((source / "sa_7.json").read_bytes())
    assert refine(source, images, tmp_path / "out") == 1
    assert "expected every image once, got 7 twice" in capsys.readouterr().err
