"""Ids of images and classes: of any type in the evaluators, and what fits no list is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from bpr.cli.main import main
from bpr.evaluation.comparison import Evaluation, category_names
from bpr.evaluation.metrics import METRICS
from bpr.evaluation.prepare import prepare_annotations, prepare_detections
from tests.evaluation.test_comparison import FRAME, found, square, truth

KINDS: dict[str, tuple[list[Any], list[Any]]] = {
    "numbers": ([1, 2], [1, 2]),
    "texts": (["a", "b"], ["x", "y"]),
    "zero": ([0, 1], [0, 1]),
    "negative": ([-2, -1], [-9, -8]),
    "64 bits": ([2**62, 2**62 + 1], [2**61, 2**61 + 1]),
    "more than 64 bits": ([2**70, 2**70 + 1], [2**66, 2**66 + 1]),
    "mixed": ([1, "a"], [7, "x"]),
    "texts of numbers": (["1", "2"], ["1", "2"]),
}
METRIC_NAMES = ("ap", "boundary-ap", "matched", "af-matched", "af-tp", "af-semantic", "mba", "trimap")


def files(images: list[Any], classes: list[Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Two squares of each class in each image, found well, badly, and once in a wrong place."""
    entries = [{"id": key, "file_name": f"{n}.png", "height": FRAME[0], "width": FRAME[1]} for n, key in enumerate(images)]
    annotations, records = [], []
    for n, image_id in enumerate(images):
        for k, category_id in enumerate(classes):
            keys: dict[str, Any] = {"image_id": image_id, "category_id": category_id}
            annotations.append({"id": len(annotations), **truth(square(5 + 20 * k, 5 + n)), **keys})
            records.append({**found(square(5 + 20 * k + n + k, 5 + n), 0.9 - 0.1 * n - 0.05 * k), **keys})
        records.append({**found(square(45, 25), 0.3 + 0.1 * n), "image_id": image_id, "category_id": classes[0]})
    categories = [{"id": key, "name": f"class {n}"} for n, key in enumerate(classes)]
    return {"images": entries, "annotations": annotations, "categories": categories}, records


def numbers(document: dict[str, Any], records: list[dict[str, Any]], fast: bool = False) -> dict[str, float]:
    prepared = prepare_annotations(document, "ann.json")
    evaluation = Evaluation(prepare_detections(records, prepared, "results.json"), prepared)
    values = {}
    for name in METRIC_NAMES:
        options = {"fast": True} if fast and METRICS[name].has_fast else {}
        values |= {key: number.value for key, number in METRICS[name].measure(evaluation, **options).items()}
    return values


@pytest.mark.parametrize("kind", KINDS)
def test_ids_of_any_type_give_the_same_numbers(kind: str) -> None:
    expected = numbers(*files(*KINDS["numbers"]))
    assert 0.3 < expected["AP/COCO"] < 0.9
    assert numbers(*files(*KINDS[kind])) == expected
    pytest.importorskip("faster_coco_eval")
    assert numbers(*files(*KINDS[kind]), fast=True) == pytest.approx(expected)


def test_classes_keep_their_own_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for kind in KINDS:
        document, records = files(*KINDS[kind])
        rows = run(tmp_path, document, records)["breakdowns"]["class"]
        assert [(name, row["pairs"]) for name, row in rows.items()] == [("class 0", 2), ("class 1", 2)]
        assert rows["class 0"]["ap"] > rows["class 1"]["ap"]


def run(folder: Path, document: dict[str, Any], records: list[dict[str, Any]], *options: str) -> dict[str, Any]:
    """What ``bpr eval`` writes."""
    for name, value in (("ann.json", document), ("results.json", records)):
        (folder / name).write_text(json.dumps(value))
    out = folder / "numbers.json"
    assert main(["eval", str(folder / "results.json"), "--ann", str(folder / "ann.json"), "--out", str(out), *options]) == 0
    summary: dict[str, Any] = json.loads(out.read_text())
    return summary


