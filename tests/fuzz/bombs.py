"""Small files that demand much, and names that lead out of a folder; ``python -m tests.fuzz.bombs`` prints the cost of each.

One line of JSON per bomb: its name, the seconds and the MiB of memory that it took, and the error line.
"""

from __future__ import annotations

import json
import os
import resource
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from bpr.backends.onnx_runtime import OnnxPredictor
from bpr.errors import BPRError
from bpr.formats.cityscapes import CityscapesFolder
from bpr.formats.coco import read_annotations, read_results
from bpr.formats.labels import MaskPngs
from bpr.formats.panoptic import PanopticFile
from bpr.formats.recognise import open_source
from bpr.formats.yolo import YoloFolder
from bpr.geometry.rle import compress, decode_mask
from bpr.io.image_finder import ImageFolder
from bpr.io.images import read_image, read_shown
from bpr.io.pixels import PixelOptions
from bpr.training.data.patch_store import PatchStore
from tests.fuzz import readers

FULL, HALF = 10**10, 5 * 10**9
SQUARE = [100_000, 100_000]


def refused(name: str, content: bytes | str, read: Callable[[Path], object]) -> Callable[[], object]:
    """Read ``content`` from a file of that name in the scratch folder."""
    return lambda: read(readers.written(name, content if isinstance(content, bytes) else content.encode()))


def stretched(ending: str, signature: bytes, offset: int, size: bytes) -> bytes:
    """A small valid image whose header states another size."""
    content = bytearray(cv2.imencode(ending, np.zeros((16, 16, 3), np.uint8))[1].tobytes())
    start = content.index(signature) + offset
    content[start : start + len(size)] = size
    return bytes(content)


def label_png(width: int, height: int) -> bytes:
    return readers.png(struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0) + bytes(30))


def tiff(*tags: tuple[int, int, int, int], again: bool = False, big: bool = False) -> bytes:
    """A TIFF of (tag, type, count, value) and 8 bytes of pixels; with ``again`` its directory is followed by itself."""
    given = [(256, 3, 1, 4), (257, 3, 1, 4), (258, 3, 1, 8), (262, 3, 1, 1), (273, 4, 1, 8), (279, 4, 1, 8), *tags]
    entries = sorted({tag[0]: tag for tag in given}.values())
    if big:
        body = struct.pack("<Q", len(entries)) + b"".join(struct.pack("<HHQQ", *entry) for entry in entries)
        return b"II+\0\x08\0\0\0" + struct.pack("<Q", 16) + body + struct.pack("<Q", 16 * again)
    body = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<I", 16) + bytes(8) + body + struct.pack("<I", 16 * again)


HUGE = ((256, 4, 1, 20_000), (257, 4, 1, 20_000), (258, 3, 1, 64))
TILE = ((322, 4, 1, 65_520), (323, 4, 1, 65_520), (324, 4, 1, 8), (325, 4, 1, 8))


def page(number: int) -> Callable[[Path], object]:
    return lambda path: read_shown(path, options=PixelOptions(page=number))


def panoptic(png: Path | str) -> None:
    """Read panoptic results with one image; ``png`` is a file in their folder, or the name that the JSON gives."""
    name = png.name if isinstance(png, Path) else png
    image = {"image_id": 1, "file_name": name, "segments_info": []}
    PanopticFile({"annotations": [image]}, readers.scratch() / "panoptic.json")


def linked(name: str) -> str:
    """Make a link in the folder of images that leads to an image elsewhere, and return its name."""
    outside = readers.written("outside.png", (readers.scratch() / "images" / "a.png").read_bytes())
    link = readers.scratch() / "images" / name
    link.unlink(missing_ok=True)
    link.symlink_to(outside)
    return name


def piped(name: str) -> str:
    """Make a pipe without a writer in the folder of images, and return its name."""
    if not (readers.scratch() / "images" / name).exists():
        os.mkfifo(readers.scratch() / "images" / name)
    return name


def of_entry(image_id: Any, name: str) -> np.ndarray:
    return read_image(ImageFolder(readers.scratch() / "images", [{"id": image_id, "file_name": name}]).path(image_id))


def labels(path: Path) -> MaskPngs:
    return MaskPngs(path)


def raster(path: Path) -> object:
    """Read labels by window, as those of a GeoTIFF; their image is small and whole."""
    image = readers.written("image.png", cv2.imencode(".png", np.zeros((4, 4), np.uint8))[1].tobytes())
    return open_source(path, "raster", image, windows=True)


def yolo(_: Path) -> YoloFolder:
    return YoloFolder(readers.scratch() / "labels", ImageFolder(readers.scratch() / "images"))


