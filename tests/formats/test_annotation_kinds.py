"""Annotations that are no instances: crowds, however they are flagged, and objects without a mask."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bpr.cli.main import main
from bpr.errors import BadMask, BPRError
from bpr.formats.coco import is_crowd
from bpr.geometry.rle import decode_mask, encode_mask, has_mask
from bpr.io.image_list import ImageList
from tests.conftest import SmallSet

LEFT_OUT = "left out: {} of {} annotations, {} (first: annotation id {})"
CVAT = (
    "every RLE of the file is flagged as a crowd, as CVAT flags single objects; "
    "if they are single objects, refine them with --crowds refine"
)


def flagged(data: SmallSet, *flags: object) -> Path:
    """The annotations with their flags; ``...`` leaves one without a flag."""
    for annotation, flag in zip(data.document["annotations"], flags, strict=True):
        annotation.pop("iscrowd")
        annotation |= {} if flag is ... else {"iscrowd": flag}
    return data.write("flagged.json", data.document)


def refine(data: SmallSet, ann: Path, *options: str) -> tuple[int, list[dict[str, Any]]]:
    out = data.folder / "out.json"
    model = ["--model", "starter-fast", "--caution", "0"]
    code = main(["refine", str(ann), "--img-dir", str(data.images), *model, "--out", str(out), *options])
    return code, json.loads(out.read_text())["annotations"]


@pytest.mark.parametrize("flag", [0, False, 0.0, None, "0", "false", "False", ...])
def test_what_is_no_crowd(flag: object) -> None:
    assert not is_crowd({} if flag is ... else {"iscrowd": flag}, "annotation 0")


@pytest.mark.parametrize("flag", [1, True, 1.0, "1", "true", "True"])
def test_what_is_a_crowd(flag: object) -> None:
    assert is_crowd({"iscrowd": flag}, "annotation 0")


@pytest.mark.parametrize("flag", [2, -1, 0.5, float("nan"), "", "no", "x", [], [1], {}])
def test_other_flags_are_refused_by_every_command(small_set: SmallSet, capsys: pytest.CaptureFixture[str], flag: object) -> None:
    ann, out = str(flagged(small_set, 0, flag, 0, 0)), str(small_set.folder / "out")
    commands = (
        ["refine", ann, "--img-dir", str(small_set.images), "--model", "identity", "--out", out],
        ["convert", ann, "--to", "yolo", "--out", out],
        ["eval", str(small_set.results), "--ann", ann],
    )
    for command in commands:
        assert main(command) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert "annotation id 2: iscrowd: expected 0 or 1, got" in line
    with pytest.raises(BPRError):
        is_crowd({"iscrowd": flag}, "annotation 0")


def test_crowds_among_others_are_counted_and_kept(small_set: SmallSet, capsys: pytest.CaptureFixture[str]) -> None:
    ann = flagged(small_set, 1, "0", True, None)
    before = json.loads(ann.read_text())["annotations"]
    code, after = refine(small_set, ann)
    assert (code, after[0], after[2]) == (0, before[0], before[2])
    assert all(after[n] != before[n] for n in (1, 3))
    assert LEFT_OUT.format(2, 4, "crowds", 1) in capsys.readouterr().err.splitlines()
    assert main(["eval", str(small_set.results), "--ann", str(ann)]) == 0
    assert f"annotations: {LEFT_OUT.format(2, 4, 'crowds', 1)}" in capsys.readouterr().out


def test_a_file_of_flagged_masks_says_how_to_refine_them(small_set: SmallSet, capsys: pytest.CaptureFixture[str]) -> None:
    ann = flagged(small_set, *[1] * 4)
    before = json.loads(ann.read_text())["annotations"]
    assert refine(small_set, ann) == (1, before)
    printed = capsys.readouterr()
    assert {CVAT, LEFT_OUT.format(4, 4, "crowds", 1)} <= set(printed.err.splitlines())
    assert "0 of 0 records refined" in printed.out
    code, after = refine(small_set, ann, "--crowds", "refine")
    printed = capsys.readouterr()
    assert (code, [annotation["iscrowd"] for annotation in after]) == (0, [1] * 4)
    assert all(old["segmentation"] != new["segmentation"] for old, new in zip(before, after, strict=True))
    assert "4 of 4 records refined" in printed.out
    assert CVAT not in printed.err
    out = small_set.folder / "report"
    pair = [str(small_set.folder / "out.json"), "--before", str(ann), "--img-dir", str(small_set.images)]
    assert main(["report", *pair, "--out", str(out)]) == 0
    assert capsys.readouterr().out.startswith("4 masks")


def test_polygons_beside_flagged_masks_are_refined(small_set: SmallSet, capsys: pytest.CaptureFixture[str]) -> None:
    """CVAT's export of polygons and brush masks."""
    small_set.document["annotations"][0]["segmentation"] = [[20, 20, 70, 20, 70, 70, 20, 70]]
    code, _ = refine(small_set, flagged(small_set, 0, 1, 1, 1))
    assert (code, CVAT in capsys.readouterr().err) == (0, False)  # COCO's own files: polygons, and true crowds as RLE
    small_set.document["annotations"][1]["attributes"] = {"occluded": False}
    for annotation in small_set.document["annotations"]:
        annotation["iscrowd"] = 0
    code, _ = refine(small_set, flagged(small_set, 0, 1, 1, 1))
    assert code == 0
    assert CVAT in capsys.readouterr().err
    refine(small_set, small_set.folder / "flagged.json", "--crowds", "refine")
    assert "4 of 4 records refined" in capsys.readouterr().out


