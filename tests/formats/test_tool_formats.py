"""Files of annotation tools: read in the layouts that the tools write, and given back with nothing else changed."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest

from bpr.cli.main import main
from bpr.errors import BPRError
from bpr.formats.brush_rle import decode_brush
from bpr.formats.recognise import open_source
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import decode_mask, encode_mask
from bpr.io.png import write_png
from tests.formats import layouts, tool_layouts
from tests.formats.test_round_trips import files, refine
from tests.refinement.verdict.test_verdict import Grower, always

Layout = Callable[[Path], Path]
FILES: dict[Layout, str] = {
    tool_layouts.x_anylabeling: "labelme",
    tool_layouts.cvat: "cvat",
    tool_layouts.cvat_coco: "annotations",
    tool_layouts.label_studio: "label-studio",
}
FOLDERS: dict[Layout, str] = {
    tool_layouts.labelme: "labelme",
    tool_layouts.roboflow: "yolo-export",
    tool_layouts.ultralytics: "yolo-export",
}
ALL = [*FILES, *FOLDERS]


def images_of(source: Path, photographs: Path) -> Path:
    """An export holds its own images."""
    return source if (source / "data.yaml").exists() else photographs


def refined(source: Path, photographs: Path, folder: Path, *options: str, model: str = "identity") -> Path:
    return refine(source, images_of(source, photographs), folder / f"out{source.suffix}", *options, model=model)


def edited(source: Path, *edits: tuple[str, str]) -> Path:
    """The file with other text in some places."""
    text = source.read_text(encoding="utf-8")
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    source.write_text(text, encoding="utf-8")
    return source


@pytest.mark.parametrize("layout", ALL)
def test_it_is_recognised(tmp_path: Path, photographs: Path, layout: Layout) -> None:
    source = layout(tmp_path)
    assert open_source(source, None, images_of(source, photographs))[0].format == (FILES | FOLDERS)[layout]


@pytest.mark.parametrize("layout", ALL)
def test_it_comes_back_byte_for_byte(tmp_path: Path, photographs: Path, layout: Layout) -> None:
    source = layout(tmp_path)
    out = refined(source, photographs, tmp_path, "--strict")
    if source.is_dir():
        assert files(out) == files(source)
    else:
        assert out.read_bytes() == source.read_bytes()


@pytest.mark.parametrize("layout", ALL)
def test_a_mask_that_the_verdict_keeps_stays_byte_for_byte(
    tmp_path: Path, photographs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], layout: Layout
) -> None:
    monkeypatch.setattr("bpr.backends.load_predictor", lambda *_, **__: Grower(always(None)))
    source = layout(tmp_path)
    out = refined(source, photographs, tmp_path, "--strict", model="starter")
    assert "not at all" in capsys.readouterr().out
    assert files(out) == files(source) if source.is_dir() else out.read_bytes() == source.read_bytes()


def test_the_verdict_of_a_changed_mask_stands_in_annotations_alone(
    tmp_path: Path, photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bpr.backends.load_predictor", lambda *_, **__: Grower(always(0)))
    out = refined(tool_layouts.cvat_coco(tmp_path), photographs, tmp_path, model="starter")
    verdicts = {each["iscrowd"]: each.get("bpr", {}).get("verdict") for each in json.loads(out.read_text())["annotations"]}
    assert verdicts == {0: "all", 1: None}
    for layout in (tool_layouts.x_anylabeling, tool_layouts.cvat, tool_layouts.label_studio):
        source = layout(tmp_path)
        out = refined(source, photographs, tmp_path, model="starter")
        assert out.read_bytes() != source.read_bytes()
        assert b"verdict" not in out.read_bytes()


def rle_records(records: Any, entries: Any) -> list[dict[str, Any]]:
    """COCO results of the same masks."""
    frames = {entry["id"]: (entry["height"], entry["width"]) for entry in entries or []}
    found = []
    for record in records:
        mask = decode_mask(record["segmentation"], frames.get(record["image_id"], layouts.FRAME))
        base = {"image_id": record["image_id"], "category_id": 1, "score": 1.0}
        found.append({**base, "segmentation": encode_mask(mask)})
    return found


@pytest.mark.parametrize("layout", ALL)
@pytest.mark.usefixtures("swelling")
def test_refined_masks_are_those_of_the_rle_path(tmp_path: Path, photographs: Path, layout: Layout) -> None:
    """Exact polygons give the very masks that COCO's RLE gives, bit for bit, and keep everything else."""
    source = layout(tmp_path)
    images = images_of(source, photographs)
    given, listed, plain = open_source(source, None, images)[0], tmp_path / "listed.json", tmp_path / "plain.json"
    before = rle_records(given.records, given.entries)
    plain.write_text(json.dumps(before))
    listed.write_text(json.dumps({"images": given.entries or []}))
    with_list = ["--ann", str(listed)] if given.entries else []
    expected = json.loads(refine(plain, images, tmp_path / "expected.json", *with_list, model="starter").read_text())
    again = open_source(refined(source, photographs, tmp_path, "--polygons", "0", model="starter"), given.format, images)[0]
    after = rle_records(again.records, again.entries)
    assert [record["segmentation"] for record in after] == [record["segmentation"] for record in expected]
    assert after != before
    changed = {"segmentation": 0, "bbox": 0, "area": 0}
    assert [record | changed for record in again.records] == [record | changed for record in given.records]
    assert again.left_out == given.left_out


