"""The official Cityscapes evaluation through our reading: the script's own numbers, without its breakages."""

from __future__ import annotations

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from bpr.cli.main import main
from bpr.errors import BPRError
from bpr.evaluation.cityscapes_official import official_precision
from bpr.formats.cityscapes import CityscapesTruth

pytest.importorskip("cityscapesscripts")

FRAME = (128, 256)
PERSON, CAR = 24, 26


def box(x: int, y: int, width: int, height: int) -> np.ndarray:
    mask = np.zeros(FRAME, bool)
    mask[y : y + height, x : x + width] = True
    return mask


class Tree:
    """gtFine and predictions in Cityscapes' layout."""

    def __init__(self, folder: Path) -> None:
        self.truth, self.predictions = folder / "gtFine" / "val", folder / "pred"
        self.predictions.mkdir(parents=True)

    def add(
        self,
        number: int,
        truths: list[tuple[int, np.ndarray]],
        found: list[tuple[int, float, np.ndarray]],
        void: int = 0,
    ) -> None:
        stem = f"aachen_{number:06d}_000019"
        ids = np.full(FRAME, 7, np.uint16)
        ids[:, :void] = 0
        for index, (label, mask) in enumerate(truths):
            ids[mask] = label if label < 0 or label >= 1000 else label * 1000 + index
        path = self.truth / "aachen" / f"{stem}_gtFine_instanceIds.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), ids)
        lines = []
        for index, (label, score, mask) in enumerate(found):
            cv2.imwrite(str(self.predictions / f"{stem}_{index}.png"), mask.astype(np.uint8) * 255)
            lines.append(f"{stem}_{index}.png {label} {score}\n")
        (self.predictions / f"{stem}_pred.txt").write_text("".join(lines))


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Thirty people and cars, found with errors of every size, on void too, some twice, some not at all."""
    tree, random = Tree(tmp_path), np.random.default_rng(4)
    for number in range(5):
        truths, found = [], []
        for place in range(6):
            label, size = (PERSON, CAR)[place % 2], 8 + 3 * place
            truth = (20 + 38 * place, 10 + 12 * number, size, size + 10)
            truths.append((label, box(*truth)))
            for _ in range(int(random.integers(0, 3))):
                x, y, width, height = truth
                dx, dy, dw = random.integers(0, 4, 3)
                found.append((label, float(random.random()), box(x + dx, y + dy, width + dw, height)))
        found.append((CAR, 0.9, box(0, 0, 18, 30)))
        tree.add(number, truths, found, void=20)
    return tree


def the_script(tree: Tree, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """Its own reading, lists, JSON and averages, in a folder where it may write."""
    from cityscapesscripts.evaluation import evalInstanceLevelSemanticLabeling as scripts

    monkeypatch.chdir(folder)
    args = scripts.args
    args.predictionPath, args.predictionWalk = str(tree.predictions), None
    args.gtInstancesFile, args.JSONOutput, args.quiet = str(folder / "gt.json"), False, True
    truths = sorted(str(path) for path in tree.truth.rglob("*.png"))
    averages = scripts.evaluateImgLists([scripts.getPrediction(truth, args) for truth in truths], truths, args)[
        "averages"
    ]
    classes = averages["classes"]
    return {
        "AP": averages["allAp"],
        "AP50": averages["allAp50%"],
        "AP/car": classes["car"]["ap"],
        "AP/person": classes["person"]["ap"],
    }


def test_the_numbers_are_the_scripts(tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "script").mkdir()
    theirs = the_script(tree, tmp_path / "script", monkeypatch)
    ours = official_precision(tree.predictions, tree.truth)
    assert {name: ours[name] for name in theirs} == pytest.approx(theirs)
    assert 0.1 < ours["AP"] < 0.9
    assert ours["AP/bus"] == -1


def test_nothing_is_written(tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    before = sorted(path for path in tmp_path.rglob("*"))
    official_precision(tree.predictions, tree.truth)
    assert sorted(path for path in tmp_path.rglob("*")) == before
    assert not os.listdir()


def test_numpy_keeps_its_names(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on numpy 2.4, where in1d is gone."""
    monkeypatch.delattr(np, "in1d", raising=False)
    assert official_precision(tree.predictions, tree.truth)["AP"] > 0
    assert not hasattr(np, "in1d")


def test_nothing_left_to_score_is_zero(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one car is missed, and the one prediction lies on void: the script as it is stops with an IndexError."""
    tree = Tree(tmp_path)
    tree.add(0, [(CAR, box(100, 50, 40, 30))], [(CAR, 0.9, box(0, 0, 30, 30))], void=60)
    with pytest.raises(IndexError):
        the_script(tree, tmp_path, monkeypatch)
    assert official_precision(tree.predictions, tree.truth)["AP"] == 0


@pytest.mark.parametrize(
    ("truths", "found", "expected"),
    [
        ([], [], -1),
        ([(CAR, box(100, 50, 40, 30))], [], 0),
        ([(CAR, box(0, 0, 256, 128))], [(CAR, 0.9, box(0, 0, 256, 128))], 1),  # the whole frame
        ([(CAR, box(9, 9, 1, 1))], [(CAR, 0.9, box(9, 9, 1, 1))], -1),  # one pixel is too small to count
        ([(CAR, box(100, 50, 40, 30))], [(CAR, 0.9, np.zeros(FRAME, bool))], 0),  # an empty mask
    ],
)
def test_degenerate_trees(tmp_path: Path, truths: list, found: list, expected: float) -> None:
    tree = Tree(tmp_path)
    tree.add(0, truths, found)
    assert official_precision(tree.predictions, tree.truth)["AP"] == expected


def test_what_is_missing_is_named(tree: Tree, tmp_path: Path) -> None:
    (tree.predictions / "aachen_000003_000019_pred.txt").unlink()
    with pytest.raises(BPRError, match="got none for aachen_000003_000019"):
        official_precision(tree.predictions, tree.truth)
    with pytest.raises(BPRError, match="expected Cityscapes truth"):
        official_precision(tree.predictions, tmp_path / "pred")


def test_the_truth_as_annotations(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    tree.add(0, [(CAR, box(10, 10, 20, 20)), (PERSON, box(60, 10, 9, 9))], [])
    ids = cv2.imread(str(next(tree.truth.rglob("*.png"))), -1)
    ids[100:110, 100:120] = CAR  # a group
    cv2.imwrite(str(next(tree.truth.rglob("*.png"))), ids)
    found = CityscapesTruth(tree.truth).document["annotations"]
    assert sorted((item["category_id"], item["iscrowd"], item["area"]) for item in found) == [
        (24, 0, 81),
        (26, 0, 400),
        (26, 1, 200),
    ]


def test_the_command_gives_both_kinds_of_numbers(
    tree: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.json"
    arguments = [
        "eval",
        str(tree.predictions),
        "--ann",
        str(tree.truth),
        "--before",
        str(tree.predictions),
        "--out",
        str(out),
    ]
    assert main(arguments) == 0
    rows = json.loads(out.read_text())["rows"]
    assert rows["AP/Cityscapes"]["value"] == official_precision(tree.predictions, tree.truth)["AP"]
    assert {
        "AP/Cityscapes car",
        "AP_S/COCO-style on Cityscapes",
        "BoundaryAP@0.005/COCO-style on Cityscapes",
        "IoU/matched",
    } <= rows.keys()
    assert "AP/COCO" not in rows
