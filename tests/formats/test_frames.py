"""Polygons have the frame of the images list, as RLEs have their own: photos that are turned, resized or padded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from bpr.cli.main import main
from bpr.formats.photos import read_photo
from bpr.geometry.rle import decode_mask, encode_mask
from bpr.io.image_finder import ImageFolder
from tests.test_errors import turned_photo

FRAME = (120, 160)
SQUARE = [[95, 25, 141, 25, 141, 81, 95, 81]]
BOX = (95, 25, 141, 81)
UNKNOWN = [{"width": -1, "height": -1}, {"width": 0, "height": 0}, {"width": None, "height": None}, {}]


def pixels() -> np.ndarray:
    """A bright square where the mask is, on a dark photo."""
    image = np.random.default_rng(0).integers(0, 60, (*FRAME, 3), np.uint8)
    image[25:81, 95:141] += 160
    return image


def written(folder: Path, segmentations: list[Any], size: dict[str, Any], name: str = "p.jpg") -> Path:
    document = {
        "images": [{"id": 1, "file_name": name, **size}],
        "annotations": [
            {"id": n, "image_id": 1, "category_id": 1, "iscrowd": 0, "area": 1, "segmentation": one} for n, one in enumerate(segmentations)
        ],
        "categories": [{"id": 1, "name": "box"}],
    }
    path = folder / "ann.json"
    path.write_text(json.dumps(document))
    return path


def refine(folder: Path, ann: Path, model: str = "starter-fast") -> tuple[int, list[dict[str, Any]]]:
    out = folder / "out.json"
    code = main(["refine", str(ann), "--img-dir", str(folder), "--model", model, "--caution", "0", "--out", str(out)])
    return code, json.loads(out.read_text())["annotations"]


def rle() -> dict[str, Any]:
    return encode_mask(decode_mask(SQUARE, FRAME))


SIZE = {"width": 160, "height": 120}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kinds", [["rle"], ["polygon"], ["polygon", "rle"]])
def test_masks_of_the_listed_size_find_the_photo_as_it_is_stored(tmp_path: Path, orientation: int, kinds: list[str]) -> None:
    """Turns that keep the size (1 to 4) cannot be told by it: the photo is read as its tag says, as viewers show it."""
    turned_photo(tmp_path / "p.jpg", pixels(), orientation)
    masks = [rle() if kind == "rle" else SQUARE for kind in kinds]
    code, refined = refine(tmp_path, written(tmp_path, masks, SIZE))
    assert code == 0
    for annotation in refined:
        mask = decode_mask(annotation["segmentation"], FRAME)
        if orientation not in (2, 3, 4):
            assert abs(mask.area - 56 * 46) < 60
            assert np.abs(np.subtract(mask.box, BOX)).max() <= 1


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_masks_of_the_turned_size_find_the_turned_photo(tmp_path: Path, orientation: int) -> None:
    stored = {5: pixels().transpose(1, 0, 2), 6: np.rot90(pixels()), 7: np.rot90(pixels().transpose(1, 0, 2), 2), 8: np.rot90(pixels(), -1)}
    turned_photo(tmp_path / "p.jpg", np.ascontiguousarray(stored[orientation]), orientation)
    for masks in ([SQUARE], [rle()]):
        _, (annotation,) = refine(tmp_path, written(tmp_path, masks, SIZE))
        assert abs(annotation["area"] - 56 * 46) < 60


@pytest.mark.parametrize("size", UNKNOWN)
def test_polygons_of_an_unknown_size_have_that_of_the_photo(tmp_path: Path, size: dict[str, Any]) -> None:
    cv2.imwrite(str(tmp_path / "p.jpg"), pixels())
    code, (annotation,) = refine(tmp_path, written(tmp_path, [SQUARE], size))
    assert code == 0
    assert np.abs(np.subtract(decode_mask(annotation["segmentation"], FRAME).box, BOX)).max() <= 1


@pytest.mark.parametrize("frame", [(240, 320), (60, 80), (121, 160), (120, 161)])
@pytest.mark.parametrize("kind", ["rle", "polygon"])
def test_a_photo_of_another_size_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], frame: tuple[int, int], kind: str
) -> None:
    cv2.imwrite(str(tmp_path / "p.jpg"), cv2.resize(pixels(), frame[::-1]))
    ann = written(tmp_path, [rle() if kind == "rle" else SQUARE], SIZE)
    assert refine(tmp_path, ann, "identity") == (1, json.loads(ann.read_text())["annotations"])
    printed = capsys.readouterr()
    assert "120x160" in printed.err
    assert f"{frame[0]}x{frame[1]}" in printed.err
    assert printed.out.splitlines()[-1].startswith("0 of 1 records refined; could not be refined: 1 bad mask")


def test_an_rle_decides_where_the_list_is_wrong(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "p.jpg"), pixels())
    code, (annotation,) = refine(tmp_path, written(tmp_path, [rle()], {"width": 120, "height": 160}))
    assert (code, annotation["segmentation"]["size"]) == (0, [120, 160])


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".png", ".tif"])
@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_the_frame_decides_whatever_the_file(tmp_path: Path, suffix: str, orientation: int) -> None:
    """Written by Pillow, whose EXIF all these formats hold."""
    image = pytest.importorskip("PIL.Image")
    exif = image.Exif()
    exif[0x0112] = orientation
    image.fromarray(pixels()).save(tmp_path / f"p{suffix}", exif=exif)
    entries = [{"id": 1, "file_name": f"p{suffix}", **SIZE}]
    photo = read_photo(ImageFolder(tmp_path, entries), 1, [SQUARE])
    assert photo.frame == FRAME
    assert photo.mask(SQUARE).box == BOX
    inside = photo.pixels[30:76, 100:136].mean()
    assert inside > 150 > 60 > photo.pixels[:, :90].mean()


def test_one_photo_for_all_has_the_frame_of_the_list(tmp_path: Path) -> None:
    turned_photo(tmp_path / "p.jpg", pixels())
    ann, out = written(tmp_path, [SQUARE], SIZE), tmp_path / "out.json"
    arguments = [str(ann), "--img-dir", str(tmp_path / "p.jpg"), "--model", "starter-fast", "--caution", "0", "--out", str(out)]
    assert main(["refine", *arguments]) == 0
    segmentation = json.loads(out.read_text())["annotations"][0]["segmentation"]
    assert np.abs(np.subtract(decode_mask(segmentation, FRAME).box, BOX)).max() <= 1


def test_results_with_polygons_have_the_frame_of_the_list(tmp_path: Path) -> None:
    turned_photo(tmp_path / "p.jpg", pixels())
    ann = written(tmp_path, [], SIZE)
    results = tmp_path / "results.json"
    results.write_text(json.dumps([{"image_id": "1", "category_id": 1, "score": 0.5, "segmentation": SQUARE}]))
    out = ["--caution", "0", "--out", str(tmp_path / "out.json")]
    assert main(["refine", str(results), "--ann", str(ann), "--img-dir", str(tmp_path), "--model", "starter-fast", *out]) == 0
    (record,) = json.loads((tmp_path / "out.json").read_text())
    assert abs(decode_mask(record["segmentation"], FRAME).area - 56 * 46) < 60


def test_a_mask_of_a_box_alone_keeps_its_form(tmp_path: Path) -> None:
    """The identity writes every annotation back as it was, polygons with stray points included."""
    cv2.imwrite(str(tmp_path / "p.jpg"), pixels())
    ann = written(tmp_path, [[*SQUARE, [10, 10, 12, 12]], [*SQUARE, []], SQUARE], SIZE)
    code, after = refine(tmp_path, ann, "identity")
    assert (code, after) == (0, json.loads(ann.read_text())["annotations"])