@pytest.mark.parametrize("layout", [tool_layouts.labelme, tool_layouts.cvat, tool_layouts.label_studio, tool_layouts.roboflow])
@pytest.mark.usefixtures("swelling")
def test_polygons_of_few_vertices_are_the_default(tmp_path: Path, photographs: Path, layout: Layout) -> None:
    source = layout(tmp_path)
    images = images_of(source, photographs)
    exact, simple = (refine(source, images, tmp_path / f"{name}{source.suffix}", *options, model="starter")
                     for name, options in (("exact", ["--polygons", "0"]), ("simple", [])))  # fmt: skip
    pairs = zip(open_source(exact, None, images)[0].records, open_source(simple, None, images)[0].records, strict=True)
    for wanted, got in pairs:
        one, other = (decode_mask(record["segmentation"]).to_frame() for record in (wanted, got))
        assert np.sum(one & other) / np.sum(one | other) >= 0.995


# What is in a file of each tool after refining, read as the tool reads it.


@pytest.mark.usefixtures("swelling")
def test_labelme(tmp_path: Path, photographs: Path) -> None:
    source = tool_layouts.labelme(tmp_path)
    out = refined(source, photographs, tmp_path, model="starter")
    kinds = set()
    for path in sorted(source.iterdir()):
        old, new = (json.loads((folder / path.name).read_text(encoding="utf-8")) for folder in (source, out))
        assert {**new, "shapes": 0} == {**old, "shapes": 0}
        assert "größer" in (out / path.name).read_text(encoding="utf-8") or len(old["shapes"]) == 3
        for before, after in zip(old["shapes"], new["shapes"], strict=True):
            if before["shape_type"] in ("polygon", "mask"):
                kinds.add(before["shape_type"])
                assert after["points"] != before["points"]
                rest = {"points": 0, "mask": 0}
                assert {**after, **rest} == {**before, **rest}
            else:
                assert after == before
            if before["shape_type"] == "mask":
                (left, top), (right, bottom) = np.array(after["points"]).astype(int)
                png = cv2.imdecode(np.frombuffer(base64.b64decode(after["mask"]), np.uint8), cv2.IMREAD_UNCHANGED)
                assert png.shape == (bottom - top + 1, right - left + 1), "as LabelMe puts it into the image"
                assert np.unique(png).tolist() == [0, 1]
                assert png.any(axis=0).all()
                assert png.any(axis=1).all()
    assert kinds == {"polygon", "mask"}


