from __future__ import annotations

import json
from pathlib import Path

import pytest

from bpr.cli.convert import FORMATS
from bpr.cli.main import main
from bpr.formats.convert import TARGETS
from bpr.formats.recognise import READERS
from tests.formats import layouts


def convert(source: Path, target: str, out: Path, *options: str) -> int:
    return main(["convert", str(source), "--to", target, "--out", str(out), *options])


def segmentations(path: Path) -> list[object]:
    return [record["segmentation"] for record in json.loads(path.read_text())]


@pytest.mark.parametrize("target", TARGETS)
def test_there_and_back_changes_no_mask(tmp_path: Path, target: str) -> None:
    name = "out.json" if target in ("coco", "panoptic") else "out"
    source, images = layouts.coco_results(tmp_path), layouts.photographs(tmp_path)
    assert convert(source, target, tmp_path / name) == 0
    back = ["--img-dir", str(images), *(["--format", "masks"] if target == "masks" else [])]
    assert convert(tmp_path / name, "coco", tmp_path / "back.json", *back) == 0
    assert segmentations(tmp_path / "back.json") == segmentations(source)


def test_annotations_name_images_and_tell_sizes(tmp_path: Path) -> None:
    source = layouts.annotations(tmp_path)
    assert convert(source, "cityscapes", tmp_path / "out") == 0
    lists = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.txt"))
    assert lists == sorted(f"{stem.split('_')[0]}/{stem}_leftImg8bit_pred.txt" for stem in layouts.STEMS)


def test_a_folder_gets_the_ids_of_an_annotation_file(tmp_path: Path) -> None:
    source = layouts.mmdetection(tmp_path)
    assert convert(source, "coco", tmp_path / "out.json", "--ann", str(layouts.annotations(tmp_path))) == 0
    assert [record["image_id"] for record in json.loads((tmp_path / "out.json").read_text())] == [0, 0, 0, 1]


def test_polygons_without_sizes_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = tmp_path / "polygons.json"
    results.write_text(json.dumps([{"image_id": 1, "segmentation": [[1, 1, 9, 1, 9, 9]]}]))
    assert convert(results, "coco", tmp_path / "out.json") == 1
    assert "give --ann with the sizes of the images" in capsys.readouterr().err


@pytest.mark.parametrize(("target", "name"), [("panoptic", "out.json"), ("masks", "out")])
def test_overlap_is_refused_where_the_format_has_none(tmp_path: Path, capsys: pytest.CaptureFixture[str], target: str, name: str) -> None:
    source = layouts.coco_results(tmp_path)
    source.write_text(json.dumps(json.loads(source.read_text())[:1] * 2))
    assert convert(source, target, tmp_path / name) == 1
    assert "expected masks without overlap" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == [source.name]


def test_an_id_that_leaves_the_folder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = layouts.coco_results(tmp_path)
    source.write_text(json.dumps([{**json.loads(source.read_text())[0], "image_id": "../../escaped"}]))
    for target in ("cityscapes", "yolo", "masks"):
        assert convert(source, target, tmp_path / "deep" / "out") == 1
        assert "inside its folder" in capsys.readouterr().err
    assert not list(tmp_path.parent.rglob("*escaped*"))


def test_help_names_the_formats_that_there_are() -> None:
    assert tuple(READERS) == FORMATS
    assert set(TARGETS) < {*READERS}
