"""Unusual and wrong arrays, images and folders: what is refined all the same, and the one line where nothing can be."""

from __future__ import annotations

import copy
import json
import os
import re
import struct
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

import bpr
from bpr.cli.main import main
from bpr.errors import BadImage, BadInput, BadMask, BPRError, install_hint
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import encode_mask
from bpr.io.images import read_image
from bpr.io.png import encode_png
from bpr.refinement.refiner import Refiner
from tests.conftest import SmallSet

FRAME = (60, 80)
IMAGE = np.random.default_rng(0).integers(0, 256, (*FRAME, 3), np.uint8)
MASK = np.zeros(FRAME, bool)
MASK[20:40, 20:50] = True


@pytest.fixture
def refiner() -> Refiner:
    return bpr.load("identity")


def refine(data: SmallSet, *options: str, ann: Path | None = None, results: Path | None = None, out: str = "out.json") -> int:
    files = [str(results or data.results), "--img-dir", str(data.images), "--ann", str(ann or data.ann), "--out", str(data.folder / out)]
    return main(["refine", *files, "--model", "identity", *options])


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    (line,) = capsys.readouterr().err.strip().splitlines()
    return line


NO_INPUTS = {
    "no image": (None, MASK, BadImage, r"image: expected .*, got no image \(None\); was the file found\?"),
    "no masks": (IMAGE, None, BadInput, r"masks: expected the masks of the image, got None; was their file found\?"),
    "a file that is not there": ("nowhere.png", MASK, BadImage, "nowhere.png: cannot read the image"),
    "bytes of another kind": (b"GIF89a", MASK, BadImage, "image: not an image that OpenCV can decode; expected PNG, JPEG"),
    "no bytes": (b"", MASK, BadImage, "image: not an image that OpenCV can decode; expected PNG, JPEG"),
    "pixels of another kind": (IMAGE > 9, MASK, BadInput, "image: expected"),
    "masks of another size": (IMAGE, MASK.T, BadInput, "masks: expected"),
    "a photo that is cut": (encode_png(IMAGE)[:300], MASK, BadImage, "image: expected a whole image, got one that is cut"),
    "an open photo": (BytesIO(encode_png(IMAGE)), MASK, BadInput, r"a file or its bytes.*, got BytesIO; its read\(\) gives"),
    "an object": (IMAGE, object(), BadInput, "the file of a mask or its bytes.*, got object; "),
    "an open mask": (IMAGE, BytesIO(b""), BadInput, r"masks: .*, got BytesIO; its read\(\) gives the bytes"),
    "a mask file that is not there": (IMAGE, "mask", BadMask, r"mask: cannot read the mask \(No such file"),
    "one of several mask files": (IMAGE, ["mask"], BadMask, r"mask: cannot read the mask \(No such file"),
    "a mask file that is cut": (IMAGE, encode_png(IMAGE)[:300], BadMask, "mask: expected a whole PNG, got one that is cut"),
    "an RLE that is damaged": (IMAGE, [{"size": [60, 80], "counts": "~"}], BadMask, "RLE counts"),
    "a result without masks": (IMAGE, SimpleNamespace(xyxy=np.zeros((1, 4)), mask=None), BadInput, "Detections: expected masks"),
}


@pytest.mark.parametrize("case", NO_INPUTS)
def test_what_a_caller_passes_wrongly_is_one_kind_of_error(refiner: Refiner, case: str) -> None:
    image, masks, kind, line = NO_INPUTS[case]
    with pytest.raises(bpr.BadInput, match=line) as caught:
        refiner(image, masks)
    assert type(caught.value) is kind
    assert isinstance(caught.value, (bpr.BPRError, ValueError))


def test_what_is_no_fault_of_the_caller_is_another() -> None:
    with pytest.raises(BPRError, match="nonsense") as caught:
        bpr.load("nonsense")
    assert not isinstance(caught.value, bpr.BadInput)