def test_labelme_files_beside_their_photos_come_back_with_them(tmp_path: Path, photographs: Path) -> None:
    folder = tmp_path / "beside"
    folder.mkdir()
    photo = tmp_path / tool_layouts.PHOTOS[layouts.STEMS[0]]
    (folder / "sub").mkdir()
    (folder / "sub" / photo.name).write_bytes(photo.read_bytes())
    source = tool_layouts.x_anylabeling(folder / "sub")
    edited(source, ("C:\\\\scans\\\\", ""))
    (folder / "classes.json").write_text("{}")
    assert main(["refine", str(folder), "--model", "identity", "--strict", "--out", str(tmp_path / "out")]) == 0
    assert files(tmp_path / "out").keys() == {"sub/x_anylabeling.json", f"sub/{photo.name}"}
    assert main(["refine", str(source), "--model", "identity", "--strict", "--out", str(tmp_path / "out.json")]) == 0


def test_a_photo_inside_of_a_labelme_file_has_to_be_saved(
    tmp_path: Path, photographs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "labels").mkdir()
    source = tool_layouts.x_anylabeling(tmp_path / "labels")
    edited(source, ('"imageData": null', '"imageData": "/9j/4AAQSkZJRg=="'))
    photo = source.parent / Path(tool_layouts.PHOTOS[layouts.STEMS[0]]).name
    options = ["--model", "identity", "--out", str(tmp_path / "out.json")]
    assert main(["refine", str(source), *options]) == 1
    line = f"{photo}: expected the photo as a file, got only imageData, which is not read; save it there, or give --img-dir"
    assert line in capsys.readouterr().err
    assert main(["refine", str(source), "--img-dir", str(photographs), *options]) == 0
    assert main(["convert", str(source), "--to", "coco", "--out", str(tmp_path / "coco.json")]) == 0
    assert "imageData" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("edits", "problem"),
    [
        ([('"mask": "', '"mask": "!')], "1 bad mask"),
        ([('"shape_type": "mask"', '"shape_type": "polygon"')], "1 bad mask"),
        ([('"imageHeight": 90', '"imageHeight": null'), ('"imageWidth": 130', '"imageWidth": -1')], "none"),
    ],
)
def test_labelme_shapes_that_cannot_be_read_stay(
    tmp_path: Path, photographs: Path, capsys: pytest.CaptureFixture[str], edits: list[tuple[str, str]], problem: str
) -> None:
    source = edited(tool_layouts.labelme(tmp_path) / f"{layouts.STEMS[0]}.json", *edits)
    out = refined(source, photographs, tmp_path)
    assert f"could not be refined: {problem}" in capsys.readouterr().out
    assert out.read_bytes() == source.read_bytes()


@pytest.mark.usefixtures("swelling")
def test_cvat(tmp_path: Path, photographs: Path) -> None:
    source = tool_layouts.cvat(tmp_path)
    out = refined(source, photographs, tmp_path, model="starter")
    before, after = (ElementTree.parse(path).getroot() for path in (source, out))
    geometry = ("points", "rle", "left", "top", "width", "height")
    seen = 0
    for old, new in zip(before.iter(), after.iter(), strict=True):
        assert (new.tag, new.text) == (old.tag, old.text)
        if old.tag not in ("polygon", "mask"):
            assert new.attrib == old.attrib
            continue
        seen += 1
        assert new.attrib != old.attrib
        assert {k: v for k, v in new.items() if k not in geometry} == {k: v for k, v in old.items() if k not in geometry}
        if old.tag == "polygon":
            assert re.fullmatch(r"(\d+\.\d\d,\d+\.\d\d;?)+", new.attrib["points"])
        else:
            runs = [int(run) for run in new.attrib["rle"].split(", ")]
            assert sum(runs) == int(new.attrib["width"]) * int(new.attrib["height"])
    assert seen == 4
    blank = re.compile(r' (points|rle|left|top|width|height)="[^"]*"')
    assert blank.sub("", out.read_text(encoding="utf-8")) == blank.sub("", source.read_text(encoding="utf-8"))


