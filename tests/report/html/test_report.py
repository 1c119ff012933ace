"""What a report holds, from the two results files to the folder."""

from __future__ import annotations

import html
import importlib.util
import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from bpr.cli.main import main
from bpr.errors import BPRError, install_hint
from bpr.evaluation.prepare import Detections
from bpr.formats.convert import convert
from bpr.formats.format import RecordSet
from bpr.geometry.rle import decode_mask
from bpr.io.image_finder import OneImage
from bpr.report.html.collect import collect_changes, collect_pairs
from bpr.report.html.groups import by_class, by_score, by_size
from bpr.report.html.pictures import LARGEST_CROP, crop_box, pictures_of
from bpr.report.html.plots import MOST_DOTS, plots_of_gains
from bpr.report.html.write import most_changed
from tests.report.html.made import HOSTILE_CLASS, MadeSet, read_data, square


def sides(made: MadeSet) -> tuple[Detections, Detections]:
    return Detections(made.records[0], "before.json"), Detections(made.records[1], "after.json")


def test_the_page_holds_the_numbers_of_eval(made: MadeSet, report: Path, tmp_path: Path) -> None:
    out = tmp_path / "eval.json"
    assert main(["eval", str(made.after), "--before", str(made.before), "--ann", str(made.ann), "--out", str(out)]) == 0
    rows = json.loads(out.read_text())["rows"]
    page = (report / "index.html").read_text()
    for name in ("IoU/matched", "BoundaryIoU@0.02/matched", "F@2px/matched", "AP/COCO"):
        assert f"{100 * rows[name]['change']:+.2f}".replace("-", "−") in page
        assert f"<td>{100 * rows[name]['value']:.1f}</td>" in page


def test_every_mask_is_in_the_data_with_its_change(made: MadeSet, report: Path) -> None:
    data = read_data(report)
    assert [row["number"] for row in data["instances"]] == list(range(12))
    assert data["hasTruth"]
    assert list(data["metrics"]) == list(data["instances"][0]["metrics"]) == ["iou", "boundary_iou", "boundary_f"]
    first = {row["score"]: row for row in data["instances"][:4]}
    refined, untouched, harmed, grown = (first[score] for score in (0.2, 0.35, 0.5, 0.65))
    assert [row["verdict"] for row in (refined, untouched, harmed, grown)] == [
        "improved",
        "unchanged",
        "harmed",
        "improved",
    ]
    # 43² - 40² pixels too many are gone; 44² - 40² are too many now; of a mask 38² the truth came and a pixel around
    # it.
    assert refined["pixels"] == {"fixed": 249, "leaked": 0, "lost": 0}
    assert harmed["pixels"] == {"fixed": 0, "leaked": 336, "lost": 0}
    assert grown["pixels"] == {"fixed": 40**2 - 38**2, "leaked": 41**2 - 40**2, "lost": 0}
    assert refined["metrics"]["iou"] == [pytest.approx(100 * 1600 / 1849, abs=0.01), 100]
    assert untouched["places"] == []
    assert untouched["agreement"] == 100
    assert harmed["places"]
    for name in ("cuts", "thumbnails"):
        assert len(list((report / "data" / name).iterdir())) == 12


def test_masks_are_those_of_the_files_inside_their_crop(made: MadeSet, report: Path) -> None:
    row = read_data(report)["instances"][0]
    cut = row["cut"]
    record = next(r for r in made.records[0] if (r["image_id"], r["score"]) == (1, row["score"]))
    window = cut["left"], cut["top"], cut["left"] + cut["width"], cut["top"] + cut["height"]
    read = decode_mask({"size": [cut["height"], cut["width"]], "counts": row["masks"]["before"]}).to_frame()
    assert np.array_equal(read, decode_mask(record["segmentation"]).window(window))


