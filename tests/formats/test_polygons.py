"""Polygons out: what came as polygons goes back as polygons, and --polygons asks for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO

from bpr.cli.main import main
from bpr.formats.polygons import PolygonWriter
from bpr.geometry.contours import LEAST_IOU
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import encode_mask
from tests.formats import layouts, tool_layouts
from tests.formats.test_round_trips import refine


def masks_of(path: Path) -> dict[int, np.ndarray]:
    """The masks of an annotation file, by pycocotools."""
    coco = COCO(str(path))
    return {key: coco.annToMask(annotation) for key, annotation in coco.anns.items() if annotation.get("segmentation")}


def written(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text())["annotations"]
    return found


@pytest.mark.usefixtures("swelling")
def test_annotations_keep_their_form_and_pycocotools_reads_the_refined_masks(tmp_path: Path, photographs: Path) -> None:
    source = tool_layouts.cvat_coco(tmp_path)
    images = ["--crowds", "refine"]
    exact = refine(source, photographs, tmp_path / "exact.json", "--polygons", "0", *images, model="starter")
    out = refine(source, photographs, tmp_path / "out.json", *images, model="starter")
    before, after = written(source), written(out)
    expected, got = masks_of(exact), masks_of(out)
    for old, new in zip(before, after, strict=True):
        assert isinstance(new["segmentation"], type(old["segmentation"]))
        rest = {"segmentation": 0, "bbox": 0, "area": 0}
        assert {**new, **rest} == {**old, **rest}
        mask, wanted = got[new["id"]], expected[new["id"]]
        assert np.sum(mask & wanted) / np.sum(mask | wanted) >= LEAST_IOU
        box = BoxMask.from_frame(mask)
        assert (new["area"], new["bbox"]) == (box.area, box.bbox)
    assert (masks_of(source)[1] != got[1]).any()
    count = len(after[0]["segmentation"][0]) // 2
    assert count < len(written(exact)[0]["segmentation"][0]) / 2 / 2
    assert count <= 2 * len(before[0]["segmentation"][0]) / 2


def test_polygons_replace_rles_where_they_are_wanted(tmp_path: Path, photographs: Path) -> None:
    """Also where the mask did not change: the reader of a tool stops at the first RLE."""
    source = layouts.annotations(tmp_path)
    out = refine(source, photographs, tmp_path / "out.json", "--polygons", "0")
    found = written(out)
    assert [type(a.get("segmentation")) for a in found] == [list, dict, list, list, type(None)], "a crowd stays"
    assert found[0] == written(source)[0]
    assert len(found[3]["segmentation"]) == 2, "two parts are two polygons"
    after = masks_of(out)
    for key, mask in masks_of(source).items():
        assert np.array_equal(mask, after[key])


def test_results_become_polygons(tmp_path: Path, photographs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = layouts.coco_results(tmp_path)
    out = refine(source, photographs, tmp_path / "out.json", "--polygons", "0")
    records = json.loads(out.read_text())
    vertices = sum(len(ring) // 2 for record in records for ring in record["segmentation"])
    assert f"polygons: 4 written, {vertices} vertices" in capsys.readouterr().err
    again = tmp_path / "again.json"
    names = json.dumps({"images": [{"id": stem, "file_name": f"{stem}.png", "height": 90, "width": 130} for stem in layouts.STEMS]})
    (tmp_path / "list.json").write_text(names)
    assert main(["convert", str(out), "--ann", str(tmp_path / "list.json"), "--to", "coco", "--out", str(again)]) == 0
    assert json.loads(again.read_text()) == json.loads(source.read_text())
    assert main(["convert", str(source), "--to", "coco", "--polygons", "0", "--out", str(again)]) == 0
    assert json.loads(again.read_text()) == records


@pytest.mark.parametrize("layout", [layouts.coco_panoptic, layouts.semantic, layouts.detectron2])
def test_formats_without_polygons_refuse_the_option(
    tmp_path: Path, photographs: Path, capsys: pytest.CaptureFixture[str], layout: Any
) -> None:
    source, out = str(layout(tmp_path)), str(tmp_path / "out.json")
    assert main(["refine", source, "--img-dir", str(photographs), "--model", "identity", "--polygons", "--out", out]) == 1
    assert "--polygons: expected a format with polygons, got" in capsys.readouterr().err


@pytest.mark.parametrize("value", ["-1", "nan", "wide"])
def test_a_tolerance_is_a_number_of_pixels(capsys: pytest.CaptureFixture[str], value: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["refine", "a.json", f"--polygons={value}", "--out", "b.json"])
    assert "expected" in capsys.readouterr().err


def test_an_annotation_of_which_nothing_remains_stays(tmp_path: Path, photographs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = layouts.annotations(tmp_path)
    document = json.loads(source.read_text())
    empty = encode_mask(BoxMask.empty(layouts.FRAME))
    document["annotations"][2]["segmentation"] = empty
    source.write_text(json.dumps(document))
    out = refine(source, photographs, tmp_path / "out.json", "--polygons")
    assert written(out)[2] == document["annotations"][2]
    assert "polygons: kept as they were: 1 empty mask, which no shape can be" in capsys.readouterr().err


def test_rounding_is_that_of_the_reader() -> None:
    """What a reader gets from fractions of six decimals is what was compared with the mask."""
    mask = BoxMask.from_frame(layouts.disk(40, 40, 17))
    mask = BoxMask(mask.pixels, mask.left, mask.top, (479, 641))
    ring = PolygonWriter().scaled_ring(mask, 100, 6)
    read = np.array(json.loads(json.dumps(ring))) * (641, 479) / 100
    from bpr.geometry.contours import joined, rings_of

    frame = np.array([641, 479])
    ((expected,),) = rings_of(mask, None, lambda vertices: (vertices * 100 / frame).round(6) * frame / 100)
    assert np.array_equal(read, joined([expected]))
