"""The measure over many makers: its masks, its numbers on a toy set, and a run that adds to an earlier one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("scipy")
pytest.importorskip("skimage")

from benchmarks.studies import sources
from benchmarks.studies.source_makers import FINE_MAKERS, MAKERS, Place, made
from bpr.geometry.masks import BoxMask
from tests.conftest import SmallSet

FRAME = (80, 120)


def square() -> np.ndarray:
    mask = np.zeros(FRAME, bool)
    mask[20:60, 30:80] = True
    return mask


def of(name: str, mask: np.ndarray, identity: int = 1) -> np.ndarray:
    return {**MAKERS, **FINE_MAKERS}[name](mask, Place(0, 0, mask.shape), np.random.default_rng(identity))


def test_the_truth_stays_and_a_bias_is_three_pixels() -> None:
    assert np.array_equal(of("truth", square()), square())
    assert np.flatnonzero(of("3 px large", square())[40]).tolist() == list(range(27, 83))
    assert np.flatnonzero(of("3 px small", square())[40]).tolist() == list(range(33, 77))


def test_small_objects_get_finer_makers() -> None:
    assert np.flatnonzero(of("2 px large", square())[40]).tolist() == list(range(28, 82))
    assert np.flatnonzero(of("2 px small", square())[40]).tolist() == list(range(32, 78))
    dot = np.zeros(FRAME, bool)
    dot[20:28, 36:44] = True  # two cells of 4 px, and a quarter of each of four cells of 8 px
    assert (of("1/4 resolution", dot) & dot).sum() > (of("1/8 resolution", dot) & dot).sum()
    assert set(sources.FINE_MAKERS) == {"1/4 resolution", "2 px large", "2 px small"}


def test_cells_are_exact_where_the_object_fits_them() -> None:
    aligned = np.zeros((64, 64), bool)
    aligned[16:48, 8:40] = True
    assert np.array_equal(of("1/8 resolution", aligned), aligned) is False  # bilinear interpolation rounds the corners,
    assert np.array_equal(of("1/8 resolution", aligned)[32], aligned[32])  # and keeps straight sides where they are
    assert np.array_equal(of("28x28 head", square()), square())


def test_a_grid_is_that_of_the_image_and_not_of_the_window() -> None:
    mask = BoxMask.from_frame(square())
    shifted = np.roll(square(), 3, axis=1)
    assert not np.array_equal(
        np.roll(made("1/8 resolution", mask, 1).to_frame(), 3, axis=1), of("1/8 resolution", shifted)
    )
    assert made("1/8 resolution", mask, 1).equals(BoxMask.from_frame(of("1/8 resolution", square())))


def test_a_box_six_per_cent_too_small_leaves_nothing_beyond() -> None:
    # 40 rows and 50 columns: 1.2 and 1.5 px at either end, rounded up.
    expected = np.zeros(FRAME, bool)
    expected[22:58, 32:78] = True
    assert np.array_equal(of("cut at a box", square()), expected)


def test_thin_parts_go() -> None:
    armed = square()
    armed[38:40, 80:110] = True
    gone = of("thin parts gone", armed)
    assert not gone[:, 85:].any()
    assert gone[25:55, 35:75].all()


def test_specks_holes_clicks_and_strokes() -> None:
    spotted, clicked, painted = (of(name, square()) for name in ("holes and specks", "clicks", "brush strokes"))
    assert (square()[25:55, 35:75] & ~spotted[25:55, 35:75]).any()
    assert (spotted & ~square()).any()
    assert (clicked & ~square()).any()
    assert (square() & ~clicked).any()
    iou = painted & square()
    assert 0.5 < iou.sum() / (painted | square()).sum() < 0.95


def test_masks_depend_on_object_and_id_alone() -> None:
    mask = BoxMask.from_frame(square())
    for name in MAKERS:
        assert made(name, mask, 7).equals(made(name, mask, 7))
    assert not made("clicks", mask, 7).equals(made("clicks", mask, 8))


@pytest.mark.parametrize("fill", [(slice(None), slice(None)), (0, 0), (slice(79, 80), slice(50, 53))])
@pytest.mark.parametrize("name", [*MAKERS, *FINE_MAKERS])
def test_tiny_objects_and_one_that_fills_its_frame_are_survived(name: str, fill: tuple[object, object]) -> None:
    mask = np.zeros(FRAME, bool)
    mask[fill] = True
    assert made(name, BoxMask.from_frame(mask), 1).frame == FRAME


def test_what_is_still_missing_is_counted_inside_the_object() -> None:
    truth, coarse, refined = square(), square(), square()
    coarse[:, :50] = False  # 40 x 20 pixels are lacking,
    refined[:, :40] = False  # and half of them still
    refined[0, 0] = True
    masks = [BoxMask.from_frame(mask) for mask in (coarse, refined, truth)]
    assert sources.still_missing(*masks).tolist() == [800, 400]


def test_harm_is_counted_at_one_and_at_five_points() -> None:
    before = np.full((4, 4), 0.9)
    after = before + np.array([0.06, -0.005, -0.02, -0.06])[:, None]
    found = sources.summary(before, after, np.array([0, 0, 1, 1]), np.array([10, 5]))
    assert (found["harmed_1"], found["harmed_5"], found["improved_5"], found["still_missing"]) == (0.5, 0.25, 0.25, 0.5)
    low, high = found["IoU"]["change"][1:]
    assert low <= found["IoU"]["change"][0] <= high


def toy_data(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    small = SmallSet(folder / "set")
    shutil.copytree(small.images, folder / "images")
    shutil.copy(small.ann, folder / "ann.json")
    shutil.copy(small.results, folder / "segm.json")
    source = sources.Source("toy", "images", "ann.json", "segm.json")
    monkeypatch.setattr(sources, "SETS", {"toy": source, "bare": sources.Source("bare", "images", "ann.json")})
    return folder


def test_a_run_adds_to_an_earlier_one_of_the_same_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = toy_data(tmp_path, monkeypatch), tmp_path / "out"
    words = [str(data), "starter-fast", "--out", str(out), "--sets"]
    assert sources.main([*words, "toy", "bare", "--makers", sources.REAL, "truth"]) == 0
    assert sources.main([*words, "toy", "--makers", "3 px large"]) == 0
    result = json.loads((out / "starter-fast.json").read_text())
    found = result["sets"]
    assert {name: list(makers) for name, makers in found.items()} == {
        "toy": [sources.REAL, "truth", "3 px large"],
        "bare": ["truth"],
    }
    assert found["toy"]["truth"]["IoU"]["before"] == 1
    assert found["toy"]["truth"]["masks"] == 4
    assert found["toy"][sources.REAL]["IoU"]["before"] < 1
    lines = sources.table(result).splitlines()
    assert len(lines) == 2 + 4
    assert lines[2].startswith(f"| toy | {sources.REAL} | 4 |")
    assert len(capsys.readouterr().out.splitlines()) == 4


def test_only_the_images_that_are_asked_for_are_prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = toy_data(tmp_path, monkeypatch)
    document = json.loads((data / "ann.json").read_text())
    (first, second), annotations = document["images"], document["annotations"]
    other = next(one for one in annotations if one["image_id"] == second["id"])
    other["segmentation"] = {"size": [1, 1], "counts": "no RLE"}
    (data / "ann.json").write_text(json.dumps(document))
    split = sources.opened(data, sources.SETS["toy"], limit=1)
    assert [image["id"] for image in split.document["images"]] == [first["id"]]
    assert {record["image_id"] for record in split.records} == {first["id"]}
    assert len(split.pairs) == 2