def test_equal_inputs_give_equal_files(made: MadeSet, report: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bpr.refinement.pipeline.DEFAULT_WORKERS", 1)
    again = made.report("again")
    names = {path.relative_to(report) for path in report.rglob("*") if path.is_file()}
    assert names == {path.relative_to(again) for path in again.rglob("*") if path.is_file()}
    assert [name for name in sorted(names) if (report / name).read_bytes() != (again / name).read_bytes()] == []


def test_nothing_in_the_folder_points_outside_it(report: Path) -> None:
    for path in (report / "index.html", *(report / "assets").iterdir()):
        text = path.read_text().replace("http://www.w3.org/", "")
        assert "http:" not in text, path
        assert "https:" not in text, path


def test_fewer_masks_are_those_that_changed_most(
    made: MadeSet, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("bpr.cli.report.MOST_SHOWN", 6)
    out = made.report("few")
    rows = read_data(out)["instances"]
    assert len(rows) == 6
    assert {row["verdict"] for row in rows} == {"improved", "harmed"}
    page = (out / "index.html").read_text()
    assert "The 6 of 12 masks that changed most." in page
    assert "12 annotated objects in 3 images" in page
    assert "12 matched pairs of 12 records, 9 changed, 6 shown" in capsys.readouterr().out


def test_a_mask_without_its_image_is_shown_on_grey_and_reported(
    made: MadeSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    out = tmp_path / "out"
    files = [str(made.after), "--before", str(made.before), "--ann", str(made.ann)]
    assert main(["report", *files, "--img-dir", str(tmp_path / "empty"), "--out", str(out)]) == 0
    assert capsys.readouterr().err.count("no such image; file names of the images list begin in the folder of --img-dir") == 3
    assert "3 images could not be read" in (out / "index.html").read_text()


def test_records_and_annotations_that_do_not_count_are_reported(
    made: MadeSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = [{**made.records[1][0], "segmentation": {"size": [1, 1], "counts": "?"}}, *made.records[1][1:]]
    document = {
        **made.document,
        "annotations": [*made.document["annotations"], {**made.document["annotations"][0], "image_id": 99}],
    }
    after, ann, out = tmp_path / "after.json", tmp_path / "ann.json", tmp_path / "out"
    after.write_text(json.dumps(broken))
    ann.write_text(json.dumps(document))
    files = [str(after), "--before", str(made.before), "--ann", str(ann), "--img-dir", str(made.images)]
    assert main(["report", *files, "--out", str(out)]) == 0
    printed, page = capsys.readouterr().err, (out / "index.html").read_text()
    first = f"annotation id {document['annotations'][0]['id']}, image_id 99"
    for line in (
        f"{after}: 1 unreadable mask counts as empty (record 0: mask size: expected",
        f"{ann}: 1 annotation of images that the annotation file does not list (first: {first})",
    ):
        assert line in printed
        assert line in html.unescape(page)


def test_formats_without_scores_are_compared_too(made: MadeSet, tmp_path: Path) -> None:
    sides = []
    for name, path in (("before", made.before), ("after", made.after)):
        records = [
            {key: value for key, value in record.items() if key != "score"} for record in json.loads(path.read_text())
        ]
        for record in records:
            record["image_id"] = f"{record['image_id']:04d}"
        folder = tmp_path / name
        convert(RecordSet(records), "yolo", folder)
        sides.append(str(folder))
    names = {image["id"]: f"{image['id']:04d}" for image in made.document["images"]}
    images = [
        {**image, "id": names[image["id"]], "file_name": f"{names[image['id']]}.png"}
        for image in made.document["images"]
    ]
    annotations = [  # YOLO's classes are numbered from 0
        {**item, "image_id": names[item["image_id"]], "category_id": item["category_id"] - 1}
        for item in made.document["annotations"]
    ]
    categories = [{**category, "id": category["id"] - 1} for category in made.document["categories"]]
    ann = tmp_path / "ann.json"
    ann.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    for entry in images:
        cv2.imwrite(str(tmp_path / entry["file_name"]), np.zeros((*made.frame, 3), np.uint8))
    out = tmp_path / "out"
    assert (
        main(
            ["report", sides[1], "--before", sides[0], "--ann", str(ann), "--img-dir", str(tmp_path), "--out", str(out)]
        )
        == 0
    )
    assert {row["score"] for row in read_data(out)["instances"]} == {1}


def test_without_a_truth_unreadable_masks_are_left_out(made: MadeSet) -> None:
    broken = {"image_id": 1, "category_id": 1, "segmentation": {"size": [1, 1], "counts": "?"}}
    odd = {"image_id": [1], "segmentation": square(0, 0, 9)}
    bare = {"image_id": "a", "segmentation": square(0, 0, 9), "score": "high"}
    records = [broken, odd, bare, {"image_id": 1, "category_id": 5, "segmentation": square(3, 3, 20), "score": 0.5}]
    found = collect_changes(Detections(records, "before"), Detections(records, "after"), OneImage(Path("photo.png")), {5: "cup"})
    assert [(i.category, i.score, i.agreement, i.change) for i in found.instances] == [
        ("object", None, 1, 0),
        ("cup", 0.5, 1, 0),
    ]
    assert found.records == 4
    assert found.comparison is None
    (problem,) = found.problems
    assert problem.startswith("not shown: 2 records, because they cannot be read (first: record 0: RLE")


def test_groups_lead_to_the_filter_that_shows_them(made: MadeSet) -> None:
    instances = collect_pairs(*sides(made), made.document, "instances.json").instances
    sizes, scores, classes = by_size(instances), by_score(instances), by_class(instances)
    assert [(group.name, group.query, group.count) for group in sizes] == [("medium", "size=medium", 12)]
    assert [(group.query, group.count, group.harmed) for group in scores] == [
        ("score=0.05%2C0.3", 3, 0),
        ("score=0.3%2C0.5", 3, 0),
        ("score=0.5%2C0.7", 6, 0.5),
    ]
    assert {group.name: group.harmed for group in classes} == {"square": 0.5, HOSTILE_CLASS: 0}
    assert "<" not in classes[0].query + classes[1].query


def test_the_order_of_the_masks_stays_when_few_are_shown(made: MadeSet) -> None:
    instances = collect_pairs(*sides(made), made.document, "instances.json").instances
    few = most_changed(instances, 5)
    places = [instances.index(instance) for instance in few]
    assert places == sorted(places)
    assert min(abs(i.change) for i in few) >= max(abs(i.change) for i in instances if i not in few)


@pytest.mark.parametrize("frame", [(200, 260), (40, 260), (4, 4), (3000, 2000)])
def test_a_crop_lies_inside_its_image_around_the_mask(frame: tuple[int, int]) -> None:
    height, width = frame
    for box in (
        (0, 0, 1, 1),
        (width - 1, height - 1, width, height),
        (0, 0, width, height),
        (width // 3, 0, width // 2, height),
    ):
        x0, y0, x1, y1 = crop_box(box, frame)
        assert 0 <= x0 <= box[0] < box[2] <= x1 <= width
        assert 0 <= y0 <= box[1] < box[3] <= y1 <= height


def test_a_large_crop_is_shrunk(made: MadeSet) -> None:
    frame = (1200, 2400)
    records = [{"image_id": 1, "segmentation": square(0, 0, side, frame)} for side in (1100, 1110)]
    found = collect_changes(Detections(records[:1], "before"), Detections(records[1:], "after"), {}, {})
    pictures = pictures_of(found.instances[0], np.zeros((*frame, 3), np.uint8))
    assert max(cv2.imdecode(np.frombuffer(pictures.crop, np.uint8), cv2.IMREAD_COLOR).shape) == LARGEST_CROP
    width, height = pictures.box[2] - pictures.box[0], pictures.box[3] - pictures.box[1]
    assert pictures.places
    # The edges that moved, of 1100 and 1110 pixels, pass through every place.
    for left, top, side in pictures.places:
        assert 0 <= left < left + side <= width
        assert 0 <= top < top + side <= height
        assert max(left + side, top + side) > 1100


def test_plots_take_their_colours_from_the_page_and_stay_small(made: MadeSet) -> None:
    instances = collect_pairs(*sides(made), made.document, "instances.json").instances
    plots = plots_of_gains(instances * 400, [f"#instance={n}" for n in range(12)] * 400)
    for plot in plots:
        assert plot.svg.startswith("<svg")
        assert "#01010" not in plot.svg
        assert plot.svg.count("<use") < MOST_DOTS + 100
    assert "var(--harm)" in plots[0].svg
    assert f"{MOST_DOTS} of {400 * 12} masks" in plots[1].caption


def test_errors_are_one_line(made: MadeSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "thesis.tex").touch()
    short, nothing = tmp_path / "short.json", tmp_path / "nothing.json"
    short.write_text(json.dumps(made.records[1][:3]))
    nothing.write_text("[]")
    good = [str(made.after), "--before", str(made.before), "--img-dir", str(made.images)]
    cases = {
        "the folder holds other files": [*good, "--out", str(taken)],
        "expected the 12 records": [str(short), *good[1:], "--out", str(tmp_path / "a")],
        "expected masks to show": [str(nothing), "--before", str(nothing), *good[3:], "--out", str(tmp_path / "b")],
        "expected --img-dir": [*good[:3], "--out", str(tmp_path / "c")],
    }
    for message, arguments in cases.items():
        assert main(["report", *arguments]) == 1
        printed = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("cropping")]
        assert len(printed) == 1
        assert message in printed[0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["nothing.json", "short.json", "taken"]
    assert [path.name for path in taken.iterdir()] == ["thesis.tex"]


def test_detections_that_match_nothing_are_an_error(made: MadeSet) -> None:
    far = [{**record, "segmentation": square(0, 0, 5, made.frame)} for record in made.records[0]]
    with pytest.raises(BPRError, match="leave --ann out"):
        collect_pairs(Detections(far, "far.json"), Detections(far, "far.json"), made.document, "instances.json")


def test_a_missing_library_is_one_line(
    made: MadeSet, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "jinja2" else real(name, *rest)
    )
    assert main(["report", str(made.after), "--before", str(made.before), "--out", str(made.folder / "none")]) == 1
    assert (
        capsys.readouterr().err
        == f"bpr report: a report needs the [report] extra: {install_hint('report')} (Jinja2 missing)\n"
    )


def annotation_file(made: MadeSet, name: str, records: list[dict[str, Any]], **more: Any) -> Path:
    """The records as annotations, without scores."""
    annotations = [{key: value for key, value in record.items() if key != "score"} for record in records]
    return made.write(name, {**made.document, "annotations": [{"id": n, **one} for n, one in enumerate(annotations)], **more})


@pytest.mark.parametrize("with_truth", [False, True])
def test_annotation_files_need_no_scores_and_name_their_classes(made: MadeSet, with_truth: bool) -> None:
    before, after = (annotation_file(made, f"{name}.json", side) for name, side in zip(("old", "new"), made.records, strict=True))
    out = made.folder / "annotations"
    truth = ["--ann", str(made.ann)] if with_truth else []
    assert main(["report", str(after), "--before", str(before), "--img-dir", str(made.images), "--out", str(out), *truth]) == 0
    instances = read_data(out)["instances"]
    assert {row["class"] for row in instances} == {"square", HOSTILE_CLASS}
    assert {row["score"] for row in instances} == {1.0 if with_truth else None}
    shutil.rmtree(out)


def test_classes_of_one_name_stay_apart(made: MadeSet) -> None:
    named = {"categories": [{"id": 1, "name": "pothole"}, {"id": 2, "name": "pothole"}]}
    before, after = (annotation_file(made, f"{name}.json", side, **named) for name, side in zip(("old", "new"), made.records, strict=True))
    out = made.folder / "potholes"
    assert main(["report", str(after), "--before", str(before), "--img-dir", str(made.images), "--out", str(out)]) == 0
    assert {row["class"] for row in read_data(out)["instances"]} == {"pothole (1)", "pothole (2)"}
    shutil.rmtree(out)


def test_unchanged_crowds_are_not_shown(made: MadeSet, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = ([{**record, "iscrowd": n % 2} for n, record in enumerate(side)] for side in made.records)
    new[1] = old[1]
    before, after = annotation_file(made, "old.json", old), annotation_file(made, "new.json", new)
    out = made.folder / "crowds"
    assert main(["report", str(after), "--before", str(before), "--img-dir", str(made.images), "--out", str(out)]) == 0
    unchanged = sum(a["segmentation"] == b["segmentation"] for a, b in list(zip(old, new, strict=True))[1::2])
    assert capsys.readouterr().out.startswith(f"{len(old) - unchanged} masks")
    shutil.rmtree(out)