def test_text_ids_that_spell_listed_numbers_are_those_images(tmp_path: Path) -> None:
    document, records = files([0, 1], [1, 2])
    expected = run(tmp_path, document, records)["rows"]
    for item in (*records, *document["annotations"]):
        item["image_id"] = str(item["image_id"])
    assert run(tmp_path, document, records)["rows"] == expected
    for item in (*records, *document["annotations"]):
        item["image_id"] = f"{item['image_id']}.png"
    assert run(tmp_path, document, records)["rows"] == expected


def test_records_of_unlisted_classes_are_named_and_count_for_nothing(tmp_path: Path) -> None:
    document, records = files([1, 2], [1, 2])
    expected = run(tmp_path, document, records)
    others = [{**record, "category_id": other} for record, other in zip(records, (0, "1", 3, 0, 0, 0), strict=True)]
    summary = run(tmp_path, document, [*records, *others])
    assert summary["rows"] == expected["rows"]
    assert summary["problems"]["results"] == [
        "6 records of classes that the annotation file does not list (first: record 6, category_id 0); ignored"
    ]


def test_annotations_of_unlisted_classes_count_for_nothing(tmp_path: Path) -> None:
    document, records = files([1, 2], [1, 2])
    document["categories"].pop()
    summary = run(tmp_path, document, records)
    line = "2 {} of classes that the annotation file does not list (first: {} 1, category_id 2); ignored"
    assert summary["problems"]["annotations"] == [line.format("annotations", "annotation id")]
    assert summary["problems"]["results"] == [line.format("records", "record")]
    assert summary["pairs"] == 2