@pytest.mark.usefixtures("swelling")
def test_tags_of_any_spelling_keep_it(tmp_path: Path, photographs: Path) -> None:
    edits = [("<polygon label=", "<polygon\n  note='a > \"b\"'\tlabel = "), (' points="', " points = '")]
    source = edited(tool_layouts.cvat(tmp_path), *edits)
    source.write_text(re.sub(r"( points = '[^\"]*)\"", r"\1'", source.read_text(encoding="utf-8")), encoding="utf-8")
    out = refined(source, photographs, tmp_path, model="starter")
    text = out.read_text(encoding="utf-8")
    assert text.count("<polygon\n  note='a > \"b\"'\tlabel = \"car\"") == 2
    assert text != source.read_text(encoding="utf-8")
    assert len(open_source(out, None, photographs)[0].records) == 4


@pytest.mark.usefixtures("swelling")
def test_an_attribute_inside_of_a_value_stays(tmp_path: Path, photographs: Path) -> None:
    label = """label="a &gt; b points='1,1' rle='2'" source"""
    source = edited(tool_layouts.cvat(tmp_path), ('label="car" source', label))
    out = refined(source, photographs, tmp_path, model="starter")
    assert out.read_text(encoding="utf-8").count(label) == source.read_text(encoding="utf-8").count(label) > 2
    assert out.read_bytes() != source.read_bytes()
    assert len(open_source(out, None, photographs)[0].records) == 4


def test_cvat_in_utf_16_is_one_line(tmp_path: Path) -> None:
    source = tool_layouts.cvat(tmp_path)
    source.write_text(source.read_text(encoding="utf-8").replace("utf-8", "utf-16"), encoding="utf-16")
    with pytest.raises(BPRError, match=r"expected CVAT .* in UTF-8, got UTF-16; save it as UTF-8"):
        open_source(source, "cvat")


def test_equal_names_in_two_subsets_of_cvat_are_two_photos(tmp_path: Path) -> None:
    for subset in ("Train", "Val"):
        write_png(tmp_path / "images" / subset / "1.png", np.zeros((*layouts.FRAME, 3), np.uint8))
    shape = '<polygon label="car" points="1,1;9,1;9,9"/>'
    size = f'width="{layouts.FRAME[1]}" height="{layouts.FRAME[0]}"'
    images = [f'<image name="1.png" subset="{subset}" {size}>{shape}</image>' for subset in ("Val", "Train")]
    (tmp_path / "a.xml").write_text(f"<annotations>{''.join(images)}</annotations>")
    records = open_source(tmp_path / "a.xml", None, tmp_path / "images")[0].records
    assert [record["image_id"] for record in records] == ["Val/1", "Train/1"]
    source = open_source(tmp_path / "a.xml", None, tmp_path / "images" / "Train")[0]
    assert [entry["file_name"] for entry in source.entries] == ["Val/1.png", "1.png"]


@pytest.mark.usefixtures("swelling")
def test_cvat_labels_may_have_any_letters(tmp_path: Path, photographs: Path) -> None:
    source = edited(tool_layouts.cvat(tmp_path), ('label="car"', 'label="größer 猫"'))
    out = refined(source, photographs, tmp_path, model="starter")
    before, after = (path.read_text(encoding="utf-8") for path in (source, out))
    assert after != before
    assert after.count('label="größer 猫"') == before.count('label="größer 猫"') > 2


def test_an_archive_is_to_be_unpacked(tmp_path: Path) -> None:
    (tmp_path / "task.zip").write_bytes(b"PK")
    with pytest.raises(BPRError, match="got an archive; unpack it"):
        open_source(tmp_path / "task.zip")


