"""The named numbers of every metric, by hand; the tables and files that a summary becomes."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from bpr.cli.main import main
from bpr.evaluation import metrics
from bpr.evaluation.bands import mean_boundary_accuracy
from bpr.evaluation.bootstrap import Fixed, Ratios, interval
from bpr.evaluation.comparison import PROTOCOLS, Evaluation
from bpr.evaluation.metrics import METRICS
from bpr.evaluation.pair_metrics import MaskPairs, crop_around
from bpr.evaluation.prepare import prepare_detections
from bpr.evaluation.summary import evaluate
from bpr.evaluation.tables import to_markdown
from bpr.formats.coco import Record
from bpr.geometry.rle import decode_mask
from bpr.io.png import write_png
from tests.conftest import SmallSet
from tests.evaluation.test_average_precision import DEGENERATE, evaluation_of
from tests.evaluation.test_comparison import FRAME, document, found, square, truth

SHIFTED = [found(square(6, 5)), found(square(30, 20), 0.8, image_id=2)]
TWO = document(truth(square(5, 5), area=100), truth(square(30, 20), image_id=2, area=100))


def numbers(name: str, evaluation: Evaluation) -> dict[str, float]:
    return {key: item.value for key, item in METRICS[name].measure(evaluation).items()}


def test_matched_by_hand() -> None:
    # Shifted by 1: IoU 90 / 110; rings of 36 px share 18 of 54; every boundary pixel lies within 2 px. The other fits.
    assert numbers("matched", evaluation_of(SHIFTED, TWO)) == pytest.approx(
        {"IoU/matched": (90 / 110 + 1) / 2, "BoundaryIoU@0.02/matched": (18 / 54 + 1) / 2, "F@2px/matched": 1}
    )


def test_every_af_names_its_tolerance_and_aggregation() -> None:
    # 2 px: every pixel of the boundary of a square lies within 2 px of that of the one shifted by 1; the diagonal is 72
    # px: 1 px.
    evaluation = evaluation_of([found(square(8, 5)), SHIFTED[1]], TWO)
    matched = numbers("af-matched", evaluation)
    assert list(matched) == ["AF@1px/matched", "AF@2px/matched", "AF@3px/matched", "AF@0.00088diag/matched"]
    assert matched["AF@3px/matched"] == 1
    assert matched["AF@1px/matched"] == matched["AF@0.00088diag/matched"] < 1


def test_true_positives_are_those_of_each_threshold() -> None:
    # IoU .54 (shifted by 3): a true positive at .50 alone, F at 2 px below 1. The other is one at all ten, F 1.
    evaluation = evaluation_of([found(square(8, 5)), SHIFTED[1]], TWO)
    pair = evaluation.mask_pairs[0].boundary_f[2]
    assert pair < 1
    assert numbers("af-tp", evaluation)["AF@2px/tp"] == pytest.approx(((pair + 1) / 2 + 9 * 1) / 10)


def test_classes_are_merged_per_image() -> None:
    # One truth of 20 px found as two halves side by side: merged they are it. Image 2 has a class that nobody
    # annotated: 0.
    records = [
        found(square(5, 5, 10)),
        found(square(15, 5, 10)),
        found(square(1, 1), image_id=2),
        found(square(40, 5), 0.4),
    ]
    evaluation = evaluation_of(records, document(truth(square(5, 5, 20), area=200)))
    assert numbers("af-semantic", evaluation)["AF@1px/semantic"] == 0.5


def test_the_crop_leaves_out_what_is_far_from_the_truth() -> None:
    truth_mask = decode_mask(square(5, 5, 10, 10))
    assert crop_around(truth_mask) == (0, 0, 20, 20)
    records = [{"segmentation": square(5, 5, 10, 10)}, {"segmentation": square(5, 5, 40, 10)}]
    pairs = MaskPairs(records, [{"segmentation": square(5, 5, 10, 10)}], 0.02)
    exact, long = pairs.pair(0, 0), pairs.pair(1, 0)
    assert set(exact.boundary_f.values()) == set(exact.boundary_f_in_crop.values()) == {1}
    # Beyond column 20 the long mask's boundary is not looked at, and at the edge of the crop there is none.
    assert all(long.boundary_f_in_crop[tolerance] > f for tolerance, f in long.boundary_f.items())


def test_mba_is_a_mean_of_images() -> None:
    # Image 1 has two pairs, one right and one wrong, image 2 one that is right: ((a + 1) / 2 + 1) / 2.
    annotations = document(truth(square(5, 5)), truth(square(30, 5)), truth(square(5, 5), image_id=2))
    records = [found(square(5, 5)), found(square(31, 5)), found(square(5, 5), image_id=2)]
    evaluation = evaluation_of(records, annotations)
    wrong = mean_boundary_accuracy(decode_mask(square(31, 5)), decode_mask(square(30, 5)))
    assert wrong < 1
    assert numbers("mba", evaluation)["mBA/matched"] == pytest.approx(((wrong + 1) / 2 + 1) / 2)
    assert numbers("trimap", evaluation)["TrimapIoU@5px/matched"] < 1


@pytest.mark.parametrize("name", DEGENERATE)
def test_degenerate_files_have_numbers(name: str) -> None:
    records, annotations = DEGENERATE[name]
    evaluation = evaluation_of(records, document(*annotations))
    coarse = evaluation_of(records, document(*annotations))
    evaluation = Evaluation(
        prepare_detections(records, evaluation.document, "after"), evaluation.document, evaluation.protocol, coarse
    )
    chosen = [key for key, metric in METRICS.items() if metric.subject is Evaluation and not key.startswith("lvis")]
    summary = evaluate({Evaluation: evaluation}, {Evaluation: coarse}, chosen)
    assert all(row.value == -1 or 0 <= row.value <= 1 for row in summary.rows.values() if row.unit == "%")
    distances = [row.value for key, row in summary.rows.items() if key.startswith(("HD95", "ASSD"))]
    # "one pixel" and "crowd beside" find a mask one pixel away.
    assert all(value == -1 or 0 <= value <= 1 for value in distances)
    assert all(row.change in (None, 0) for row in summary.rows.values())
    assert "| AP/COCO |" in to_markdown(summary, {}, PROTOCOLS["coco"])
    if name == "frame filling":
        assert (
            summary.rows["IoU/matched"].value,
            summary.rows["AF@1px/matched"].value,
            summary.rows["mBA/matched"].value,
        ) == (1, 1, 1)


def test_ratios_of_groups() -> None:
    # Group 0: 3 / 4; group 1: 1 / 1. With image 1 drawn twice and image 0 not at all: group 0 is 2 / 2 and group 1 is
    # gone.
    ratios = Ratios(np.array([1.0, 2.0, 1.0]), np.array([2.0, 2.0, 1.0]), np.array([0, 1, 0]), 3, np.array([0, 0, 1]))
    assert ratios.value == 0.875
    assert ratios.under(np.array([[0, 2, 0], [0, 0, 1]]))[0] == 1
    assert np.isnan(ratios.under(np.array([[0, 0, 1]])))[0]
    assert ratios.present.tolist() == [True, True, False]
    assert Ratios.mean(np.array([]), np.array([]), 3).value == -1


def test_an_interval_is_drawn_from_images() -> None:
    random = np.random.default_rng(1)
    images = np.repeat(np.arange(30), 4)
    before = np.zeros(120)
    change = np.repeat(random.normal(0.1, 0.05, 30), 4)
    sides = Ratios.mean(before, images, 40), Ratios.mean(change, images, 40)
    low, high = interval(*sides)
    assert low < change.mean() < high
    assert (low, high) == interval(*sides)
    assert high - low == pytest.approx(2 * 1.96 * change[::4].std() / np.sqrt(30), rel=0.1)


def test_fast_gives_the_same(small_set: SmallSet, tmp_path: Path) -> None:
    pytest.importorskip("faster_coco_eval")
    rows = []
    for options_ in ([], ["--fast"]):
        out = tmp_path / "out.json"
        arguments = [
            str(small_set.results),
            "--ann",
            str(small_set.ann),
            "--before",
            str(small_set.results),
            "--out",
            str(out),
        ]
        assert main(["eval", *arguments, *options_]) == 0
        rows.append({name: row["value"] for name, row in json.loads(out.read_text())["rows"].items()})
    assert rows[0] == pytest.approx(rows[1])


def test_files_for_people_and_for_tools(small_set: SmallSet, tmp_path: Path) -> None:
    page, table = tmp_path / "new" / "page.md", tmp_path / "rows.csv"
    files = [str(small_set.results), "--ann", str(small_set.ann), "--before", str(small_set.results)]
    assert main(["eval", *files, "--markdown", str(page), "--save-per-instance", str(table)]) == 0
    text = page.read_text()
    assert "| F@2px/matched |" in text
    assert "## matched pairs by class" in text
    assert "| disk | 4 |" in text
    rows = list(csv.DictReader(table.open()))
    assert len(rows) == 4
    assert {row["size"] for row in rows} == {"medium"}
    assert all(row["iou_before"] == row["iou_after"] for row in rows)


def test_a_csv_needs_a_before(small_set: SmallSet, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [
        str(small_set.results),
        "--ann",
        str(small_set.ann),
        "--save-per-instance",
        str(small_set.folder / "rows.csv"),
    ]
    assert main(["eval", *arguments]) == 1
    assert "expected detections and --before" in capsys.readouterr().err


def test_a_missing_package_is_one_line(
    small_set: SmallSet, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for module in ("lvis.eval", "lvis"):
        monkeypatch.setitem(sys.modules, module, None)
        assert main(["eval", str(small_set.results), "--ann", str(small_set.ann), "--metrics", "lvis-ap"]) == 1
        assert "expected the lvis package, got none" in capsys.readouterr().err


def test_lvis_by_its_own_package() -> None:
    pytest.importorskip("lvis")
    annotations = document(truth(square(5, 5), area=100, bbox=[5, 5, 10, 10]))
    with pytest.raises(Exception, match="expected LVIS annotations, got images without neg_category_ids"):
        numbers("lvis-ap", evaluation_of(SHIFTED[:1], annotations, "lvis"))
    images = [{**image, "neg_category_ids": [], "not_exhaustive_category_ids": []} for image in annotations["images"]]
    categories = [{**category, "frequency": "r"} for category in annotations["categories"]]
    lvis = {**annotations, "images": images, "categories": categories}
    # IoU .82: seven of ten thresholds. The detection in image 2, whose classes nobody checked, costs nothing.
    measured = numbers("lvis-ap", evaluation_of(SHIFTED, lvis, "lvis"))
    assert measured["AP/LVIS"] == measured["APr/LVIS"] == pytest.approx(0.7)
    assert measured["APf/LVIS"] == -1
    assert numbers("lvis-ap", evaluation_of([], lvis, "lvis"))["AP/LVIS"] == 0
    assert np.__dict__.get("float") is None
    assert isinstance(metrics.lvis_ap(evaluation_of([], lvis, "lvis"))["AP/LVIS"], Fixed)
    assert FRAME == (40, 60)


def lvis_document(truths: list[Record], negative: list[int], not_exhaustive: list[int]) -> dict[str, Any]:
    """Two images in which the classes of the truth were searched, and in image 2 also the ``negative`` ones."""
    plain = document(*truths)
    lists = {1: ([], []), 2: (negative, not_exhaustive)}
    keys = ("neg_category_ids", "not_exhaustive_category_ids")
    images = [image | dict(zip(keys, lists[image["id"]], strict=True)) for image in plain["images"]]
    return {**plain, "images": images, "categories": [{**one, "frequency": "f"} for one in plain["categories"]]}


def test_lvis_boundary_ap_by_hand() -> None:
    pytest.importorskip("lvis")
    truths = [truth(square(5, 5, 20, 20), area=400, bbox=[5, 5, 20, 20])]
    # Shifted by 1: mask IoU 380 / 420 = .90; bands of 76 px share 38: 38 / 114 = .33, no match. The exact one has a
    # lower score: half of it is wrong at every threshold. In image 2 class 1 was not searched, so a detection there is free.
    records = [found(square(6, 5, 20, 20)), found(square(5, 5, 20, 20), 0.8), found(square(5, 5), 0.95, image_id=2)]
    free, searched, open_ended = ([], []), ([1], []), ([1], [1])
    expected = {"free": (free, 0.5), "searched": (searched, 1 / 3), "not exhaustive": (open_ended, 0.5)}
    for lists, value in expected.values():
        measured = numbers("lvis-boundary-ap", evaluation_of(records, lvis_document(truths, *lists), "lvis"))
        assert measured["BoundaryAP@0.02/LVIS"] == pytest.approx(value)
        assert measured["BoundaryAPf@0.02/LVIS"] == pytest.approx(value)
    # By masks alone the first one matches at the nine thresholds below .90, and the exact one at the last.
    masks = numbers("lvis-ap", evaluation_of(records, lvis_document(truths, *free), "lvis"))["AP/LVIS"]
    assert masks == pytest.approx((9 * 1 + 0.5) / 10)


def test_lvis_boundary_ap_is_that_of_coco_where_every_class_was_searched() -> None:
    pytest.importorskip("lvis")
    random = np.random.default_rng(3)
    truths, records = [], []
    for image_id in (1, 2):
        for index in range(6):
            left, top, side = (int(number) for number in (random.integers(30), random.integers(20), random.integers(6, 20)))
            category = 1 + index % 2
            truths.append(truth(square(left, top, side, side), image_id, category, area=side**2, bbox=[left, top, side, side]))
            shift = int(random.integers(3))
            records.append(found(square(left + shift, top, side, side), float(random.random()), image_id, category))
    whole = lvis_document(truths, [1, 2], [])
    whole["images"][0]["neg_category_ids"] = [1, 2]
    evaluation = evaluation_of(records, whole, "lvis")
    lvis, coco = (numbers(name, evaluation) for name in ("lvis-boundary-ap", "boundary-ap"))
    for ours, theirs in (("AP", "AP"), ("AP50", "AP50"), ("AP75", "AP75"), ("APs", "AP_S")):
        assert 0 < lvis[f"Boundary{ours}@0.02/LVIS"] == pytest.approx(coco[f"Boundary{theirs}@0.02/COCO-style on LVIS"])


def test_surface_metrics_are_rows_columns_and_tiles(small_set: SmallSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table, files = tmp_path / "rows.csv", [str(small_set.results), "--before", str(small_set.results)]
    chosen = ["nsd", "hd95", "assd", "weighted-f", "parts", "holes"]
    arguments = [*files, "--ann", str(small_set.ann), "--metrics", *chosen, "--save-per-instance", str(table)]
    assert main(["eval", *arguments]) == 0
    printed = [line.split("  ")[0].strip() for line in capsys.readouterr().out.splitlines()]
    rows = ["NSD@2px", "HD95 in px", "ASSD in px", "wF", "parts", "parts of the truth", "holes", "holes of the truth"]
    assert [f"{row}/matched" for row in rows] == printed[1 : 1 + len(rows)]
    columns = next(csv.DictReader(table.open()))
    assert (columns["parts_before"], columns["holes_after"]) == ("1.0", "0.0")
    assert 0 < float(columns["assd_after"]) <= float(columns["hd95_after"])


def write_pictures(folder: Path, **pictures: np.ndarray) -> str:
    folder.mkdir()
    for name, pixels in pictures.items():
        write_png(folder / f"{name}.png", pixels)
    return str(folder)


def test_folders_of_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hard = np.zeros((40, 60), np.uint8)
    hard[10:30, 20:40] = 255
    soft = cv2.blur(hard, (5, 5))
    wide = np.roll(hard, 2, axis=1)
    gt = write_pictures(tmp_path / "gt", a=hard, b=hard)
    before, after = write_pictures(tmp_path / "seg", a=wide, b=hard), write_pictures(tmp_path / "soft", a=soft, b=hard, c=hard)
    out = tmp_path / "out.json"
    assert main(["eval", after, "--before", before, "--ann", gt, "--out", str(out)]) == 0
    rows = json.loads(out.read_text())["rows"]
    # 360 of 440 pixels in the first picture, and 400 of 400 in the second.
    assert rows["IoU/pixels of all pictures"]["before"] == pytest.approx(760 / 840)
    assert rows["IoU/mean of pictures"]["before"] == pytest.approx((360 / 440 + 1) / 2)
    assert rows["SAD/whole pictures"]["before"] == pytest.approx(80 / 1000 / 2)
    assert rows["MSE/whole pictures"]["before"] == pytest.approx(80 / 2400 / 2)
    difference = np.abs(soft / 255.0 - hard / 255.0)
    assert rows["SAD/whole pictures"]["value"] == pytest.approx(difference.sum() / 1000 / 2)
    assert rows["MSE/whole pictures"]["value"] == pytest.approx((difference**2).mean() / 2)
    assert rows["mBA/mean of pictures"]["change"] > 0
    assert "mBA/mean of pictures" in capsys.readouterr().out
    several = hard // 255 + np.eye(40, 60, dtype=np.uint8) * 7
    bad = {"missing": {"a": hard}, "size": {"a": hard[:20], "b": hard}, "objects": {"a": hard, "b": several}}
    said = {"missing": "got none for 'b'", "size": "expected the size of", "objects": "expected one object"}
    for name, pictures in bad.items():
        assert main(["eval", write_pictures(tmp_path / name, **pictures), "--ann", gt]) == 1
        error = capsys.readouterr().err
        assert said[name] in error
        assert error.count("\n") == 1
