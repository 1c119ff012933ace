"""Photos are found by the end of the names that tools write."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bpr.formats.named_photos import Photos
from bpr.io.image_finder import ImageFolder, OneImage
from bpr.io.png import write_png


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.png", "monday/b.png", "monday/same.png", "tuesday/same.png", "tuesday/a.png"):
        write_png(tmp_path / "photos" / name, np.zeros((6, 8, 3), np.uint8))
    return tmp_path / "photos"


@pytest.mark.parametrize(
    ("names", "image_id"),
    [
        (["a.png"], "a"),
        (["../photos/a.png"], "a"),
        (["C:\\scans\\tuesday\\a.png"], "tuesday/a"),
        (["/data/upload/1/0a1b2c3d-b.png", "b.png"], "monday/b"),
        (["b.png"], "monday/b"),
        (["x/monday/same.png"], "monday/same"),
        (["same.png"], "same"),
        (["../../etc/passwd"], "passwd"),
        ([""], "unnamed"),
    ],
)
def test_the_end_of_a_name_finds_the_file(folder: Path, names: list[str], image_id: str) -> None:
    photos = Photos(lambda: ImageFolder(folder))
    found = folder / f"{image_id}.png"
    assert photos.add(names, None, None) == (image_id, (6, 8) if found.is_file() else None)
    if found.is_file():
        assert photos.entries[0]["file_name"] == f"{image_id}.png"


@pytest.mark.parametrize(
    ("names", "files"),
    [
        (["monday/b.png", "wednesday/b.png"], ["monday/b.png", "wednesday/b.png"]),
        (["1/aaaaaaaa-b.png", "1/bbbbbbbb-b.png"], ["1/aaaaaaaa-b.png", "1/bbbbbbbb-b.png"]),
        (["x/b.png", "y/b.png", "monday/b.png"], ["x/b.png", "y/b.png", "monday/b.png"]),
        (["x/b.png", "x/b.png"], ["monday/b.png"]),
    ],
)
def test_a_file_is_the_photo_of_its_own_name_or_of_a_single_other(folder: Path, names: list[str], files: list[str]) -> None:
    (folder / "wednesday").mkdir()
    photos = Photos(lambda: ImageFolder(folder))
    for name in names:
        photos.add([name, name.rpartition("-")[2]], 6, 8)
    assert [entry["file_name"] for entry in photos.entries] == files
    assert len({entry["id"] for entry in photos.entries}) == len(files)
    assert {key for entry in photos.entries for key in entry} == {"id", "file_name", "height", "width"}


def test_the_size_in_the_file_counts_where_it_is_one(folder: Path) -> None:
    photos = Photos(lambda: ImageFolder(folder))
    assert photos.add(["a.png"], 60, 80.0) == ("a", (60, 80))
    assert photos.add(["tuesday/a.png"], -1, 8) == ("tuesday/a", (6, 8))
    assert photos.entries[0] == {"id": "a", "file_name": "a.png", "height": 60, "width": 80}


def test_two_files_of_one_stem_are_two_images(folder: Path) -> None:
    write_png(folder / "a.jpg.png", np.zeros((6, 8, 3), np.uint8))
    (folder / "a.jpg").write_bytes((folder / "a.png").read_bytes())
    photos = Photos(lambda: ImageFolder(folder))
    ids = [photos.add([name], 6, 8)[0] for name in ("a.png", "a.jpg", "a.png")]
    assert ids == ["a", "a.jpg", "a"]
    assert [entry["file_name"] for entry in photos.entries] == ["a.png", "a.jpg"]


def test_one_image_is_the_photo_of_every_name(folder: Path) -> None:
    photos = Photos(lambda: OneImage(folder / "a.png"))
    assert photos.add(["/data/upload/1/x.png"], None, None) == ("x", (6, 8))
