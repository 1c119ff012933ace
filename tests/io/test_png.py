from pathlib import Path

import numpy as np
import pytest

from bpr.errors import BPRError
from bpr.io.png import Palette, decode_colours, read_labels, write_png

LABELS = np.arange(24, dtype=np.uint8).reshape(4, 6) % 4
PALETTE = Palette(bytes([0, 0, 0, 128, 0, 0, 0, 128, 0, 9, 9, 9]), bytes([0, 255]))


@pytest.mark.parametrize("labels", [LABELS, LABELS.astype(np.uint16) * 1000], ids=["8 bit", "16 bit"])
def test_grey_numbers_come_back(tmp_path: Path, labels: np.ndarray) -> None:
    write_png(tmp_path / "a.png", labels)
    again, palette = read_labels(tmp_path / "a.png")
    assert np.array_equal(again, labels)
    assert again.dtype == labels.dtype
    assert palette is None


def test_a_palette_comes_back_with_its_numbers(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", LABELS, PALETTE)
    again, palette = read_labels(tmp_path / "a.png")
    assert np.array_equal(again, LABELS)
    assert palette == PALETTE


def test_others_see_the_palettes_colours(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", LABELS, Palette(PALETTE.colours))
    assert np.array_equal(read_colours(tmp_path / "a.png"), np.frombuffer(PALETTE.colours, np.uint8).reshape(4, 3)[LABELS])


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_pillows_palette_images_are_read_whatever_their_depth(tmp_path: Path, bits: int) -> None:
    images = pytest.importorskip("PIL.Image")
    labels = LABELS % min(2**bits, 4)
    picture = images.fromarray(labels)
    picture.putpalette(list(PALETTE.colours))
    picture.save(tmp_path / "a.png", bits=bits)
    assert np.array_equal(read_labels(tmp_path / "a.png")[0], labels)


def test_colours_are_rgb(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", np.full((2, 3, 3), (1, 2, 3), np.uint8))
    assert (read_colours(tmp_path / "a.png") == (1, 2, 3)).all()


def read_colours(path: Path) -> np.ndarray:
    return decode_colours(path.read_bytes(), path)


def damaged(content: bytes, damage: str) -> bytes:
    middle = content.index(b"IDAT") + 8
    return {"cut": content[: len(content) // 2], "bits": content[:middle] + b"\xff\x00" + content[middle + 2 :], "text": b"no PNG"}[damage]


@pytest.mark.parametrize("damage", ["cut", "bits", "text"])
def test_a_damaged_png_is_one_line(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "a.png"
    write_png(path, LABELS)
    path.write_bytes(damaged(path.read_bytes(), damage))
    for read in (read_labels, read_colours):
        with pytest.raises(BPRError, match=r"a\.png: expected a (whole )?PNG"):
            read(path)


def test_colours_are_no_labels(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", np.zeros((2, 3, 3), np.uint8))
    with pytest.raises(BPRError, match="one channel or with a palette"):
        read_labels(tmp_path / "a.png")
