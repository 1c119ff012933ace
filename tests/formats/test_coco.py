import json
from pathlib import Path

import numpy as np
import pytest

from bpr.errors import BPRError
from bpr.formats.coco import read_annotations, read_results, with_mask
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import decode_mask


def written(tmp_path: Path, value: object) -> Path:
    path = tmp_path / "file.json"
    path.write_text(json.dumps(value))
    return path


def test_results_keep_their_order_and_unknown_keys(tmp_path: Path) -> None:
    records = [{"image_id": n, "segmentation": None, "note": f"n{n}"} for n in (3, 1, 2)]
    assert read_results(written(tmp_path, records)) == records


def test_an_annotation_file_in_place_of_results_gets_a_hint(tmp_path: Path) -> None:
    with pytest.raises(BPRError, match="annotation files go to --ann"):
        read_results(written(tmp_path, {"images": [], "annotations": []}))


@pytest.mark.parametrize("bad", [{}, {"image_id": 1}, {"segmentation": []}, 3, None])
def test_the_first_bad_record_is_numbered(tmp_path: Path, bad: object) -> None:
    with pytest.raises(BPRError, match="record 1: expected an object with image_id and segmentation"):
        read_results(written(tmp_path, [{"image_id": 1, "segmentation": []}, bad]))


@pytest.mark.parametrize("bad", [[], {}, {"images": 3}, {"images": [3]}, {"images": [{"id": 1}]}])
def test_annotations_need_their_images(tmp_path: Path, bad: object) -> None:
    with pytest.raises(BPRError):
        read_annotations(written(tmp_path, bad))


def test_an_image_list_alone_is_enough(tmp_path: Path) -> None:
    document = read_annotations(written(tmp_path, {"images": [{"id": 1, "file_name": "a.png"}]}))
    assert document["annotations"] == []


def test_bbox_and_area_follow_the_mask_where_they_exist() -> None:
    mask = np.zeros((6, 8), bool)
    mask[1:3, 2:7] = True
    record = {"image_id": 1, "segmentation": None, "bbox": [0, 0, 1, 1], "area": 1, "score": 0.5, "note": "mine"}
    changed = with_mask(record, BoxMask.from_frame(mask))
    assert changed["bbox"] == [2.0, 1.0, 5.0, 2.0]
    assert changed["area"] == 10
    assert changed["score"] == 0.5
    assert changed["note"] == "mine"
    assert list(changed) == list(record)
    assert np.array_equal(decode_mask(changed["segmentation"]).to_frame(), mask)
    assert record["bbox"] == [0, 0, 1, 1]


def test_no_bbox_or_area_is_invented() -> None:
    changed = with_mask({"image_id": 1, "segmentation": None}, BoxMask.from_frame(np.ones((2, 2), bool)))
    assert set(changed) == {"image_id", "segmentation"}
    json.dumps(changed)
