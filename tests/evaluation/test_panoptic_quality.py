"""Panoptic quality by hand, by the rules of panopticapi."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bpr.cli.main import main
from bpr.evaluation.panoptic_quality import PanopticCounts, panoptic_counts
from bpr.io.png import write_png


def row(*runs: tuple[int, int]) -> np.ndarray:
    """(1, W) ids from (id, how often)."""
    return np.array([[number for number, count in runs for _ in range(count)]], np.uint32)


def segments(*pairs: tuple[int, int], crowd: int | None = None) -> list[dict[str, Any]]:
    return [{"id": number, "category_id": category, "iscrowd": int(number == crowd)} for number, category in pairs]


def test_a_match_a_miss_and_a_false_positive() -> None:
    truth, found = row((1, 6), (2, 4)), row((7, 8), (8, 2))
    # 1 and 7: 6 of 8. 2 and 8: 2 of 4 is not more than half, so one is missed and one too many.
    counts = panoptic_counts(truth, segments((1, 5), (2, 6)), found, segments((7, 5), (8, 6)))
    assert counts == {5: PanopticCounts(0.75, 1, 0, 0), 6: PanopticCounts(0, 0, 1, 1)}


def test_the_class_has_to_agree() -> None:
    counts = panoptic_counts(row((1, 4)), segments((1, 5)), row((1, 4)), segments((1, 6)))
    assert counts == {5: PanopticCounts(false_negative=1), 6: PanopticCounts(false_positive=1)}


def test_void_is_no_mistake() -> None:
    # 3 of the 6 found pixels lie on void: the union is 4 + 6 - 3 - 3 = 4, the IoU 3 / 4.
    counts = panoptic_counts(row((0, 3), (1, 4)), segments((1, 5)), row((7, 6), (0, 1)), segments((7, 5)))
    assert counts == {5: PanopticCounts(0.75, 1)}


@pytest.mark.parametrize(("on_void", "positive"), [(2, 1), (3, 0)])
def test_a_segment_mostly_on_void_is_ignored(on_void: int, positive: int) -> None:
    truth = row((0, on_void), (1, 4 - on_void), (1, 20))
    counts = panoptic_counts(truth, segments((1, 5)), row((7, 4), (8, 20)), segments((7, 6), (8, 5)))
    assert counts.get(6, PanopticCounts()).false_positive == positive


def test_all_crowd() -> None:
    crowd = segments((1, 5), crowd=1)
    assert panoptic_counts(row((1, 8)), crowd, row((7, 4), (8, 4)), segments((7, 5), (8, 5))) == {}
    # A crowd forgives its own class only.
    assert panoptic_counts(row((1, 8)), crowd, row((7, 8)), segments((7, 6))) == {6: PanopticCounts(false_positive=1)}


def test_no_prediction_and_no_truth() -> None:
    assert panoptic_counts(row((1, 8)), segments((1, 5)), row((0, 8)), []) == {5: PanopticCounts(false_negative=1)}
    assert panoptic_counts(row((0, 8)), [], row((0, 8)), []) == {}
    one_pixel = panoptic_counts(row((1, 1), (0, 7)), segments((1, 5)), row((9, 1), (0, 7)), segments((9, 5)))
    assert one_pixel == {5: PanopticCounts(1.0, 1)}


def test_boundary_pq_by_hand() -> None:
    truth, found = np.zeros((20, 40), np.uint32), np.zeros((20, 40), np.uint32)
    truth[2:18, 2:18], truth[2:18, 22:38] = 1, 2
    found[2:18, 3:19], found[2:18, 22:38] = 7, 8
    of_truth, of_found = segments((1, 5), (2, 6)), segments((7, 5), (8, 6))
    # Column 18 of 7 lies on void and is forgiven: the IoU of 1 and 7 is 15 * 16 of 16 * 16.
    assert panoptic_counts(truth, of_truth, found, of_found) == {5: PanopticCounts(240 / 256, 1), 6: PanopticCounts(1.0, 1)}
    # The diagonal is 44.7 px: bands of 1 px, rings of 60 px that share 2 * 15 px: 30 of 90 - 16 is no match.
    counts = panoptic_counts(truth, of_truth, found, of_found, 0.02)
    assert counts == {5: PanopticCounts(0, 0, 1, 1), 6: PanopticCounts(1.0, 1)}
    # Bands of 4 px, 16 * 16 - 8 * 8 = 192 px each. Columns 3..17 of both, without what is inside of either (rows 6..13,
    # columns 6..13 and 7..14), are shared: 240 - 64 - 64 + 56 = 168 of 192 + 192 - 168 - 16 = 200.
    assert panoptic_counts(truth, of_truth, found, of_found, 0.09)[5] == PanopticCounts(168 / 200, 1)


def test_sizes_must_agree() -> None:
    with pytest.raises(ValueError, match="expected one size"):
        panoptic_counts(row((1, 8)), [], row((1, 7)), [])


def write(folder: Path, name: str, images: list[np.ndarray], of_image: list[list[dict[str, Any]]]) -> Path:
    (folder / name).mkdir(parents=True)
    annotations = []
    for number, (ids, own) in enumerate(zip(images, of_image, strict=True)):
        write_png(
            folder / name / f"{number}.png", np.stack([ids & 255, ids >> 8 & 255, ids >> 16], axis=2).astype(np.uint8)
        )
        annotations.append({"image_id": number, "file_name": f"{number}.png", "segments_info": own})
    categories = [{"id": 5, "name": "cat", "isthing": 1}, {"id": 6, "name": "sky", "isthing": 0}]
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"annotations": annotations, "categories": categories}))
    return path


def test_the_command_averages_over_classes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth = write(tmp_path, "truth", [row((1, 6), (2, 4)), row((3, 10))], [segments((1, 5), (2, 6)), segments((3, 6))])
    found = write(tmp_path, "found", [row((7, 8), (8, 2)), row((9, 10))], [segments((7, 5), (8, 6)), segments((9, 6))])
    out = tmp_path / "out.json"
    assert main(["eval", str(found), "--ann", str(truth), "--before", str(found), "--out", str(out)]) == 0
    rows = json.loads(out.read_text())["rows"]
    # Things: .75. Stuff: one match of IoU 1, one miss, one too many: 1 / 2. All: their mean.
    assert rows["PQ/panoptic things"]["value"] == 0.75
    assert rows["PQ/panoptic stuff"]["value"] == 0.5
    assert rows["PQ/panoptic"]["value"] == 0.625
    assert rows["SQ/panoptic"]["value"] == 0.875
    assert rows["RQ/panoptic"]["interval"] == [0, 0]
    assert "PQ/panoptic" in capsys.readouterr().out
    # A band of rows 1 px high is the whole row.
    assert main(["eval", str(found), "--ann", str(truth), "--metrics", "boundary-pq", "--out", str(out)]) == 0
    assert json.loads(out.read_text())["rows"]["BoundaryPQ@0.02/panoptic"]["value"] == 0.625
    assert main(["eval", str(found), "--ann", str(truth), "--metrics", "ap"]) == 1
    assert "metric ap: expected files that it can measure" in capsys.readouterr().err