VIDEO = '<annotations><track id="0" label="car"><polygon frame="0" points="1,1;9,1;9,9"/></track></annotations>'
BOMB = '<!DOCTYPE a [<!ENTITY b "bbbb">]><annotations><image name="&b;"/></annotations>'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (VIDEO, "got one of a video; export CVAT for images 1.1"),
        (BOMB, "expected XML without a document type"),
        ("<annotations><image></annotations>", "not valid XML"),
        ('<?xml version="1.0" encoding="utf-9"?><annotations><image/></annotations>', "not valid XML .unknown encoding: utf-9"),
        ('<?xml version="1.0" encoding="big5"?><annotations><image/></annotations>', "not valid XML .multi-byte encodings"),
        ("<annotation></annotation>", "expected CVAT for images 1.1"),
    ],
)
def test_xml_that_is_no_list_of_images_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.xml").write_text(text)
    with pytest.raises(BPRError, match=message):
        open_source(tmp_path / "a.xml")


@pytest.mark.parametrize(
    "edit",
    [(' points="', ' points="x,'), (' points="', ' points="1,2" old="'), (' rle="', ' rle="7, '), (' rle="', ' rle="-1, 1, ')],
)
def test_cvat_shapes_that_cannot_be_read_stay(
    tmp_path: Path, photographs: Path, capsys: pytest.CaptureFixture[str], edit: tuple[str, str]
) -> None:
    source = edited(tool_layouts.cvat(tmp_path), edit)
    out = refined(source, photographs, tmp_path)
    assert f"{3 if 'points' in edit[0] else 1} bad mask" in capsys.readouterr().out
    assert out.read_bytes() == source.read_bytes()