@pytest.mark.parametrize("name", ["BPRError", "BadImage", "BadInput", "BadMask", "BadUsage", "Unfinished"])
def test_errors_come_from_the_package(name: str) -> None:
    assert issubclass(getattr(bpr, name), bpr.BPRError)
    assert name in bpr.__all__


@pytest.mark.parametrize("error", [BadImage("photo.png: no"), bpr.Unfinished("out.json", "interrupted")], ids=repr)
def test_an_error_reaches_another_process(error: BPRError) -> None:
    """A pool pickles what its workers raise; a copy is made of the same parts."""
    again = copy.copy(error)
    assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))


# Arrays.


OTHER_IMAGES = [
    (IMAGE.astype(complex), "(60, 80, 3) complex128"),
    (IMAGE > 9, "(60, 80, 3) bool"),
    (IMAGE[..., :2], "(60, 80, 2) uint8"),
    (np.dstack([IMAGE, IMAGE]), "(60, 80, 6) uint8"),
    (np.moveaxis(IMAGE, 2, 0), "(3, 60, 80) uint8"),
    (IMAGE[None], "(1, 60, 80, 3) uint8"),
]


@pytest.mark.parametrize(("image", "seen"), OTHER_IMAGES)
def test_image_arrays_of_other_kinds(refiner: Refiner, image: np.ndarray, seen: str) -> None:
    with pytest.raises(ValueError, match=rf"image: expected \(H, W, 3\) uint8 RGB, .*, got .*{re.escape(seen)}.*convert it"):
        refiner(image, MASK)


@pytest.mark.parametrize("shape", [(1, 60, 81), (80, 60), (60,), (1, 1, 61, 80)])
def test_masks_of_another_size(refiner: Refiner, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"masks: expected \(N, 60, 80\) as the image, got .*; resize one to the other"):
        refiner(IMAGE, np.zeros(shape, bool))


@pytest.mark.parametrize("shape", [(60, 80, 1), (1, 2, 60, 80)])
def test_masks_with_their_axes_in_another_order(refiner: Refiner, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"masks: expected \(N, 60, 80\) as the image, got .*; the axis of the masks comes first"):
        refiner(IMAGE, np.zeros(shape, bool))


def test_an_rle_of_another_size(refiner: Refiner) -> None:
    with pytest.raises(BPRError, match=r"mask size: expected the image's 60x80 \(height x width\), got 80x60"):
        refiner(IMAGE, [encode_mask(BoxMask.from_frame(MASK.T))])


@pytest.mark.parametrize("value", [np.nan, np.inf, -0.1, 255.0])
def test_soft_masks_that_are_no_probabilities(refiner: Refiner, value: float) -> None:
    soft = MASK.astype(np.float32)
    soft[0, 0] = value
    with pytest.raises(ValueError, match=r"masks: mask 0: expected probabilities in \[0, 1\], got .*"):
        refiner(IMAGE, soft)