def cityscapes(_: Path) -> CityscapesFolder:
    return CityscapesFolder(readers.scratch() / "lists")


def store(_: Path) -> PatchStore:
    return PatchStore(readers.scratch() / "store")


def model(scheme: dict[str, Any]) -> Callable[[], None]:
    def read() -> None:
        with_metadata = json.dumps({"version": 1, "scheme": scheme}).encode()
        entry = b"\x0a\x03bpr\x12" + readers.varint(len(with_metadata)) + with_metadata
        OnnxPredictor(readers.written("model.onnx", readers.network() + b"\x72" + readers.varint(len(entry)) + entry))

    return read


BOMBS: dict[str, Callable[[], object]] = {
    "RLE of ten billion pixels, all mask": lambda: decode_mask({"size": SQUARE, "counts": [0, FULL]}),
    "RLE of ten billion pixels, two corners": lambda: decode_mask({"size": SQUARE, "counts": [0, 1, FULL - 2, 1]}),
    "RLE of ten billion pixels, compressed": lambda: compress({"size": SQUARE, "counts": [HALF, HALF]}),
    "RLE size of 400 digits": lambda: decode_mask({"size": [10**400, 1], "counts": [1]}),
    "RLE runs that overflow 64 bits": lambda: decode_mask({"size": [4, 5], "counts": [2**63 - 1, 2**63 - 1, 22]}),
    "RLE string of an endless run": lambda: decode_mask({"size": [4, 5], "counts": "o" * 1_000_000 + "0"}),
    "polygon that runs to and fro": lambda: decode_mask([[0, 0, 1e5, 1e5] * 20_000], (100, 100)),
    "polygon of many rings": lambda: decode_mask([[0, 0, 1e5, 0, 1e5, 1e5]] * 1000, (100, 100)),
    "polygon in a frame of ten billion pixels": lambda: decode_mask([[0, 0, 9, 0, 9, 9]], (100_000, 100_000)),
    "label PNG of four billion pixels": refused("bomb.png", label_png(65_535, 65_535), labels),
    "label PNG of 2^62 pixels": refused("bomb.png", label_png(2**31 - 1, 2**31 - 1), labels),
    "label PNG of 4e8 pixels in 100 bytes": refused("bomb.png", label_png(20_000, 20_000), labels),
    "PNG photo of four billion pixels": refused("bomb", stretched(".png", b"IHDR", 4, b"\0\0\xff\xff" * 2), read_image),
    "JPEG of four billion pixels": refused("bomb", stretched(".jpg", b"\xff\xc0", 5, struct.pack(">HH", 65_500, 65_500)), read_image),
    "JPEG of 4e8 pixels in 631 bytes": refused("bomb", stretched(".jpg", b"\xff\xc0", 5, struct.pack(">HH", 20_000, 20_000)), read_image),
    "BMP of 2^62 pixels": refused("bomb", stretched(".bmp", b"BM", 18, struct.pack("<ii", 2**31 - 1, 1 - 2**31)), read_image),
    "WebP of 2.7e8 pixels": refused("bomb", stretched(".webp", b"VP8L", 9, b"\xff\xff\xff\x0f"), read_image),
    "BigTIFF whose directory lies beyond 2^63": refused("bomb", b"II+\0\x08\0\0\0" + b"\xff" * 8, read_image),
    "TIFF of floats, 4e8 in 200 bytes": refused("bomb", tiff(*HUGE, (339, 3, 1, 3)), read_image),
    "TIFF of 60,000 bands": refused("bomb", tiff((256, 4, 1, 4000), (257, 4, 1, 4000), (277, 3, 1, 60_000)), read_image),
    "TIFF in a tile of 4e9 pixels": refused("bomb", tiff(*TILE), read_image),
    "TIFF of deep numbers in a tile of 4e9 pixels": refused("bomb", tiff((258, 3, 1, 32), *TILE), read_image),
    "TIFF of four billion strips": refused("bomb", tiff((273, 4, 2**32 - 1, 8), (279, 4, 2**32 - 1, 8), (277, 3, 1, 4)), read_image),
    "TIFF description of 4 GiB": refused("bomb", tiff((270, 2, 2**32 - 1, 8), (277, 3, 1, 5)), page(1)),
    "BigTIFF of 2^63 bits": refused("bomb", tiff((258, 16, 2**63 - 1, 8), big=True), read_image),
    "TIFF whose pages lead back to the first": refused("bomb", tiff(again=True), page(2)),
    "labels in a TIFF of 4e8 numbers in 200 bytes": refused("bomb.tif", tiff(*HUGE), labels),
    "raster of 2^62 pixels": refused("bomb.tif", tiff((256, 4, 1, 2**31 - 1), (257, 4, 1, 2**31 - 1)), raster),
    "raster of 4e8 numbers in 200 bytes": refused("bomb.tif", tiff(*HUGE), raster),
    "raster in a tile of 4e9 pixels": refused("bomb.tif", tiff(*TILE), raster),
    "raster of four billion strips": refused("bomb.tif", tiff((273, 4, 2**32 - 1, 8), (279, 4, 2**32 - 1, 8)), raster),
    "image in a format of no photo": refused("bomb", b"P5\n30000 30000\n255\n", read_image),
    "panoptic PNG of four billion pixels": refused("panoptic/bomb.png", label_png(65_535, 65_535), panoptic),
    "JSON of a million open lists": refused("bomb.json", "[" * 1_000_000, read_results),
    "JSON of 500 lists": refused("bomb.json", "[" * 500 + "]" * 500, read_results),
    "JSON of 100,000 objects": refused("bomb.json", '{"a":' * 100_000 + "1" + "}" * 100_000, read_results),
    "JSON number of a million digits": refused("bomb.json", f"[{'9' * 1_000_000}]", read_results),
    "100,000 classes": refused("bomb.json", '{"images": [], "categories": [0' + ', {"id": 1}' * 100_000 + "]}", read_annotations),
    "image id that is a list": refused("bomb.json", '{"images": [{"id": [1], "file_name": "a"}]}', read_annotations),
    "image id that is NaN": refused("bomb.json", '{"images": [{"id": NaN, "file_name": "a"}]}', read_annotations),
    "image id that is true": refused("bomb.json", '{"images": [{"id": true, "file_name": "a"}]}', read_annotations),
    "image name with ..": lambda: of_entry(1, "../../etc/passwd"),
    "image name that is absolute": lambda: of_entry(1, "/etc/passwd"),
    "image name of 100,000 characters": lambda: of_entry(1, "a" * 100_000),
    "image name of half a surrogate pair": lambda: of_entry(1, "\ud800.png"),
    "image that is a link out of its folder": lambda: of_entry(1, linked("link.png")),
    "image that is a pipe": lambda: of_entry(1, piped("pipe.png")),
    "panoptic PNG that is a device": lambda: panoptic("../../../dev/zero"),
    "Cityscapes line of 2 MiB": refused("lists/a_pred.txt", "a" * 2**21, cityscapes),
    "Cityscapes list of 40 MiB": refused("lists/a_pred.txt", b"a.png 26 0.5\n" * 3_300_000, cityscapes),
    "Cityscapes label of 5,000 digits": refused("lists/a_pred.txt", f"a.png {'9' * 5000} 0.5\n", cityscapes),
    "YOLO polygon of a million points": refused("labels/a.txt", "0 " + "0 0 1 1 " * 500_000, yolo),
    "YOLO class of 300 digits": refused("labels/a.txt", "1e300 .1 .1 .2 .2 .3 .3", yolo),
    "YOLO class of a billion": refused("labels/a.txt", "1000000000 .1 .1 .2 .2 .3 .3", yolo),
    "YOLO class of 5,000 digits": refused("labels/a.txt", f"{'9' * 5000} .1 .1 .2 .2 .3 .3", yolo),
    "model that cuts patches of a million pixels": model({"side": 1_000_000}),
    "model of a billion passes": model({"passes": 10**9}),
    "model whose inputs are numbers": model({"inputs": [[1]]}),
    "patch store of a list": refused("store/manifest.json", "[]", store),
    "patch store of a version of 4,000 digits": refused("store/manifest.json", '{"version": ' + "9" * 4000 + "}", store),
}


def cost(name: str, bomb: Callable[[], object]) -> dict[str, Any]:
    """The cost and the error of one bomb; ``mib`` is the peak of this process so far."""
    start, line = time.process_time(), None
    try:
        bomb()
    except BPRError as error:
        line = str(error)
    seconds = time.process_time() - start
    return {"name": name, "seconds": seconds, "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "line": line}


def main() -> None:
    readers.scratch()
    readers.network()
    cost("load the network's runtime", model({}))
    cost("load the compiled loops", lambda: decode_mask({"size": [1, 1], "counts": "01"}))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    for name, bomb in BOMBS.items():
        found = cost(name, bomb)
        print(json.dumps({**found, "mib": found["mib"] - before}), flush=True)


if __name__ == "__main__":
    main()
