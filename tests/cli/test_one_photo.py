"""``bpr refine photo.jpg mask.png``: one photo and one mask, without a results file."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from bpr.cli.main import main
from bpr.io.mask_picture import read_mask
from bpr.scenes import coarse_masks, paint_scene


@pytest.fixture
def coarse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """photo.jpg and mask.png in the current folder; returns the mask, (H, W) bool."""
    monkeypatch.chdir(tmp_path)
    scene = paint_scene(0, (150, 200))
    mask = coarse_masks(scene, "mask_head", 0)[0].to_frame()
    cv2.imwrite("photo.jpg", cv2.cvtColor(scene.image, cv2.COLOR_RGB2BGR))
    cv2.imwrite("mask.png", mask.astype(np.uint8) * 255)
    return mask


def refine(*words: str, model: str = "identity") -> int:
    return main(["refine", *words, "--model", model])


def test_a_photo_and_its_mask(coarse: np.ndarray, capsys: pytest.CaptureFixture[str]) -> None:
    assert refine("photo.jpg", "mask.png", "--out", "refined.png", model="starter-fast") == 0
    refined = read_mask("refined.png")
    assert 0 < np.count_nonzero(refined != coarse) < coarse.sum() / 2
    printed = capsys.readouterr()
    assert "1 of 1 records refined; could not be refined: none; verdict: 0 changed as proposed, 1 in part, 0 not at all" in printed.out
    assert printed.out.endswith(" -> refined.png\n")
    assert "format" not in printed.err
    assert refine("mask.png", "--image", "photo.jpg", "--out", "again.png", model="starter-fast") == 0
    assert Path("again.png").read_bytes() == Path("refined.png").read_bytes()


@pytest.mark.parametrize(
    ("mask", "out", "written"),
    [
        ("mask.png", "refined.tif", "refined.tif"),
        ("mask.png", "new/", "new/mask.png"),
        ("mask.jpg", "new/", "new/mask.png"),
        ("mask.tif", "new/", "new/mask.tif"),
        ("mask.jpg", "refined.png", "refined.png"),
    ],
)
def test_the_name_of_the_output(coarse: np.ndarray, mask: str, out: str, written: str) -> None:
    cv2.imwrite(mask, coarse.astype(np.uint8) * 255)
    assert refine("photo.jpg", mask, "--out", out) == 0
    assert Path(written).read_bytes()[:2] == (b"II" if written.endswith("tif") else b"\x89P")
    assert np.array_equal(read_mask(written), coarse)


def test_the_mask_may_be_paint_on_a_transparent_layer(coarse: np.ndarray) -> None:
    paint = np.dstack([np.full((*coarse.shape, 3), (0, 0, 255), np.uint8), coarse.astype(np.uint8) * 255])
    cv2.imwrite("mask.png", paint)
    assert refine("photo.jpg", "mask.png", "--out", "refined.png") == 0
    assert np.array_equal(read_mask("refined.png"), coarse)


@pytest.mark.parametrize("name", ["cutout.png", "cutout.tiff"])
def test_a_cutout(coarse: np.ndarray, name: str) -> None:
    assert refine("photo.jpg", "mask.png", "--out", "refined.png", "--cutout", name, model="starter-fast") == 0
    layer = cv2.imread(name, cv2.IMREAD_UNCHANGED)
    assert np.array_equal(layer[..., :3], cv2.imread("photo.jpg"))
    assert np.array_equal(layer[..., 3], read_mask("refined.png") * np.uint8(255))
    assert np.array_equal(read_mask(name), read_mask("refined.png"))


REFUSED = {
    "photo.jpg mask.png --out refined.jpg": (1, "refined.jpg: expected a .png or .tif to write a mask, got .jpg"),
    "photo.jpg mask.png --out refined.png --cutout c.jpg": (1, "c.jpg: expected a .png or .tif to write a mask, got .jpg"),
    "photo.jpg mask.png --out a.png --cutout ./a.png": (2, "expected a place of its own for every output"),
    "photo.jpg mask.png --out . --cutout mask.png": (2, "which would be overwritten"),
    "photo.jpg mask.png --out new/ --cutout new/mask.png": (2, "expected another file than --out"),
    "mask.png --img-dir . --out a.png --cutout c.png": (2, "--cutout: expected one photo and one mask"),
    "photo.jpg mask.png --img-dir . --out a.png": (2, "expected the photo once, got photo.jpg before the mask and . as --img-dir"),
    "photo.jpg mask.png mask.png --out a.png": (2, "expected masks, or one photo and one mask, got photo.jpg and mask.png and mask.png"),
    ". mask.png --out a.png": (2, "name a folder of images by --img-dir"),
    "photo.jpg results.json --out a.png": (2, "name a folder of images by --img-dir"),
    "none.jpg mask.png --out a.png": (1, "none.jpg: no such file; expected a photo"),
    "photo.jpg none.png --out a.png": (1, "none.png: no such file; expected a mask or a label map"),
    "mask.png photo.jpg --out a.png": (1, "photo.jpg: expected a mask, got a picture of many colours; is it the photo?"),
    "photo.jpg mask.png --out ./": (1, "mask.png, which would be overwritten"),
    "photo.jpg mask.png --out photo.jpg": (2, "photo.jpg, which would be overwritten"),
    "photo.jpg small.png --out a.png": (
        1,
        "small.png: mask size: expected the image's 150x200 (height x width), got 50x60; nothing was written",
    ),
    "mask.png --out a.png": (1, "mask.png: expected a photo with the mask, got none; bpr refine PHOTO mask.png names it"),
}


@pytest.mark.parametrize("words", REFUSED)
@pytest.mark.usefixtures("coarse")
def test_other_words_are_one_line(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    cv2.imwrite("small.png", np.eye(50, 60, dtype=np.uint8) * 255)
    before = Path("photo.jpg").read_bytes(), Path("mask.png").read_bytes()
    code, line = REFUSED[words]
    assert refine(*words.split()) == code
    assert line in capsys.readouterr().err
    assert (Path("photo.jpg").read_bytes(), Path("mask.png").read_bytes()) == before
    assert {path.name for path in Path().iterdir()} == {"photo.jpg", "mask.png", "small.png"}


@pytest.mark.usefixtures("coarse")
def test_a_mask_of_the_whole_photo_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    cv2.imwrite("mask.png", np.full((150, 200), 255, np.uint8))
    assert refine("photo.jpg", "mask.png", "--out", "refined.png") == 0
    assert "1 of 1 masks cover their whole image (first: mask); is it a mask" in capsys.readouterr().err


@pytest.mark.parametrize("listed", [True, False])
def test_results_of_another_image_leave_no_file(coarse: np.ndarray, listed: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """One photo, and an annotation file or results whose masks have the size of another image."""
    polygon = {"id": 1, "image_id": 5, "category_id": 1, "segmentation": [[2, 2, 40, 2, 40, 40]]}
    images = [{"id": 5, "file_name": "other.jpg", "width": 60, "height": 80}]
    rle = {"image_id": 5, "category_id": 1, "score": 0.9, "segmentation": {"size": [80, 60], "counts": [100, 100, 4600]}}
    Path("masks.json").write_text(json.dumps({"images": images, "annotations": [polygon], "categories": [{"id": 1}]} if listed else [rle]))
    assert refine("masks.json", "--image", "photo.jpg", "--out", "out.json") == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("bpr refine: masks.json: ")
    assert "80x60" in line
    assert "150x200" in line
    assert line.endswith("; nothing was written")
    assert {path.name for path in Path().iterdir()} == {"photo.jpg", "mask.png", "masks.json"}
