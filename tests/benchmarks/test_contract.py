"""The contract of benchmarks/README.md, and that the old procedure is a fair one."""

from pathlib import Path

import numpy as np

from benchmarks.inputs import street_scene, write_street_scenes
from benchmarks.measuring import Ratio, Timing, in_turn, report_table, row, suite_report
from benchmarks.studies.parity import merged
from benchmarks.suites import old_procedure
from bpr.formats.coco import read_results
from bpr.geometry.options import PatchSpec, RefineOptions
from bpr.geometry.rle import decode_mask
from bpr.io.image_finder import ImageFolder
from bpr.refinement.predictor import PatchBatch
from bpr.refinement.refiner import Refiner
from bpr.refinement.runner import refine_records


def brightness(patches: np.ndarray) -> np.ndarray:
    return patches[..., 0].astype(np.float32) / 255


class Brightness:
    """P(foreground) is how bright a pixel is: an answer that depends on the image alone."""

    spec, recommended = PatchSpec(side=32, inputs=("rgb", "mask", "evidence")), RefineOptions(cover_margin=0)
    batch_size = 8

    def predict(self, batch: PatchBatch) -> np.ndarray:
        return brightness(batch.patches)


def test_the_old_procedure_gives_our_masks(tmp_path: Path) -> None:
    records = read_results(write_street_scenes(tmp_path, [street_scene(1, instances=4, frame=(160, 240), size=25)]))
    side, nms_iou = Brightness.spec.side, Brightness.recommended.nms_iou
    old_procedure.extract(records, tmp_path, tmp_path / "old", side, nms_iou)
    old_procedure.predict(tmp_path / "old", brightness)
    old = old_procedure.reassemble(records, tmp_path / "old")
    new, _ = refine_records(records, ImageFolder(tmp_path), Refiner(Brightness()))
    pairs = [
        tuple(decode_mask(side["segmentation"]).to_frame() for side in both) for both in zip(old, new, strict=True)
    ]
    assert len(pairs) == 4
    # Ours adds patches where suppression left boundary pixels bare.
    assert all(np.mean(a != b) < 0.01 for a, b in pairs)
    assert any(
        not np.array_equal(a, decode_mask(r["segmentation"]).to_frame())
        for (a, _), r in zip(pairs, records, strict=True)
    )


def test_scenes_are_the_same_every_time() -> None:
    (image, masks), (again, others) = street_scene(3, 2, (64, 96), 10), street_scene(3, 2, (64, 96), 10)
    assert np.array_equal(image, again)
    assert np.array_equal(masks, others)
    assert masks.shape == (2, 64, 96)
    assert masks.any()


def test_sides_run_in_turn_after_one_run_that_is_not_counted() -> None:
    calls: list[str] = []
    spent = in_turn({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, repeats=2)
    assert calls == ["a", "b", "a", "b", "a", "b"]
    assert {name: len(seconds) for name, seconds in spent.items()} == {"a": 2, "b": 2}


def report() -> dict:
    timing = Timing.of([4.0, 2.0, 6.0], per=2)
    return suite_report("io", [row("read", timing, patches=7)], [Ratio("ours", 12.5, 20), Ratio("theirs", 3.0)])


def test_a_report_says_what_was_missed() -> None:
    assert list(report()) == ["schema", "suite", "command", "settings", "provenance", "rows", "ratios"]
    text = report_table(report())
    assert "| read | 2000.0 | 1500.0 .. 2500.0 | 3 | 7 |" in text
    assert "- ours: 12.5 times (target 20: **missed**)" in text
    assert "- theirs: 3.00 times" in text


def test_a_row_that_is_measured_again_keeps_its_place() -> None:
    known = {"1": {"model": "a", "backends": {"torch": 1}}, "2": {"model": "b", "backends": {}}}
    again = merged(known, "1", {"model": "a", "backends": {"openvino": 2}})
    assert list(again.items()) == [("1", {"model": "a", "backends": {"torch": 1, "openvino": 2}}), ("2", known["2"])]
    assert list(merged(known, "3", {"model": "a", "backends": {}})) == ["3", "2"]
    assert list(merged(known, "3", {"model": "c", "backends": {}})) == ["1", "2", "3"]