def test_crowds_stay_chosen_when_shards_are_merged(small_set: SmallSet) -> None:
    ann, out = flagged(small_set, *[1] * 4), small_set.folder / "out.json"
    for shard in ("1/2", "2/2"):
        options = ["--model", "starter-fast", "--caution", "0", "--crowds", "refine", "--shard", shard, "--out", str(out)]
        assert main(["refine", str(ann), "--img-dir", str(small_set.images), *options]) == 0
    assert main(["merge", str(out)]) == 0
    merged = json.loads(out.read_text())["annotations"]
    out.unlink()
    assert merged == refine(small_set, ann, "--crowds", "refine")[1]


MASKLESS = {
    "empty": [],
    "null": None,
    "no key": ...,
    "an empty part": [[]],
    "two points": [[45, 25, 141, 81]],
    "two parts of two points": [[45, 25, 141, 81], [1, 2]],
    "RLE of size 0": {"size": [0, 0], "counts": ""},
    "RLE of size 0 with a run": {"size": [0, 0], "counts": [0]},
    "RLE without runs": {"size": [120, 160], "counts": []},
}


@pytest.mark.parametrize("name", MASKLESS)
def test_an_object_without_a_mask_is_left_out_and_named(
    small_set: SmallSet, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    results = str(small_set.results)
    assert main(["eval", results, "--ann", str(small_set.ann), "--out", str(small_set.folder / "whole.json")]) == 0
    extra = {"id": 9, "image_id": 1, "category_id": 7, "iscrowd": 0, "bbox": [45, 25, 46, 56], "area": 2576}
    extra |= {} if MASKLESS[name] is ... else {"segmentation": MASKLESS[name]}
    small_set.document["annotations"].insert(1, extra)
    ann, line = small_set.write("extra.json", small_set.document), LEFT_OUT.format(1, 5, "without a mask", 9)
    capsys.readouterr()
    for fast in ([], ["--fast"]):
        assert main(["eval", results, "--ann", str(ann), "--out", str(small_set.folder / "extra_eval.json"), *fast]) == 0
        assert f"annotations: {line}" in capsys.readouterr().out
        rows = [json.loads((small_set.folder / file).read_text())["rows"] for file in ("whole.json", "extra_eval.json")]
        values = [{key: row["value"] for key, row in part.items()} for part in rows]
        assert values[0] == pytest.approx(values[1])
    code, after = refine(small_set, ann)
    assert (code, after[1]) == (0, extra)
    assert line in capsys.readouterr().err
    assert main(["convert", str(ann), "--to", "yolo", "--out", str(small_set.folder / "yolo")]) == 0
    assert capsys.readouterr().err.splitlines() == [line]


@pytest.mark.parametrize("stray", [[], [10, 10, 12, 12], [5, 5], None, [1, 2, 3], [1, 2, 3, 4, 5]])
@pytest.mark.parametrize("place", [0, 1])
def test_a_stray_part_beside_a_good_polygon_is_dropped(stray: list[float], place: int) -> None:
    good = [20, 20, 70, 20, 70, 70, 20, 70]
    parts = [stray, good] if place else [good, stray]
    assert decode_mask(parts, (120, 160)).equals(decode_mask([good], (120, 160)))


def test_a_file_of_boxes_alone_is_a_run_without_a_result(small_set: SmallSet, capsys: pytest.CaptureFixture[str]) -> None:
    for annotation in small_set.document["annotations"]:
        annotation["segmentation"] = []
    ann = small_set.write("boxes.json", small_set.document)
    assert refine(small_set, ann) == (1, small_set.document["annotations"])
    assert LEFT_OUT.format(4, 4, "without a mask", 1) in capsys.readouterr().err


@pytest.mark.parametrize("points", [[[20, 20], [70, 20], [70, 70]], [[20.5, 20], [70, 20], [70, 70], [20, 70]]])
def test_points_as_pairs_are_named_and_no_object_without_a_mask(points: list[list[float]]) -> None:
    assert has_mask(points)
    with pytest.raises(BadMask, match=r"got points as pairs \[\[20.*write all points into one list"):
        decode_mask(points, (120, 160))


@pytest.mark.parametrize("size", [("120", "160"), ("120.0", "160.0"), (120.0, "160")])
def test_sizes_as_text_are_sizes(size: tuple[object, object]) -> None:
    rle = encode_mask(decode_mask([[20, 20, 70, 20, 70, 70]], (120, 160)))
    assert decode_mask({**rle, "size": list(size)}).frame == (120, 160)
    assert ImageList([{"id": 1, "height": size[0], "width": size[1]}]).frame(1) == (120, 160)


@pytest.mark.parametrize("size", [("wide", "160"), ("120.5", "160"), ("", "160"), ("nan", "160"), ("1e30", "160"), (True, 160)])
def test_other_texts_are_no_sizes(size: tuple[object, object]) -> None:
    assert ImageList([{"id": 1, "height": size[0], "width": size[1]}]).frame(1) is None
    with pytest.raises(BadMask, match="RLE size"):
        decode_mask({"size": list(size), "counts": [120 * 160]})


@pytest.mark.parametrize(("image_id", "file"), [("sub\\q.jpg", "sub/q.txt"), ("sub/q", "sub/q.txt"), ("a.b.jpg", "a.b.txt")])
def test_a_label_file_is_called_as_the_image(tmp_path: Path, image_id: str, file: str) -> None:
    record = {"image_id": image_id, "category_id": 1, "score": 0.5, "segmentation": {"size": [9, 9], "counts": [10, 3, 6, 3, 59]}}
    (tmp_path / "r.json").write_text(json.dumps([record]))
    assert main(["convert", str(tmp_path / "r.json"), "--to", "yolo", "--out", str(tmp_path / "y")]) == 0
    assert (tmp_path / "y" / file).is_file()


@pytest.mark.parametrize("image_id", ["", ".", " "])
def test_a_record_whose_id_names_no_file_is_refused(tmp_path: Path, image_id: str, capsys: pytest.CaptureFixture[str]) -> None:
    record = {"image_id": image_id, "category_id": 1, "score": 0.5, "segmentation": {"size": [9, 9], "counts": [10, 3, 6, 3, 59]}}
    (tmp_path / "r.json").write_text(json.dumps([record]))
    assert main(["convert", str(tmp_path / "r.json"), "--to", "yolo", "--out", str(tmp_path / "y")]) == 1
    assert "record 0: image_id: expected an id or the name of an image, got" in capsys.readouterr().err
    assert not (tmp_path / "y").exists()