SEVERAL = [(MASK * 3 - MASK.cumsum(0) % 2)[None], -MASK.astype(np.int8), (MASK * (np.arange(80) // 40 * 199 + 1).astype(np.uint8))[None]]


@pytest.mark.parametrize("masks", SEVERAL)
def test_integers_of_several_values(refiner: Refiner, masks: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"masks: mask 0: expected 0 and one positive value, got several in .*; pass a label map as"):
        refiner(IMAGE, masks)


def test_integers_that_rise_are_a_grey_mask(refiner: Refiner) -> None:
    slope = (MASK * np.arange(80) * 3).astype(np.uint8)
    assert np.array_equal(refiner(IMAGE, slope) > 0, slope > 127)


@pytest.mark.parametrize("dtype", [complex, object, "U1"])
def test_masks_of_no_number(refiner: Refiner, dtype: Any) -> None:
    with pytest.raises(ValueError, match="masks: expected bool, integers or floats, got"):
        refiner(IMAGE, MASK.astype(dtype))


@pytest.mark.parametrize("kind", ["dense", "grid", "instance"])
@pytest.mark.parametrize("shape", [(60, 80), (64, 64), (5, 7), (1, 1)])
def test_no_instance_one_pixel_and_the_whole_frame(kind: Any, shape: tuple[int, int]) -> None:
    image, refiner = np.zeros((*shape, 3), np.uint8), bpr.load("identity", scheme=kind)
    pixel = np.zeros((1, *shape), bool)
    pixel[0, -1, -1] = True
    for masks in (pixel[:0], pixel, np.ones((1, *shape), bool), np.zeros((1, *shape), bool)):
        assert np.array_equal(refiner(image, masks), masks)


@pytest.mark.parametrize("kind", ["dense", "grid", "instance"])
def test_an_image_30_000_pixels_wide(kind: Any) -> None:
    masks = np.zeros((2, 70, 30_000), bool)
    masks[0, 20:50, 29_900:29_990] = True
    masks[1, 30:60, 50:29_950] = True
    assert np.array_equal(bpr.load("identity", scheme=kind)(np.zeros((70, 30_000, 3), np.uint8), masks), masks)


# Image files.


def written(path: Path, pixels: np.ndarray) -> Path:
    """Pixels as an image file of any name."""
    path.write_bytes(cv2.imencode(path.suffix, pixels)[1].tobytes())
    return path


def test_16_bits_become_8(tmp_path: Path) -> None:
    deep = (IMAGE.astype(np.uint16) << 8) | 0x7F
    assert np.array_equal(read_image(written(tmp_path / "deep.png", deep[..., ::-1])), IMAGE)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_grey_becomes_rgb(tmp_path: Path, dtype: type) -> None:
    grey = IMAGE[..., 0].astype(dtype) * (257 if dtype is np.uint16 else 1)
    assert np.array_equal(read_image(written(tmp_path / "grey.png", grey)), np.repeat(IMAGE[..., :1], 3, axis=2))


def test_transparency_is_dropped(tmp_path: Path) -> None:
    alpha = np.dstack([IMAGE[..., ::-1], IMAGE[..., 0]])
    assert np.array_equal(read_image(written(tmp_path / "alpha.png", alpha)), IMAGE)


def test_cmyk_becomes_rgb(tmp_path: Path) -> None:
    pictures = pytest.importorskip("PIL.Image")
    red = pictures.new("RGB", (32, 24), (220, 30, 40))
    red.convert("CMYK").save(tmp_path / "press.jpg", quality=95)
    assert np.abs(read_image(tmp_path / "press.jpg").astype(int) - (220, 30, 40)).max() <= 6


@pytest.mark.parametrize("name", ["Straße 東京 🚗.png", "two  spaces .png", "a'b\"c.png", "..dots.png"])
def test_any_file_name(small_set: SmallSet, name: str) -> None:
    (small_set.images / "000001.png").rename(small_set.images / name)
    small_set.document["images"][0]["file_name"] = name
    out = "Ausgabe für Ä/out put.json"
    assert refine(small_set, "--strict", ann=small_set.write("täg.json", small_set.document), out=out) == 0
    assert len(json.loads((small_set.folder / out).read_text())) == 4


def turned_photo(path: Path, pixels: np.ndarray, orientation: int = 6) -> Path:
    """A JPEG that asks to be turned (6: clockwise by 90 degrees): the tag goes right behind the start of the file."""
    jpeg = cv2.imencode(".jpg", pixels)[1].tobytes()
    tiff = b"MM\x00*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    exif = b"Exif\x00\x00" + tiff
    path.write_bytes(jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:])
    return path


def test_a_turned_photo_follows_its_masks(tmp_path: Path, refiner: Refiner) -> None:
    stored = np.zeros((*FRAME, 3), np.uint8)
    stored[:, 40:] = 255
    path = turned_photo(tmp_path / "phone.jpg", stored)
    turned = read_image(path)
    assert turned.shape == (80, 60, 3), "as the tag says"
    assert turned[70, 30, 0] > 250 > 5 > turned[10, 30, 0]
    assert read_image(path, FRAME).shape == (60, 80, 3), "as the masks say"
    assert read_image(path, (10, 10)).shape == (80, 60, 3)
    for masks in (MASK, MASK.T, [encode_mask(BoxMask.from_frame(MASK))]):
        refined = refiner(path, masks)
        assert np.array_equal(refined, masks)
    with pytest.raises(ValueError, match=r"expected \(N, 80, 60\)"):
        refiner(path, np.zeros((10, 10), bool))


@pytest.mark.parametrize("frame", [(120, 160), (160, 120)])
def test_a_turned_photo_in_a_run(small_set: SmallSet, frame: tuple[int, int]) -> None:
    turned_photo(small_set.images / "phone.jpg", np.zeros((120, 160, 3), np.uint8))
    mask = np.zeros(frame, bool)
    mask[50:90, 50:90] = True
    record = {"image_id": "phone", "category_id": 1, "segmentation": encode_mask(BoxMask.from_frame(mask))}
    results, out = small_set.write("phone.json", [record]), small_set.folder / "out.json"
    assert main(["refine", str(results), "--img-dir", str(small_set.images), "--model", "identity", "--out", str(out), "--strict"]) == 0


@pytest.mark.parametrize(("content", "message"), [(None, "cannot read the image"), (b"", "not an image"), (b"GIF", "not an image")])
def test_files_that_are_no_images(tmp_path: Path, refiner: Refiner, content: bytes | None, message: str) -> None:
    path = tmp_path / "photo.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadImage, match=rf"photo\.png: {message}"):
        refiner(path, MASK)


def test_an_image_beyond_the_limits(tmp_path: Path) -> None:
    png = bytearray(cv2.imencode(".png", IMAGE)[1].tobytes())
    png[16:24] = struct.pack(">II", 2_000_000, 2_000_000)
    (tmp_path / "bomb.png").write_bytes(png)
    with pytest.raises(BadImage, match=r"expected an image of 1\.\.536870912 pixels, got 2000000x2000000; cut it into tiles"):
        read_image(tmp_path / "bomb.png")


# Folders and annotation files.


@pytest.mark.parametrize("name", ["../secret.png", "a/../../secret.png", "/etc/secret.png", ".."])
def test_file_names_that_leave_the_folder(small_set: SmallSet, capsys: pytest.CaptureFixture[str], name: str) -> None:
    written(small_set.folder / "secret.png", np.zeros((120, 160, 3), np.uint8))
    small_set.document["images"][0]["file_name"] = name
    assert refine(small_set, ann=small_set.write("ann.json", small_set.document)) == 1
    assert "images list: expected a file name inside its folder, got " in one_line(capsys)
    assert not (small_set.folder / "out.json").exists()


def test_one_id_for_two_images(small_set: SmallSet, capsys: pytest.CaptureFixture[str]) -> None:
    small_set.document["images"][1]["id"] = 1
    assert refine(small_set, ann=small_set.write("ann.json", small_set.document)) == 1
    assert "images: expected every id once, got id 1 twice; it is not clear which file is meant" in one_line(capsys)
    assert not (small_set.folder / "out.json").exists()


def test_no_images(small_set: SmallSet, refiner: Refiner, capsys: pytest.CaptureFixture[str]) -> None:
    assert list(refiner.stream([])) == []
    assert refine(small_set, ann=small_set.write("ann.json", {"images": []})) == 1
    assert json.loads((small_set.folder / "out.json").read_text()) == small_set.records
    assert "0 of 4 records refined; could not be refined: 4 no image" in capsys.readouterr().out


def test_one_image_for_results_of_several(small_set: SmallSet, capsys: pytest.CaptureFixture[str]) -> None:
    photo, out = small_set.images / "000001.png", small_set.folder / "out.json"
    one_photo = ["--img-dir", str(photo), "--model", "identity", "--out", str(out)]
    assert main(["refine", str(small_set.results), *one_photo]) == 1
    assert one_line(capsys).endswith("expected the folder of 2 images, which the results name, got one image")
    assert not out.exists()
    own = small_set.write("one.json", [record for record in small_set.records if record["image_id"] == 1])
    assert main(["refine", str(own), *one_photo]) == 0


def test_what_a_run_assumes_is_printed(small_set: SmallSet, capsys: pytest.CaptureFixture[str]) -> None:
    folder = ["--img-dir", str(small_set.images), "--model", "identity", "--out"]
    assert main(["refine", str(small_set.results), *folder, str(small_set.folder / "out.json")]) == 0
    assert "images: by their ids, 1 is 000001.png; --ann can name the files\n" in capsys.readouterr().err
    assert refine(small_set) == 0
    assert "images: by their ids" not in capsys.readouterr().err

    mask = small_set.folder / "000001.png"
    cv2.imwrite(str(mask), cv2.circle(np.zeros((120, 160), np.uint8), (60, 60), 30, 255, -1))
    assert main(["refine", str(mask), *folder, str(small_set.folder / "out.png")]) == 0
    assert "format: masks, by the numbers in the PNGs; --format says which\n" in capsys.readouterr().err


def test_no_detections(small_set: SmallSet, refiner: Refiner) -> None:
    assert refiner(IMAGE, []) == []
    assert refine(small_set, results=small_set.write("none.json", [])) == 0
    assert json.loads((small_set.folder / "out.json").read_text()) == []


def test_a_folder_that_cannot_be_written_is_an_error_before_any_work(
    small_set: SmallSet, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = small_set.folder / "locked"
    folder.mkdir()
    folder.chmod(0o555)
    if os.geteuid() == 0:  # root writes where it likes

        def refuse(path: Path, mode: str = "r", **options: Any) -> Any:
            if "x" in mode:
                raise PermissionError(13, "Permission denied")
            return open(path, mode, **options)

        monkeypatch.setattr("bpr.io.files.open", refuse, raising=False)
    assert refine(small_set, out="locked/out.json") == 1
    assert one_line(capsys).endswith("locked/out.json: cannot write there (Permission denied); choose another output")


# What errors and hints look like.


def test_text_of_a_file_cannot_break_the_line_or_reach_the_terminal() -> None:
    assert str(BPRError("a\nb\x1b[2J.png: cannot read")) == r"a\nb\x1b[2J.png: cannot read"


def test_a_long_error_keeps_its_beginning_and_its_end() -> None:
    text = str(BPRError(f"results.json: {'x' * 10**6}; mend it"))
    assert len(text) < 1100
    assert text.startswith("results.json: xxx")
    assert text.endswith("xxx; mend it")


@pytest.mark.parametrize(("files", "source"), [(["setup.py"], "."), ([], "boundary-patch-refinement")])
def test_the_install_hint_names_the_checkout_or_the_distribution(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: list[str], source: str
) -> None:
    for name in files:
        (tmp_path / name).touch()
    monkeypatch.setattr("bpr.errors.__file__", str(tmp_path / "bpr" / "errors.py"))
    assert install_hint("app") == f"pip install '{source}[app]'"


@pytest.mark.parametrize(
    ("image", "mask", "text"),
    [
        (np.linspace(0, 4095, 4800).reshape(60, 80).astype(np.uint16), np.eye(60, 80, dtype=bool), "16"),
        (np.zeros((60, 80, 3), np.uint8), encode_png(np.full((60, 80), 255, np.uint8)), "covers the whole image"),
    ],
    ids=["an image of 16 bits", "a mask of the whole image"],
)
def test_a_warning_names_the_line_of_the_program(image: np.ndarray, mask: Any, text: str) -> None:
    with pytest.warns(UserWarning, match=text) as caught:
        bpr.load("identity")(image, mask)
    assert {warning.filename for warning in caught} == {__file__}