def test_other_shapes_are_counted(tmp_path: Path, photographs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refined(tool_layouts.cvat(tmp_path), photographs, tmp_path)
    assert "left out: 3 of 10 annotations, shapes of type box" in capsys.readouterr().err
    refined(tool_layouts.label_studio(tmp_path), photographs, tmp_path)
    printed = capsys.readouterr().err
    assert "left out: 4 of 13 annotations, regions of type rectanglelabels" in printed
    assert "left out: 3 of 13 annotations, regions of type choices" in printed


@pytest.mark.usefixtures("swelling")
def test_label_studio(tmp_path: Path, photographs: Path) -> None:
    source = tool_layouts.label_studio(tmp_path)
    out = refined(source, photographs, tmp_path, model="starter")
    before, after = (json.loads(path.read_text(encoding="utf-8")) for path in (source, out))
    changed = 0
    for old, new in zip(before, after, strict=True):
        for made_by in ("annotations", "predictions"):
            for one, other in zip(old[made_by], new[made_by], strict=True):
                twins: dict[str, Any] = {}
                for was, now in zip(one["result"], other["result"], strict=True):
                    if "points" in was["value"] or "rle" in was["value"]:
                        changed += 1
                        key = "points" if "points" in was["value"] else "rle"
                        geometry = now["value"].pop(key)
                        assert geometry != was["value"].pop(key)
                        assert twins.setdefault(now["id"], geometry) == geometry, "both of a region's entries"
                        if key == "rle":
                            assert decode_brush(geometry, layouts.FRAME).area > 100
                    assert now == was
        assert {**new, "annotations": 0, "predictions": 0} == {**old, "annotations": 0, "predictions": 0}
    assert changed == 7


@pytest.mark.parametrize("ids", [(None, None), (1, "1"), ("r", "r")])
def test_label_studio_regions_of_other_points_are_several(tmp_path: Path, photographs: Path, ids: tuple[Any, Any]) -> None:
    source = tool_layouts.label_studio(tmp_path)
    task = json.loads(source.read_text(encoding="utf-8"))[0]
    first = task["annotations"][0]["result"][0]
    points = [[x / 2, y / 2] for x, y in first["value"]["points"]]
    second = {**first, "id": ids[1], "value": {**first["value"], "points": points}}
    task["annotations"][0]["result"], task["predictions"] = [{**first, "id": ids[0]}, second], []
    source.write_text(json.dumps([task]))
    found = open_source(source, None, photographs)[0].records
    assert len(found) == 2
    assert found[0]["segmentation"] != found[1]["segmentation"]


ADDRESSES = {
    "/data/upload/1/0a1b2c3d-{name}": True,
    "/data/local-files/?d=scans%2Fmonday%2F{name}": True,
    "/data/local-files/?d=val/aachen/{name}": True,
    "s3://bucket/scans/{name}": True,
    "https://host.example/a/{name}?X-Signature=1": True,
    "data:image/png;base64,AAAA": False,
    "/data/upload/1/other.png": False,
}


@pytest.mark.parametrize("address", ADDRESSES)
def test_label_studio_photos_are_found_as_it_names_them(
    tmp_path: Path, photographs: Path, capsys: pytest.CaptureFixture[str], address: str
) -> None:
    source = tool_layouts.label_studio(tmp_path)
    task = json.loads(source.read_text(encoding="utf-8"))[0]
    name = Path(tool_layouts.PHOTOS[layouts.STEMS[0]]).name
    task["data"], task["file_upload"] = {"text": "a photo", "image": address.format(name=name)}, None
    source.write_text(json.dumps([task]))
    out = tmp_path / "out.json"
    code = main(["refine", str(source), "--img-dir", str(photographs), "--model", "identity", "--out", str(out)])
    assert (code == 0) == ADDRESSES[address]
    assert ("no image" in capsys.readouterr().out) != ADDRESSES[address]


def test_label_studio_photos_of_one_name_are_not_taken_for_each_other(
    tmp_path: Path, photographs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of two uploads only one can be the photo, and none is if both were renamed."""
    source = tool_layouts.label_studio(tmp_path)
    task = json.loads(source.read_text(encoding="utf-8"))[0]
    name = Path(tool_layouts.PHOTOS[layouts.STEMS[0]]).name
    tasks = [{**task, "file_upload": None, "data": {"image": f"/data/upload/{n}/0a1b2c3d-{name}"}} for n in (1, 2)]
    source.write_text(json.dumps(tasks))
    out = tmp_path / "out.json"
    assert main(["refine", str(source), "--img-dir", str(photographs), "--model", "identity", "--out", str(out)]) == 1
    printed = "".join(capsys.readouterr())
    assert f"data/upload/1/0a1b2c3d-{name}: no such image" in printed
    assert f"data/upload/2/0a1b2c3d-{name}: no such image" in printed


def test_label_studio_regions_of_several_photos(tmp_path: Path, photographs: Path) -> None:
    source = tool_layouts.label_studio(tmp_path)
    task = json.loads(source.read_text(encoding="utf-8"))[0]
    names = [Path(tool_layouts.PHOTOS[stem]).name for stem in layouts.STEMS]
    task["data"] = {"left": names[1], "pages": names, "image": names[0]}
    results = task["annotations"][0]["result"][:2]
    results[0]["to_name"], results[1]["to_name"], results[1]["item_index"] = "left", "pages", 2
    source.write_text(json.dumps([task]))
    found = [record["image_id"].rpartition("/")[2] for record in open_source(source, None, photographs)[0].records]
    assert found == [Path(name).stem for name in (names[1], names[2], names[0], names[0])]


def test_label_studio_lines_and_turned_regions_are_left_out(tmp_path: Path, photographs: Path) -> None:
    source = tool_layouts.label_studio(tmp_path)
    tasks = json.loads(source.read_text(encoding="utf-8"))
    tasks[0]["annotations"][0]["result"][0]["value"]["closed"] = False
    tasks[0]["annotations"][0]["result"][1]["image_rotation"] = 90
    source.write_text(json.dumps(tasks))
    found = open_source(source, None, photographs)[0]
    assert len(found.records) == 4
    assert {"regions of type polygonlabels", "regions of type brushlabels on turned images"} <= found.left_out.keys()


def test_label_studio_predictions_have_scores(tmp_path: Path, photographs: Path) -> None:
    records = open_source(tool_layouts.label_studio(tmp_path), None, photographs)[0].records
    assert [record.get("score") for record in records] == [None, 0.5, None, None, None, None]
    assert [record["category_id"] for record in records] == ["car", "person", "car", "car", "person", "person"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("5", "a list of tasks with data, and annotations or predictions., got 5"),
        ('[{"data": {}, "annotations": []}, 5]', "task 1: expected an object with data"),
        ('[{"data": {}, "annotations": 5}]', "annotations: expected a list, got 5"),
        ('[{"data": {}, "predictions": [{"result": [3]}]}]', "expected objects whose result is a list"),
    ],
)
def test_tasks_that_are_none_are_one_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(BPRError, match=message):
        open_source(tmp_path / "a.json", "label-studio")


# Readers of the tools themselves.


def test_labelme_reads_it(tmp_path: Path, photographs: Path) -> None:
    shape = pytest.importorskip("labelme.utils.shape", reason="needs labelme", exc_type=ImportError)
    file = pytest.importorskip("labelme._label_file", reason="needs labelme 6", exc_type=ImportError)
    source = tool_layouts.labelme(tmp_path)
    out = refined(source, photographs, tmp_path, "--polygons", "0", model="starter-fast")
    for path in sorted(out.glob("*.json")):
        wanted = open_source(path, None, photographs)[0].records
        shapes = [file._load_shape_json_obj(each) for each in json.loads(path.read_text(encoding="utf-8"))["shapes"]]
        shapes = [each for each in shapes if each["shape_type"] in ("polygon", "mask")]
        for each, record in zip(shapes, wanted, strict=True):
            expected = decode_mask(record["segmentation"]).to_frame()
            if each["shape_type"] == "mask":
                (x1, y1), (x2, y2) = np.array(each["points"]).astype(int)
                drawn = np.zeros(layouts.FRAME, bool)
                drawn[y1 : y2 + 1, x1 : x2 + 1] = each["mask"]
                assert np.array_equal(drawn, expected)
            else:  # its polygons are drawn with their outline, half a pixel wider
                drawn = shape.shape_to_mask(layouts.FRAME, each["points"], "polygon")
                assert not (expected & ~drawn).any()
                assert (drawn & ~cv2.dilate(expected.astype(np.uint8), np.ones((3, 3))).astype(bool)).sum() == 0


def test_label_studio_reads_it(tmp_path: Path, photographs: Path) -> None:
    brush = pytest.importorskip("label_studio_sdk.converter.brush", reason="needs label-studio-sdk", exc_type=ImportError)
    out = refined(tool_layouts.label_studio(tmp_path), photographs, tmp_path, model="starter-fast")
    records = open_source(out, None, photographs)[0].records
    rles = [
        result["value"]["rle"]
        for task in json.loads(out.read_text(encoding="utf-8"))
        for result in task["annotations"][0]["result"]
        if "rle" in result["value"]
    ]
    assert len(rles) == 1
    drawn = brush.decode_rle(rles[0]).reshape(*layouts.FRAME, 4)[..., 3] > 0
    assert np.array_equal(drawn, decode_mask(records[1]["segmentation"]).to_frame())


def test_datumaro_reads_it(tmp_path: Path, photographs: Path) -> None:
    datumaro = pytest.importorskip("datumaro", reason="needs datumaro", exc_type=ImportError)
    out = refined(tool_layouts.cvat(tmp_path), photographs, tmp_path, "--polygons", "0", model="starter-fast")
    records = iter(open_source(out, None, photographs)[0].records)
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "leftImg8bit").symlink_to(photographs.parent)
    for item in datumaro.Dataset.import_from(str(out), "cvat"):
        for annotation in item.annotations:
            if annotation.type.name in ("polygon", "mask"):
                expected = decode_mask(next(records)["segmentation"])
                if annotation.type.name == "mask":
                    assert BoxMask.from_frame(annotation.image).equals(expected)
                else:
                    assert decode_mask([list(annotation.points)], layouts.FRAME).equals(expected)
