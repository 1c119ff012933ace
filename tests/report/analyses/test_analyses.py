"""The analyses on small scenes: numbers by hand, pictures that are there, and the commands."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from bpr.cli.main import main
from bpr.evaluation.comparison import PairRow, size_of
from bpr.evaluation.pair_metrics import PAIR_METRICS
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import encode_mask
from bpr.report.analyses.failures import far_share, leak_share, reason
from bpr.report.analyses.gains import gains
from bpr.report.analyses.gallery import View
from tests.conftest import SmallSet
from tests.test_errors import turned_photo

FRAME = (120, 160)


def box(x: int, y: int, width: int, height: int) -> BoxMask:
    mask = np.zeros(FRAME, bool)
    mask[y : y + height, x : x + width] = True
    return BoxMask.from_frame(mask)


def union(*masks: BoxMask) -> BoxMask:
    return BoxMask.from_frame(np.any([mask.to_frame() for mask in masks], axis=0))


def row(before: float, after: float, area: float = 3600) -> PairRow:
    sides = ({metric.name: value for metric in PAIR_METRICS} for value in (before, after))
    return PairRow(1, 0, 1, 1, "a", 0.9, area, size_of(area), *sides)


def view(coarse: BoxMask, refined: BoxMask, truth: BoxMask, *neighbours: BoxMask) -> View:
    return View(row(0.9, 0.8, truth.area), np.zeros((*FRAME, 3), np.uint8), coarse, refined, truth, list(neighbours))


TRUTH = box(20, 20, 60, 60)


def test_a_small_object_is_tiny() -> None:
    assert reason(view(box(20, 20, 32, 31), box(20, 20, 20, 20), box(20, 20, 31, 31))) == "tiny"


def test_what_grew_on_a_neighbour_is_a_leak() -> None:
    # 10 columns of the neighbour were added (600 px), 2 of the own object lost (120 px): 600 / 720.
    seen = view(TRUTH, union(box(22, 20, 58, 60), box(80, 20, 10, 60)), TRUTH, box(80, 20, 30, 60))
    assert leak_share(seen) == pytest.approx(600 / 720)
    assert reason(seen) == "leak"


def test_a_mistake_that_grew_is_a_leak_without_a_neighbour() -> None:
    coarse = union(TRUTH, box(80, 40, 6, 10))
    grown = union(coarse, box(86, 40, 14, 10))
    assert reason(view(coarse, grown, TRUTH)) == "leak"
    # Of its own accord, away from any mistake: no leak.
    assert reason(view(coarse, union(coarse, box(20, 84, 40, 8)), TRUTH)) == "other"


def test_a_far_boundary() -> None:
    # The coarse mask ends 20 px before the truth does on one of four sides.
    coarse = box(20, 20, 40, 60)
    assert 0.2 < far_share(coarse, TRUTH) < 0.5
    assert reason(view(coarse, box(20, 20, 38, 60), TRUTH)) == "far boundary"
    assert far_share(TRUTH, TRUTH) == 0
    assert far_share(box(0, 0, 0, 0), TRUTH) == 1
    assert far_share(TRUTH, box(0, 0, 160, 120)) == 0  # no true boundary


def test_gains_by_the_iou_before() -> None:
    found = gains([row(0.55, 0.65), row(0.58, 0.52), row(1.0, 1.0)])
    assert [(gain.low, gain.high, gain.pairs) for gain in found] == [(0.5, 0.6, 2), (0.9, 1.0, 1), (0.5, 1.0, 3)]
    assert found[0].changes == pytest.approx({"iou": 0.02, "boundary_iou": 0.02, "boundary_f": 0.02})
    assert found[0].shares.improved == found[0].shares.harmed == 0.5


def harmed(small_set: SmallSet) -> Path:
    """Refined masks: two as the truth, one much too large, one as it was."""
    truths = [annotation["segmentation"] for annotation in small_set.document["annotations"]]
    huge = encode_mask(BoxMask.from_frame(cv2.circle(np.zeros(FRAME, np.uint8), (45, 50), 42, 1, -1)))
    masks = [huge, truths[1], truths[2], small_set.records[3]["segmentation"]]
    records = [{**record, "segmentation": mask} for record, mask in zip(small_set.records, masks, strict=True)]
    return small_set.write("refined.json", records)


@pytest.fixture
def analyze(small_set: SmallSet) -> Callable[..., dict[str, Any]]:
    """Run one analysis of a refined file; what its JSON holds, if it wrote one."""

    def run(name: str, out: Path, *options: str) -> dict[str, Any]:
        files = [str(harmed(small_set)), "--before", str(small_set.results)]
        files += ["--ann", str(small_set.ann), "--img-dir", str(small_set.images)]
        assert main(["analyze", name, *files, "--out", str(out), *options]) == 0
        return dict(json.loads(out.with_suffix(".json").read_text())) if out.with_suffix(".json").is_file() else {}

    return run


def test_scatter(analyze: Callable[..., dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    written = analyze("scatter", tmp_path / "scatter.json")
    assert written["gains"][-1]["pairs"] == 4
    assert written["files"] == {"results": "refined.json", "annotations": "instances.json", "before": "results.json"}
    assert "| all | 4 |" in capsys.readouterr().out
    assert cv2.imread(str(tmp_path / "scatter.png")).shape[0] > 300


def test_failures(analyze: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    written = analyze("failures", tmp_path / "failures.json")
    assert written["harmed_clearly"] == 1
    assert written["reasons"] == {"tiny": 0, "leak": 1, "far boundary": 0, "other": 0}
    assert [worst["record"] for worst in written["worst"]] == [0]
    assert cv2.imread(str(tmp_path / "failures.png")) is not None
    assert "1 of 4 pairs" in (tmp_path / "failures.md").read_text()


def test_patches_and_images(analyze: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    analyze("patches", tmp_path / "patches.png")
    assert cv2.imread(str(tmp_path / "patches.png")).shape[1] > 1000
    analyze("images", tmp_path / "images")
    assert sorted(path.name for path in (tmp_path / "images").iterdir()) == ["1.png", "2.png"]


def test_upper_bound(small_set: SmallSet, tmp_path: Path) -> None:
    out = tmp_path / "bound.json"
    files = [str(small_set.results), "--ann", str(small_set.ann), "--img-dir", str(small_set.images)]
    assert main(["analyze", "upper-bound", *files, "--out", str(out), "--reach", "1", "2", "inf"]) == 0
    written = json.loads(out.read_text())
    ious = [written["before"]["IoU/matched"], *(bound["numbers"]["IoU/matched"] for bound in written["bounds"])]
    # The coarse masks are the truth dilated by 2 px: what 1 px leaves, 2 px mend but for corners, whole patches all.
    assert ious == sorted(ious)
    assert ious[-1] == 1
    assert [bound["reach"] for bound in written["bounds"]] == [1, 2, None]
    assert "| inf |" in out.with_suffix(".md").read_text()


def test_timing(small_set: SmallSet, tmp_path: Path) -> None:
    out = tmp_path / "timing.json"
    files = [str(small_set.results), "--ann", str(small_set.ann), "--img-dir", str(small_set.images)]
    assert main(["analyze", "timing", *files, "--out", str(out), "--model", "identity"]) == 0
    written = json.loads(out.read_text())
    assert written["images"] == 2
    assert all(
        written["milliseconds"][name] > 0 for name in ("extraction", "network", "reassembly", "encoding and writing")
    )


def test_schemes(tmp_path: Path) -> None:
    assert main(["analyze", "schemes", "--out", str(tmp_path / "schemes.png")]) == 0
    assert cv2.imread(str(tmp_path / "schemes.png")) is not None


def test_nothing_to_look_at_is_one_line(
    small_set: SmallSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [
        str(small_set.results),
        "--before",
        str(small_set.results),
        "--ann",
        str(small_set.ann),
        "--img-dir",
        str(small_set.images),
    ]
    assert main(["analyze", "patches", *files, "--out", str(tmp_path / "p.png")]) == 1
    assert "expected masks that differ" in capsys.readouterr().err
    assert main(["analyze", "failures", *files, "--out", str(tmp_path / "f.json")]) == 0
    assert not (tmp_path / "f.png").exists()
    with pytest.raises(SystemExit):
        main(["analyze"])


def test_turned_photos_and_text_ids_give_the_same_pictures(
    small_set: SmallSet, analyze: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    analyze("images", tmp_path / "upright")
    for image in small_set.document["images"]:
        upright = small_set.images / image["file_name"]
        image["file_name"] = f"{image['id']}.jpg"
        turned_photo(small_set.images / image["file_name"], cv2.imread(str(upright)))
    small_set.write("instances.json", small_set.document)
    for record in small_set.records:
        record["image_id"] = str(record["image_id"])
    small_set.write("results.json", small_set.records)
    analyze("images", tmp_path / "turned")
    for name in ("1.png", "2.png"):
        first, second = (cv2.imread(str(tmp_path / folder / name)).astype(int) for folder in ("upright", "turned"))
        assert first.shape == second.shape
        assert np.abs(first - second).mean() < 15, "but for JPEG"


def test_a_photo_that_does_not_fit_is_one_line(small_set: SmallSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo = small_set.images / "000001.png"
    cv2.imwrite(str(photo), cv2.resize(cv2.imread(str(photo)), (320, 240)))
    files = [str(harmed(small_set)), "--before", str(small_set.results), "--ann", str(small_set.ann), "--img-dir", str(small_set.images)]
    assert main(["analyze", "patches", *files, "--out", str(tmp_path / "patches.png")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "000001.png: expected the masks' 120x160 pixels (height x width), got 240x320" in line
