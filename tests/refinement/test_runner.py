"""`bpr refine` end to end: every record comes out once, in place, and bad input costs one line."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bpr.backends import load_predictor
from bpr.cli.main import main
from bpr.formats import photos
from bpr.geometry.options import RefineOptions
from bpr.geometry.rle import decode_mask
from bpr.io.image_finder import ImageFolder, OneImage
from bpr.io.images import read_shown
from bpr.refinement import runner
from bpr.refinement.grouping import group_by_image
from bpr.refinement.outcome import FinishedImage
from bpr.refinement.predictor import IdentityPredictor, PatchBatch
from bpr.refinement.refiner import Refiner
from tests.conftest import SmallSet


def refine(data: SmallSet, *options: str, results: Path | None = None, model: str = "oracle", images: Path | None = None) -> int:
    arguments = [str(results or data.results), "--img-dir", str(images or data.images), "--ann", str(data.ann), "--model", model]
    return main(["refine", *arguments, "--out", str(data.folder / "out.json"), *options])


def output(data: SmallSet) -> list[dict[str, Any]]:
    return json.loads((data.folder / "out.json").read_text())


def test_masks_boxes_and_unknown_keys(small_set: SmallSet) -> None:
    assert refine(small_set) == 0
    refined = output(small_set)
    for record, coarse, truth in zip(refined, small_set.records, small_set.document["annotations"], strict=True):
        assert record["segmentation"] == truth["segmentation"]
        assert record["bbox"] == truth["bbox"]
        assert all(record[key] == coarse[key] for key in ("image_id", "category_id", "score", "note"))


def test_order_is_the_input_order_whatever_the_workers(small_set: SmallSet) -> None:
    shuffled = [small_set.records[i] for i in (3, 0, 2, 1)]
    results = small_set.write("shuffled.json", shuffled)
    written = []
    for workers in ("1", "2", "5"):
        assert refine(small_set, "--workers", workers, results=results, model="starter") == 0
        written.append((small_set.folder / "out.json").read_bytes())
    assert written[0] == written[1] == written[2]
    assert [r["note"] for r in json.loads(written[0])] == [r["note"] for r in shuffled]


def test_batch_boundaries_and_workers_change_no_bit(small_set: SmallSet) -> None:
    images, written = ImageFolder(small_set.images, small_set.document["images"]), []
    for batch_size, workers in ((64, 0), (5, 2), (1, 3)):
        predictor = load_predictor("starter-fast")
        predictor.batch_size = batch_size
        written.append(runner.refine_records(small_set.records, images, Refiner(predictor), workers)[0])
    assert written[0] == written[1] == written[2] != small_set.records


def test_ground_truth_is_never_needed(small_set: SmallSet) -> None:
    out = small_set.folder / "out.json"
    assert main(["refine", str(small_set.results), "--img-dir", str(small_set.images), "--model", "identity", "--out", str(out)]) == 0
    assert [r["segmentation"] for r in output(small_set)] == [r["segmentation"] for r in small_set.records]


def test_records_below_the_minimal_score_stay_and_keep_their_place(small_set: SmallSet, capsys: pytest.CaptureFixture[str]) -> None:
    records = [{**record, "score": score} for record, score in zip(small_set.records, (0.04, 0.9, 0.05, 0.01), strict=True)]
    assert refine(small_set, "--min-score", "0.05", "--strict", results=small_set.write("scores.json", records)) == 0
    assert [new == old for new, old in zip(output(small_set), records, strict=True)] == [True, False, False, True]
    assert "2 of 4 records refined; 2 below --min-score" in capsys.readouterr().out


def repeated(data: SmallSet, images: int) -> list[dict[str, Any]]:
    """The two records of the first image, as those of so many images."""
    return [{**record, "image_id": number} for number in range(images) for record in data.records[:2]]


def finished_images(data: SmallSet, records: list[dict[str, Any]], workers: int) -> Iterator[FinishedImage]:
    image, refiner = OneImage(data.images / "000001.png"), Refiner(IdentityPredictor(batch_size=16))
    return runner.refine_images(records, group_by_image(records), image, refiner, workers)


@pytest.mark.parametrize("workers", [0, 2])
def test_images_come_finished_in_order_and_with_all_their_records(small_set: SmallSet, workers: int) -> None:
    records = repeated(small_set, 5)
    records[3] = {**records[3], "segmentation": None}
    finished = list(finished_images(small_set, records, workers))
    assert [list(image.indices) for image in finished] == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]
    assert [record for image in finished for record in image.records] == records
    assert [[kept.indices for kept in image.kept] for image in finished] == [[], [[3]], [], [], []]


def test_who_draws_the_images_sets_the_pace(small_set: SmallSet, monkeypatch: pytest.MonkeyPatch) -> None:
    read = []
    monkeypatch.setattr(photos, "read_shown", lambda path, *frames, **more: read.append(path) or read_shown(path, *frames, **more))
    finished = finished_images(small_set, repeated(small_set, 500), workers=2)
    for _ in range(3):
        next(finished)
    finished.close()
    assert len(read) < 100


@pytest.mark.parametrize(("patches", "finished"), [(runner.BATCHES_AFTER_STOP, 1), (runner.BATCHES_AFTER_STOP + 2, 0)])
def test_after_a_stop_the_image_in_the_network_is_finished_unless_it_is_long(
    small_set: SmallSet, patches: int, finished: int
) -> None:
    """The stop comes with the first batch, of one patch."""
    seen: list[int] = []

    class Counts(IdentityPredictor):
        def predict(self, batch: PatchBatch) -> np.ndarray:
            seen.append(len(batch))
            return super().predict(batch)

    refiner = Refiner(Counts(batch_size=1), RefineOptions(max_patches=patches))
    records, image = repeated(small_set, 5), OneImage(small_set.images / "000001.png")
    images = runner.refine_images(records, group_by_image(records), image, refiner, 1, stopped=lambda: bool(seen))
    assert len(list(images)) == finished
    assert len(seen) == min(patches, 1 + runner.BATCHES_AFTER_STOP)


def test_memory_does_not_grow_with_the_number_of_images(small_set: SmallSet) -> None:
    """In MiB: the pixels and patches of the further 280 images take 50; what is in flight varies with the threads."""
    peaks = []
    for images in (40, 320):
        records = repeated(small_set, images)
        tracemalloc.start()
        for _ in finished_images(small_set, records, workers=2):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1] / 2**20)
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 10


def test_polygons_and_uncompressed_rle_are_read(small_set: SmallSet) -> None:
    polygon = {"image_id": 1, "category_id": 7, "segmentation": [[10, 10, 60, 10, 60, 50, 10, 50]]}
    runs = {"image_id": 1, "category_id": 7, "segmentation": {"size": [120, 160], "counts": [600, 50, 120 * 160 - 650]}}
    assert refine(small_set, results=small_set.write("mixed.json", [polygon, runs]), model="identity") == 0
    first, second = output(small_set)
    assert decode_mask(first["segmentation"]).equals(decode_mask(polygon["segmentation"], (120, 160)))
    assert decode_mask(second["segmentation"]).equals(decode_mask(runs["segmentation"]))


BAD_RECORDS = {
    "unknown image_id": ({"image_id": 99}, "no image", "image_id 99: not in the annotation file"),
    "size of another image": ({"segmentation": {"size": [60, 80], "counts": "0"}}, "bad mask", "expected the image's 120x160"),
    "counts that do not add up": ({"segmentation": {"size": [120, 160], "counts": [5, 5]}}, "bad mask", "fill 120x160"),
    "empty mask": ({"segmentation": {"size": [120, 160], "counts": [120 * 160]}}, "empty mask", "the mask is empty"),
    "polygon with three numbers": ({"segmentation": [[1, 2, 3]]}, "bad mask", "polygon: expected"),
    "negative run": ({"segmentation": {"size": [120, 160], "counts": [19205, -5]}}, "bad mask", "fill 120x160"),
    "negative size": ({"segmentation": {"size": [-120, 160], "counts": "0"}}, "bad mask", "expected sides of 1..100000 pixels"),
    "absurd size": ({"segmentation": {"size": [10**9, 10**9], "counts": "0"}}, "bad mask", "expected sides of 1..100000 pixels"),
    "no segmentation": ({"segmentation": None}, "bad mask", "expected an RLE object or a list of polygons"),
}


@pytest.mark.parametrize("case", BAD_RECORDS)
def test_a_bad_record_stays_and_is_counted(small_set: SmallSet, capsys: pytest.CaptureFixture[str], case: str) -> None:
    change, reason, line = BAD_RECORDS[case]
    bad = {**small_set.records[1], **change}
    results = small_set.write("bad.json", [small_set.records[0], bad, *small_set.records[2:]])
    assert refine(small_set, results=results, model="identity") == 0
    printed = capsys.readouterr()
    assert output(small_set)[1] == bad
    assert printed.out.strip().splitlines()[-1].startswith(f"3 of 4 records refined; could not be refined: 1 {reason}")
    assert [text for text in printed.err.splitlines() if "kept as it was" in text and line in text and text.startswith("record 1:")]
    assert refine(small_set, "--strict", results=results, model="identity") == 1


@pytest.mark.parametrize("damage", ["missing", "undecodable", "empty"])
def test_a_bad_image_keeps_its_records(small_set: SmallSet, damage: str) -> None:
    image = small_set.images / "000001.png"
    image.unlink()
    if damage != "missing":
        image.write_bytes(b"no picture" if damage == "undecodable" else b"")
    assert refine(small_set) == 0
    refined = output(small_set)
    assert refined[:2] == small_set.records[:2]
    assert refined[2]["segmentation"] == small_set.document["annotations"][2]["segmentation"]


def test_zero_detections(small_set: SmallSet) -> None:
    assert refine(small_set, results=small_set.write("none.json", []), model="identity") == 0
    assert output(small_set) == []


FATAL = {
    "truncated JSON": ("[{", "not valid JSON"),
    "annotations without images": ('{"annotations": []}', "expected a COCO annotation file with an images list"),
    "a record without image_id": ('[{"segmentation": []}]', "record 0: expected an object with image_id and segmentation"),
}


@pytest.mark.parametrize("case", FATAL)
def test_a_wrong_file_is_one_line(small_set: SmallSet, capsys: pytest.CaptureFixture[str], case: str) -> None:
    text, message = FATAL[case]
    results = small_set.folder / "wrong.json"
    results.write_text(text)
    assert refine(small_set, results=results) == 1
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1
    assert not (small_set.folder / "out.json").exists()


@pytest.mark.parametrize("model", ["nonsense", "missing.onnx", "missing.pth"])
def test_a_missing_model_is_one_line(small_set: SmallSet, capsys: pytest.CaptureFixture[str], model: str) -> None:
    assert refine(small_set, model=model) == 1
    error = capsys.readouterr().err
    assert model in error
    assert len(error.splitlines()) == 1


def test_a_foreign_onnx_file_is_refused(small_set: SmallSet, capsys: pytest.CaptureFixture[str]) -> None:
    foreign = small_set.folder / "foreign.onnx"
    foreign.write_bytes(b"not a model")
    assert refine(small_set, model=str(foreign)) == 1
    assert "ONNX Runtime cannot load it" in capsys.readouterr().err


def test_a_problem_of_many_records_is_one_line(small_set: SmallSet, capsys: pytest.CaptureFixture[str]) -> None:
    annotations = [{**record, "id": 70 + n, "segmentation": [[1, 2, 3, 4, 5, 6, 7]]} for n, record in enumerate(small_set.records)]
    ann = small_set.write("polygons.json", {**small_set.document, "annotations": annotations})
    assert refine(small_set, results=ann, model="identity") == 1
    lines = [line for line in capsys.readouterr().err.splitlines() if "polygon" in line]
    assert [line.partition(": polygon")[0] for line in lines] == ["2 records (first: record id 70)", "2 records (first: record id 72)"]


def test_missing_folder_and_usage(small_set: SmallSet, capsys: pytest.CaptureFixture[str]) -> None:
    assert refine(small_set, images=small_set.folder / "nowhere") == 1
    assert "no such folder" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stop:
        main(["refine"])
    assert stop.value.code == 2


def test_real_detections_pass_through_identity(shared_data: Path, tmp_path: Path) -> None:
    for split, images, ann, count in (
        ("davis_val", "davis/val", "davis/annotations/instances_val.json", 405),
        ("coco_val2017", "coco/val2017", "coco/annotations/instances_val2017.json", 3000),  # of 10,814, which take long
    ):
        results, out = tmp_path / f"{split}.coarse.json", tmp_path / f"{split}.json"
        results.write_text(json.dumps(json.loads((shared_data / f"detections/{split}.segm.json").read_text())[:count]))
        options = ["--img-dir", str(shared_data / images), "--ann", str(shared_data / ann), "--model", "identity", "--out", str(out)]
        assert main(["refine", str(results), *options]) == 0
        before, after = json.loads(results.read_text()), json.loads(out.read_text())
        assert len(after) == count
        assert [r["segmentation"] for r in after] == [r["segmentation"] for r in before]