@pytest.mark.parametrize("side", ["records", "annotations"])
def test_classes_of_another_data_set_are_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str], side: str) -> None:
    document, records = files([1, 2], [1, 2])
    for item in records if side == "records" else document["annotations"]:
        item["category_id"] = str(item["category_id"])
    for name, value in (("ann.json", document), ("results.json", records)):
        (tmp_path / name).write_text(json.dumps(value))
    assert main(["eval", str(tmp_path / "results.json"), "--ann", str(tmp_path / "ann.json")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "expected category_ids of the annotation file, got none (first: '1'); pass files of one data set" in line


@pytest.mark.parametrize("categories", [[], None, ...])
def test_without_categories_the_annotations_list_the_classes(tmp_path: Path, categories: object) -> None:
    document, records = files([1, 2], [1, 2])
    expected = run(tmp_path, document, records)["rows"]
    document.pop("categories")
    document |= {} if categories is ... else {"categories": categories} if categories is not None else {}
    summary = run(tmp_path, document, [*records, {**records[0], "category_id": 5}])
    assert summary["rows"] == expected
    assert "1 record of classes" in summary["problems"]["results"][0]


def test_two_classes_of_one_name_are_two_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document, records = files([1, 2], [1, 2])
    for category in document["categories"]:
        category["name"] = "pothole"
    rows = run(tmp_path, document, records)["breakdowns"]["class"]
    assert [(name, row["pairs"]) for name, row in rows.items()] == [("pothole (1)", 2), ("pothole (2)", 2)]
    assert rows["pothole (1)"]["ap"] > rows["pothole (2)"]["ap"]
    printed = capsys.readouterr().out
    assert all(name in printed for name in ("pothole (1)", "pothole (2)"))


NO_NAMES: list[dict[str, Any]] = [{}, {"name": None}, {"name": ""}, {"name": " "}]
NAMES: list[tuple[dict[str, Any], dict[str, Any], list[str]]] = [
    *((name, name, ["1", "2"]) for name in NO_NAMES),
    ({"name": 2}, {"name": "2"}, ["2 (1)", "2 (2)"]),
    ({"name": "2"}, {}, ["2 (1)", "2 (2)"]),
    ({"name": "Pothole"}, {"name": "pothole"}, ["Pothole", "pothole"]),
]


@pytest.mark.parametrize(("first", "second", "expected"), NAMES)
def test_every_class_has_a_name_of_its_own(
    tmp_path: Path, first: dict[str, Any], second: dict[str, Any], expected: list[str]
) -> None:
    document, records = files([1, 2], [1, 2])
    document["categories"] = [{"id": 1, **first}, {"id": 2, **second}]
    assert list(run(tmp_path, document, records)["breakdowns"]["class"]) == expected


def test_a_listed_name_may_look_like_one_that_is_made() -> None:
    names = ("pothole", "pothole", "pothole (1)")
    categories = [{"id": number, "name": name} for number, name in enumerate(names, start=1)]
    assert list(category_names(categories).values()) == ["pothole (1) (1)", "pothole (2)", "pothole (1) (3)"]
    assert category_names([{"id": 1, "name": "a"}, {"id": "1", "name": "a"}]) == {1: "a (1)", "1": "a ('1')"}


def test_an_id_of_two_names_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document, records = files([1, 2], [1, 2])
    document["categories"].append(document["categories"][0])
    run(tmp_path, document, records)
    (tmp_path / "ann.json").write_text(json.dumps({**document, "categories": [*document["categories"], {"id": 1.0, "name": "b"}]}))
    for command in (["eval", "results.json", "--ann", "ann.json"], ["convert", "ann.json", "--to", "yolo", "--out", "y"]):
        arguments = [str(tmp_path / text) if Path(text).suffix or text == "y" else text for text in command]
        assert main(arguments) == 1
        assert "categories: expected one name of id 1.0, got 'class 0' and 'b'; correct one" in capsys.readouterr().err


@pytest.mark.parametrize("size", [(-1, -1), (None, 60), (0, 0), (40.0, 60.0)])
def test_images_without_a_size_have_that_of_their_masks(tmp_path: Path, size: tuple[object, object]) -> None:
    document, records = files([1, 2], [1, 2])
    expected = run(tmp_path, document, records)["rows"]
    for image in document["images"]:
        image["height"], image["width"] = size
    assert run(tmp_path, document, records)["rows"] == expected


def panoptic(folder: Path, name: str, classes: list[Any], image_id: Any = 1, **more: Any) -> Path:
    """Three stripes, with the ids 1, 2, 3."""
    pngs = folder / name
    pngs.mkdir()
    ids = np.repeat(np.array([1, 2, 3], np.uint8), 10)[:, None].repeat(40, axis=1)
    cv2.imwrite(str(pngs / "p.png"), np.stack([np.zeros_like(ids), np.zeros_like(ids), ids], axis=2))
    segments = [{"id": number, "category_id": key} for number, key in enumerate(classes, 1)]
    path = folder / f"{name}.json"
    image = {"image_id": image_id, "file_name": "p.png", "segments_info": segments}
    path.write_text(json.dumps({"annotations": [image], **more}))
    return path


CATEGORIES = [{"id": key, "name": str(key), "isthing": 1} for key in (1, 2, 3)]


@pytest.mark.parametrize("unlisted", [99, "2"])
def test_a_panoptic_segment_of_an_unlisted_class_counts_for_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], unlisted: object
) -> None:
    ann = panoptic(tmp_path, "truth", [1, 2, 3], categories=CATEGORIES)
    results, out = panoptic(tmp_path, "results", [1, unlisted, 3]), tmp_path / "numbers.json"
    assert main(["eval", str(results), "--ann", str(ann), "--out", str(out)]) == 0
    assert json.loads(out.read_text())["rows"]["PQ/panoptic"]["value"] == pytest.approx(2 / 3)
    line = f"results: 1 segment of classes that the annotation file does not list (first: segment id 2, category_id {unlisted!r})"
    assert line in capsys.readouterr().out


def test_panoptic_results_of_another_data_set_are_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ann = panoptic(tmp_path, "truth", [1, 2, 3], categories=CATEGORIES)
    assert main(["eval", str(panoptic(tmp_path, "results", ["1", "2", "3"])), "--ann", str(ann)]) == 1
    assert "expected category_ids of the annotation file, got none (first: '1')" in capsys.readouterr().err


@pytest.mark.parametrize("image_id", ["1", 1.0, "p", "p.png"])
def test_panoptic_images_are_found_by_the_same_rule(tmp_path: Path, image_id: object) -> None:
    ann, out = panoptic(tmp_path, "truth", [1, 2, 3], categories=CATEGORIES), tmp_path / "numbers.json"
    assert main(["eval", str(panoptic(tmp_path, "results", [1, 2, 3], image_id)), "--ann", str(ann), "--out", str(out)]) == 0
    assert json.loads(out.read_text())["rows"]["PQ/panoptic"]["value"] == 1
