from pathlib import Path

import cv2
import numpy as np
import pytest

from bpr.errors import BadImage, BPRError
from bpr.formats.images import ImageFolder, read_image


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


def test_without_one_the_stem_or_its_number_does(tmp_path: Path) -> None:
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


def test_a_missing_folder_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(BPRError, match="no such folder"):
        ImageFolder(tmp_path / "nowhere")
