from pathlib import Path

import cv2
import numpy as np
import pytest

from bpr.errors import BadImage, BPRError
from bpr.io.image_finder import ImageFolder
from bpr.io.images import decode_picture, decode_shown, read_image


def test_pixels_come_as_rgb(tmp_path: Path) -> None:
    path = tmp_path / "red.png"
    cv2.imwrite(str(path), np.full((4, 5, 3), (0, 0, 255), np.uint8))
    image = read_image(path)
    assert image.shape == (4, 5, 3)
    assert image.dtype == np.uint8
    assert (image == (255, 0, 0)).all()


def test_grey_images_get_three_channels(tmp_path: Path) -> None:
    path = tmp_path / "grey.png"
    cv2.imwrite(str(path), np.full((4, 5), 77, np.uint8))
    assert (read_image(path) == 77).all()
    assert read_image(path).shape == (4, 5, 3)


@pytest.mark.parametrize("content", [None, b"", b"no picture"])
def test_what_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "bad.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadImage, match=r"bad\.png"):
        read_image(path)


def test_an_annotation_file_names_the_image(tmp_path: Path) -> None:
    folder = ImageFolder(tmp_path, [{"id": 7, "file_name": "sub/street.png"}, {"id": "a", "file_name": "b.jpg"}])
    assert folder.path(7) == tmp_path / "sub" / "street.png"
    assert folder.path("a") == tmp_path / "b.jpg"


def test_without_a_list_the_stem_or_its_number_finds_the_file(tmp_path: Path) -> None:
    for name in ("000000000139.jpg", "street.png", "notes.txt", "²3.png"):
        (tmp_path / name).touch()
    folder = ImageFolder(tmp_path)
    assert folder.path(139) == folder.path("000000000139") == tmp_path / "000000000139.jpg"
    assert folder.path("street") == tmp_path / "street.png"
    with pytest.raises(BadImage):
        folder.path("notes")


@pytest.mark.parametrize("image_id", [8, "x", None, [1], {"a": 1}])
def test_an_unknown_id_is_a_bad_image(tmp_path: Path, image_id: object) -> None:
    with pytest.raises(BadImage, match="image_id"):
        ImageFolder(tmp_path, [{"id": 7, "file_name": "street.png"}]).path(image_id)


def test_a_missing_folder_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(BPRError, match="no such folder"):
        ImageFolder(tmp_path / "nowhere")


def test_stems_below_the_folder_must_be_unique(tmp_path: Path) -> None:
    for name in ("ulm/ulm_1_leftImg8bit.png", "bear/00000.jpg", "camel/00000.jpg", "top.png", "deep/top.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    folder = ImageFolder(tmp_path)
    assert folder.path("ulm_1") == folder.path("ulm_1_leftImg8bit") == tmp_path / "ulm" / "ulm_1_leftImg8bit.png"
    assert folder.path("bear/00000") == tmp_path / "bear" / "00000.jpg"
    assert folder.path("top") == tmp_path / "top.png"
    for ambiguous in ("00000", 0):
        with pytest.raises(BadImage, match=r"expected one file of that name, got .*bear/00000.jpg and .*camel/00000.jpg"):
            folder.path(ambiguous)


def test_two_files_of_one_name_are_ambiguous(tmp_path: Path) -> None:
    for name in ("a.jpg", "a.png", "007.jpg", "7.jpg", "deep/a.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    folder = ImageFolder(tmp_path)
    for ambiguous, files in (("a", "a.jpg and .*a.png"), (7, "007.jpg and .*7.jpg")):
        with pytest.raises(BadImage, match=f"expected one file of that name, got .*{files}; it is not clear which one is meant"):
            folder.path(ambiguous)
    assert folder.path("7") == tmp_path / "7.jpg"
    assert folder.path("deep/a") == tmp_path / "deep" / "a.jpg"
    listed = ImageFolder(tmp_path, [{"id": "a", "file_name": "a.png"}])
    assert listed.path("a") == tmp_path / "a.png"


def test_numbers_are_not_stems_where_there_is_a_list(tmp_path: Path) -> None:
    (tmp_path / "1.png").touch()
    assert ImageFolder(tmp_path, [{"id": 1, "file_name": "gone.png"}]).path(1) == tmp_path / "gone.png"
    with pytest.raises(BadImage):
        ImageFolder(tmp_path, []).path(1)


def test_lvis_addresses_with_and_without_their_split(tmp_path: Path) -> None:
    entries = [{"id": 7, "coco_url": "http://images.cocodataset.org/val2017/000000000007.jpg"}]
    assert ImageFolder(tmp_path, entries).path(7) == tmp_path / "000000000007.jpg"
    (tmp_path / "val2017").mkdir()
    (tmp_path / "val2017" / "000000000007.jpg").touch()
    assert ImageFolder(tmp_path, entries).path(7) == tmp_path / "val2017" / "000000000007.jpg"


# PIL images.


def photo_of(orientation: int, ending: str, folder: Path) -> Path:
    """A photo whose EXIF tag says how to turn it."""
    pictures = pytest.importorskip("PIL.Image")
    photo = pictures.fromarray(np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8))
    photo.getexif()[0x0112] = orientation
    path = folder / f"photo{ending}"
    photo.save(path, exif=photo.getexif())
    return path


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", [".png", ".jpg", ".tif", ".webp"])
def test_a_photo_in_memory_is_turned_like_pillow_turns_it(tmp_path: Path, orientation: int, ending: str) -> None:
    from PIL import Image, ImageOps

    path = photo_of(orientation, ending, tmp_path)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(path)))
    assert expected.shape == ((40, 30, 3) if orientation > 4 else (30, 40, 3))
    assert np.array_equal(decode_picture(Image.open(path), "photo").pixels, expected)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_photo_in_memory_is_turned_like_its_file(tmp_path: Path, orientation: int) -> None:
    from PIL import Image

    path = photo_of(orientation, ".jpg", tmp_path)
    for frame in (None, (30, 40), (40, 30), (7, 9)):
        expected = read_image(path, frame)
        assert np.array_equal(decode_shown(path.read_bytes(), "photo", frame).pixels, expected)
        found = decode_picture(Image.open(path), "photo", frame).pixels
        assert found.shape == expected.shape
        assert np.abs(found.astype(int) - expected).max() <= 8, "two decoders of JPEG"


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "I;16", "I;16B"])
def test_pictures_of_any_mode_become_rgb(mode: str) -> None:
    pictures = pytest.importorskip("PIL.Image")
    grey = np.repeat(np.repeat(np.array([[0, 255], [255, 0]], np.uint8), 8, axis=0), 8, axis=1)
    if mode.startswith("I;16"):
        stored = (grey.astype(np.uint16) * 256 + 99).astype(">u2" if mode.endswith("B") else "<u2")
        picture = pictures.frombytes(mode, grey.shape[::-1], stored.tobytes())
    else:
        picture = pictures.fromarray(grey).convert("RGB").convert(mode)
    assert np.array_equal(decode_picture(picture, "photo").pixels, np.repeat(grey[..., None], 3, axis=2))


