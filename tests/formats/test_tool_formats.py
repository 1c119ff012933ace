"""Files of annotation tools: read in the layouts that the tools write, and given back with nothing else changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bpr.formats.recognise import open_source
from bpr.geometry.rle import decode_mask
from tests.formats import layouts, tool_layouts
from tests.formats.test_round_trips import Swelling, files, refine

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


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    return layouts.photographs(tmp_path)


@pytest.fixture
def swelling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bpr.backends.load_predictor", lambda *_, **__: Swelling())


def images_of(source: Path, photographs: Path) -> Path:
    """An export holds its own images."""
    return source if (source / "data.yaml").exists() else photographs


@pytest.mark.parametrize("layout", [*FILES, *FOLDERS])
def test_it_is_recognised(tmp_path: Path, photographs: Path, layout: Layout) -> None:
    source = layout(tmp_path)
    assert open_source(source, None, images_of(source, photographs))[0].format == (FILES | FOLDERS)[layout]


@pytest.mark.parametrize("layout", FILES)
def test_a_file_comes_back_byte_for_byte(tmp_path: Path, photographs: Path, layout: Layout) -> None:
    source = layout(tmp_path)
    assert refine(source, photographs, tmp_path / "out", "--strict").read_bytes() == source.read_bytes()


@pytest.mark.parametrize("layout", FOLDERS)
def test_a_folder_comes_back_byte_for_byte(tmp_path: Path, photographs: Path, layout: Layout) -> None:
    source = layout(tmp_path)
    assert files(refine(source, images_of(source, photographs), tmp_path / "out", "--strict")) == files(source)


@pytest.mark.parametrize("layout", [*FILES, *FOLDERS])
@pytest.mark.usefixtures("swelling")
def test_refined_masks_are_those_of_the_rle_path(tmp_path: Path, photographs: Path, layout: Layout) -> None:
    """Exact polygons give the very masks that COCO's RLE gives; what did not change in a file is not written anew."""
    source = layout(tmp_path)
    images = images_of(source, photographs)
    records, listed = open_source(source, None, images)[0], tmp_path / "listed.json"
    listed.write_text(json.dumps({"images": records.entries or []}))
    plain = tmp_path / "plain.json"
    plain.write_text(json.dumps(rle_records(records.records, records.entries)))
    with_list = ["--ann", str(listed)] if records.entries else []
    expected = json.loads(refine(plain, images, tmp_path / "expected.json", *with_list, model="starter").read_text())
    out = refine(source, images, tmp_path / f"out{source.suffix}", "--polygons", "0", model="starter")
    again = open_source(out, records.format, images)[0]
    got = rle_records(again.records, again.entries)
    assert [record["segmentation"] for record in got] == [record["segmentation"] for record in expected]
    assert [record["segmentation"] for record in got] != [record["segmentation"] for record in json.loads(plain.read_text())]
    assert [{**record, "segmentation": 0, "bbox": 0, "area": 0} for record in again.records] == [
        {**record, "segmentation": 0, "bbox": 0, "area": 0} for record in records.records
    ]


def rle_records(records: Any, entries: Any) -> list[dict[str, Any]]:
    """COCO results of the same masks."""
    frames = {entry["id"]: (entry["height"], entry["width"]) for entry in entries or []}
    found = []
    for record in records:
        mask = decode_mask(record["segmentation"], frames.get(record["image_id"], layouts.FRAME))
        from bpr.geometry.rle import encode_mask

        found.append({"image_id": record["image_id"], "category_id": 1, "score": 1.0, "segmentation": encode_mask(mask)})
    return found
