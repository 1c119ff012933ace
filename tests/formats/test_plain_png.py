"""Photos by kornia-rs are those of OpenCV, to the bit, and what only OpenCV may judge goes to it."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from bpr.errors import BadImage
from bpr.formats import images, plain_png
from bpr.formats.images import decode_image, read_image
from bpr.formats.plain_png import decode_plain_png, is_plain

pytest.importorskip("kornia_rs", reason="the [png] extra is not installed")
NOISE = np.random.default_rng(0).integers(0, 256, (37, 53, 3), np.uint8)


def encoded(pixels: np.ndarray, *options: int) -> bytes:
    return cv2.imencode(".png", pixels, options)[1].tobytes()


def with_chunk(content: bytes, name: bytes, data: bytes) -> bytes:
    """The chunk goes behind the header."""
    chunk = struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    return content[:33] + chunk + content[33:]


def by_opencv(content: bytes) -> np.ndarray | None:
    return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB)


@pytest.mark.parametrize("level", [0, 1, 9])
@pytest.mark.parametrize("pixels", [NOISE, np.tile(np.arange(256, dtype=np.uint8)[:, None], (8, 30, 3)), NOISE[:1, :1]])
def test_the_same_pixels(pixels: np.ndarray, level: int) -> None:
    content = encoded(pixels, cv2.IMWRITE_PNG_COMPRESSION, level)
    decoded = decode_plain_png(content, pixels.shape[:2])
    assert decoded is not None
    assert np.array_equal(decoded, pixels[..., ::-1])
    assert decoded.flags.writeable


@pytest.mark.parametrize("name", [b"gAMA", b"pHYs", b"tEXt"])
def test_notes_in_a_file_change_no_pixel(name: bytes) -> None:
    content = with_chunk(encoded(NOISE), name, {b"gAMA": struct.pack(">I", 100000)}.get(name, b"\x00\x00\x0b\x13\x00\x00\x0b\x13\x01"))
    decoded = decode_plain_png(content, NOISE.shape[:2])
    assert decoded is not None
    assert np.array_equal(decoded, by_opencv(content))


EXIF_TURNED = b"MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00"
OTHERS = {
    "grey": encoded(NOISE[..., 0]),
    "16 bits": encoded(NOISE.astype(np.uint16) * 257),
    "opacity": encoded(np.dstack([NOISE, NOISE[..., :1]])),
    "a transparent colour": with_chunk(encoded(NOISE), b"tRNS", bytes(6)),
    "turned": with_chunk(encoded(NOISE), b"eXIf", EXIF_TURNED),
    "JPEG": cv2.imencode(".jpg", NOISE)[1].tobytes(),
}


@pytest.mark.parametrize("name", OTHERS)
def test_everything_else_is_opencv_s(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    content = OTHERS[name]
    assert not is_plain(content)
    assert np.array_equal(decode_image(content, name), by_opencv(content))


def test_a_damaged_file_is_judged_by_opencv(tmp_path: Path) -> None:
    whole = encoded(NOISE)
    for content in (whole[:200], whole[:1000] + bytes(8) + whole[1008:], whole[:-30]):
        assert decode_plain_png(content, NOISE.shape[:2]) is None
        expected = by_opencv(content)
        if expected is None:
            with pytest.raises(BadImage):
                decode_image(content, "damaged.png")
        else:
            assert np.array_equal(decode_image(content, "damaged.png"), expected)


def test_reading_uses_it_and_needs_it_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(encoded(NOISE))
    with monkeypatch.context() as without_opencv:
        without_opencv.setattr(images, "_decoded", lambda data, flags=0: pytest.fail("OpenCV was asked"))
        fast = read_image(path)
    monkeypatch.setattr(plain_png, "_library", lambda: None)
    assert np.array_equal(fast, read_image(path))
