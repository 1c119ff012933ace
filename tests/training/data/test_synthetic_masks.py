import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from bpr.evaluation.boundary_metrics import overlap
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import decode_mask, encode_mask
from bpr.training.data.synthetic_masks import WAYS, coarsen, synthesize
from tests.conftest import SmallSet
from tests.scripts import run_tool

FRAME = (160, 200)


def ellipse(centre: tuple[int, int], axes: tuple[int, int]) -> BoxMask:
    return BoxMask.from_frame(cv2.ellipse(np.zeros(FRAME, np.uint8), centre, axes, 30, 0, 360, 1, -1))


def annotation(mask: BoxMask, **values: object) -> dict[str, object]:
    return {"image_id": 1, "category_id": 3, "segmentation": encode_mask(mask), **values}


POLYGON = {"image_id": 1, "category_id": 3, "segmentation": [[9, 9, 20, 9, 20, 20]]}
DOCUMENT = {
    "images": [{"id": 1, "file_name": "a.png", "height": FRAME[0], "width": FRAME[1]}],
    "annotations": [
        annotation(ellipse((100, 80), (60, 40))),
        annotation(ellipse((60, 60), (30, 20)), iscrowd=1),
        annotation(BoxMask.from_frame(np.zeros(FRAME, bool))),
        annotation(ellipse((30, 130), (25, 18))),
    ],
}


def written(folder: Path, document: object) -> Path:
    path = folder / "instances.json"
    path.write_text(json.dumps(document))
    return path


def test_every_instance_but_crowds_and_empty_ones_in_file_order() -> None:
    records = synthesize(DOCUMENT, copies=3)
    assert len(records) == 6
    truths = [decode_mask(DOCUMENT["annotations"][index]["segmentation"]) for index in (0, 0, 0, 3, 3, 3)]
    for record, truth in zip(records, truths, strict=True):
        coarse = decode_mask(record["segmentation"], FRAME)
        assert record["bbox"] == coarse.bbox
        assert overlap(coarse, truth).iou > 0.5


def test_equal_seeds_give_equal_records_others_do_not() -> None:
    assert synthesize(DOCUMENT, seed=1) == synthesize(DOCUMENT, seed=1) != synthesize(DOCUMENT, seed=2)


@pytest.mark.parametrize("way", WAYS)
def test_a_way_can_be_named(way: str, small_set: SmallSet) -> None:
    """Each gives masks of its own; mixed, the default, draws among them."""
    out = small_set.folder / "coarse.json"
    assert run_tool("synthesize_masks", [str(small_set.ann), "--way", way, "--seed", "4", "--out", str(out)]) == 0
    records = {other: synthesize(small_set.document, seed=4, way=other) for other in WAYS}
    assert json.loads(out.read_text()) == records.pop(way)
    assert all(json.loads(out.read_text()) != others for others in records.values())
    assert synthesize(small_set.document, seed=4) == synthesize(small_set.document, seed=4, way="mixed")


def test_what_no_mask_is_made_of_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    elsewhere = annotation(ellipse((100, 80), (60, 40)), image_id=9)
    out = tmp_path / "coarse.json"
    path = written(tmp_path, {**DOCUMENT, "annotations": [*DOCUMENT["annotations"], elsewhere]})
    assert run_tool("synthesize_masks", [str(path), "--copies", "3", "--out", str(out)]) == 0
    printed = capsys.readouterr()
    assert printed.out == f"6 coarse masks (1 crowd, 1 empty mask left out) in {out}\n"
    assert "1 annotation of images that the annotation file does not list (first: annotation 4, image_id 9)" in printed.err
    assert json.loads(out.read_text()) == synthesize(DOCUMENT, copies=3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"images": [{"id": 1, "file_name": "a"}], "annotations": [POLYGON]},
            "annotation 0: polygons: expected the size of their image with them, got none; give the size of image 1",
        ),
        ({"annotations": [{"image_id": 1, "segmentation": []}]}, "annotation 0: expected .*got no category_id"),
        ({"annotations": [annotation(ellipse((9, 9), (4, 4)), image_id=[1])]}, "annotation 0: image_id: expected"),
    ],
)
def test_annotations_that_lack_something_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, object], message: str
) -> None:
    path = written(tmp_path, {**DOCUMENT, **change})
    assert run_tool("synthesize_masks", [str(path), "--out", str(tmp_path / "coarse.json")]) == 1
    error = capsys.readouterr().err
    assert re.search(message, error)
    assert len(error.splitlines()) == 1
    assert [left.name for left in tmp_path.iterdir()] == [path.name]


def test_masks_are_coarse_yet_close_and_rather_too_large() -> None:
    truth, rng = ellipse((100, 80), (60, 40)), np.random.default_rng(0)
    coarse = [coarsen(truth, rng) for _ in range(60)]
    agreement = [overlap(mask, truth).iou for mask in coarse]
    assert 0.8 < np.mean(agreement) < 0.99
    assert np.mean([mask.area for mask in coarse]) > truth.area


@pytest.mark.parametrize("pixels", [[(0, 0)], [(80, 100)], [(159, 199), (158, 199)]])
def test_tiny_objects_at_the_border_are_survived(pixels: list[tuple[int, int]]) -> None:
    mask, rng = np.zeros(FRAME, bool), np.random.default_rng(0)
    mask[tuple(zip(*pixels, strict=True))] = True
    for _ in range(30):
        coarse = coarsen(BoxMask.from_frame(mask), rng)
        x0, y0, x1, y1 = coarse.box
        assert 0 <= x0 <= x1 <= FRAME[1]
        assert 0 <= y0 <= y1 <= FRAME[0]


def test_a_mask_that_fills_the_frame_is_survived() -> None:
    rng = np.random.default_rng(0)
    assert all(coarsen(BoxMask.from_frame(np.ones(FRAME, bool)), rng).area > 0.5 * FRAME[0] * FRAME[1] for _ in range(30))