def test_a_picture_of_a_damaged_file(tmp_path: Path) -> None:
    path = photo_of(1, ".jpg", tmp_path)
    path.write_bytes(path.read_bytes()[:-300])
    from PIL import Image

    with pytest.raises(BadImage, match="photo: not an image that Pillow can decode"):
        decode_picture(Image.open(path), "photo")


def test_a_closed_picture(tmp_path: Path) -> None:
    path = photo_of(1, ".png", tmp_path)
    from PIL import Image

    with Image.open(path) as picture:
        picture.load()
    picture.close()
    with pytest.raises(BadImage, match="photo: not an image that Pillow can decode"):
        decode_picture(picture, "photo")
NAMES = [
    ("sub/a.png", "sub\\a.png"),
    ("my photo.png", "my%20photo.png"),
    ("sub/caf\u00e9.png", "sub/cafe\u0301.png"),
    ("sub/cafe\u0301.png", "sub/caf\u00e9.png"),
    ("sub/cafe\u0301 1.png", "sub\\caf%C3%A9%201.png"),
]


@pytest.mark.parametrize(("stored", "written"), NAMES)
def test_a_name_may_be_spelled_otherwise(tmp_path: Path, stored: str, written: str) -> None:
    path = tmp_path / stored
    path.parent.mkdir(exist_ok=True)
    path.touch()
    assert ImageFolder(tmp_path, [{"id": 1, "file_name": written}]).path(1) == path
    stem = written.removesuffix(".png")
    assert ImageFolder(tmp_path).path(stem) == path
    if "/" in stored:
        assert ImageFolder(tmp_path).path(stem.replace("\\", "/").split("/")[1]) == path


def test_a_name_as_it_is_written_comes_first(tmp_path: Path) -> None:
    for name in ("my%20photo.png", "my photo.png"):
        (tmp_path / name).touch()
    assert ImageFolder(tmp_path, [{"id": 1, "file_name": "my%20photo.png"}]).path(1).name == "my%20photo.png"
    assert ImageFolder(tmp_path).path("my%20photo").name == "my%20photo.png"


@pytest.mark.parametrize("name", ["%2e%2e/secret.png", "..%2Fsecret.png", "a%2F..%2F..%2Fsecret.png"])
def test_no_spelling_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.png").touch()
    (tmp_path / "images").mkdir()
    path = ImageFolder(tmp_path / "images", [{"id": 1, "file_name": name}]).path(1)
    assert path.parts[: len(tmp_path.parts) + 1] == (tmp_path / "images").parts
    assert not path.is_file()


def test_links_are_named_as_the_reason(tmp_path: Path) -> None:
    images, elsewhere = tmp_path / "images", tmp_path / "elsewhere"
    images.mkdir()
    elsewhere.mkdir()
    (elsewhere / "a.png").touch()
    (images / "val").symlink_to(elsewhere)
    with pytest.raises(BadImage, match=r"image_id 'a': not in .*val is a link to a folder, which is not followed: name the folder"):
        ImageFolder(images).path("a")
    with pytest.raises(BadImage, match=r"val/a\.png: expected a file inside its folder, got a link out of it; copy the file"):
        ImageFolder(images, [{"id": 1, "file_name": "val/a.png"}]).path(1)
    (images / "gone.png").symlink_to(tmp_path / "nowhere.png")
    for folder, image_id in ((ImageFolder(images), "gone"), (ImageFolder(images, [{"id": 1, "file_name": "gone.png"}]), 1)):
        with pytest.raises(BadImage, match=r"gone\.png: expected an image, got a link to a missing file; mend the link"):
            folder.path(image_id)
