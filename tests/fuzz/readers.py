"""Every reader of untrusted files as a function of bytes, which accepts them or refuses them in one line.

Shared by the property tests (``test_readers.py``) and the coverage-guided fuzzer (``run.py``). Any error except a
:class:`BPRError` of one short line is a finding, and so is a mask that changes in a round trip.
"""

from __future__ import annotations

import json
import shutil
import struct
import tempfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

import bpr
from bpr.backends.onnx_runtime import OnnxPredictor
from bpr.errors import LONGEST_LINE, BPRError
from bpr.evaluation.matching import GroundTruth
from bpr.formats.brush_rle import decode_brush, encode_brush
from bpr.formats.cityscapes import CityscapesFolder
from bpr.formats.coco import AnnotationFile, check_annotations, read_heading
from bpr.formats.labels import MaskPngs
from bpr.formats.panoptic import PanopticFile
from bpr.formats.recognise import open_source
from bpr.formats.yolo import YoloFolder
from bpr.formats.yolo_names import class_names
from bpr.geometry.options import PatchSpec, Placement, to_dict
from bpr.geometry.rle import compress, decode_mask, encode_mask
from bpr.geometry.rle_batch import compress_all
from bpr.io.checked_lines import checked_line
from bpr.io.files import read_json
from bpr.io.image_finder import ImageFolder
from bpr.io.image_header import stated_frame
from bpr.io.images import check_size, decode_shown, read_image
from bpr.io.mask_picture import read_mask_picture
from bpr.io.pixels import PixelOptions
from bpr.io.png import SIGNATURE, write_png
from bpr.io.record_file import RecordFile
from bpr.refinement.predictor import IdentityPredictor, PatchBatch
from bpr.refinement.runner import refine_records
from bpr.refinement.sharing.journal import JournalIndex
from bpr.training.data.build_journal import BuildJournal
from bpr.training.data.patch_store import PatchStore, PatchStoreWriter

PAINTED = 2**18
"""Pixels up to which a mask or image is also painted: a larger one would only be slow."""
SPEC, PLACEMENT = PatchSpec(side=8), Placement(cover_margin=2)


def expect_one_line(read: Callable[[], object]) -> None:
    """Call ``read``, which may refuse its input in one line that a terminal can show."""
    line = "taken"
    try:
        read()
    except BPRError as error:
        line = str(error)
    assert line.isprintable(), f"not one line: {line!r}"
    assert 0 < len(line) <= LONGEST_LINE + 20, "no line, or too long a one"


@lru_cache(1)
def scratch() -> Path:
    """A temporary folder with one image, ``a.png`` of 12x10 pixels, in which the file to be read is written."""
    holder = tempfile.TemporaryDirectory(prefix="bpr-fuzz-")
    scratch.holder = holder  # type: ignore[attr-defined]  # keeps the folder until the process ends
    folder = Path(holder.name)
    for name in ("images", "lists", "labels", "labels.zarr", "names", "panoptic", "store"):
        (folder / name).mkdir()
    write_png(folder / "images" / "a.png", np.zeros((10, 12, 3), np.uint8))
    write_png(folder / "lists" / "a.png", np.eye(10, 12, dtype=np.uint8))
    write_png(folder / "panoptic" / "a.png", np.eye(10, 12, dtype=np.uint8)[..., None].repeat(3, axis=2))
    with PatchStoreWriter(folder / "store", SPEC, PLACEMENT, {"made": "here"}) as store:
        store.append(np.zeros((2, 8, 8, 4), np.uint8), np.zeros((2, 8, 8), np.uint8), np.zeros((2, 5), np.int32))
        store.end_item(matched=1)
    return folder


def written(name: str, content: bytes) -> Path:
    path = scratch() / name
    path.write_bytes(content)
    return path


def rle(data: bytes) -> None:
    """Four bytes of size, then the counts, read as a compressed string, as bytes and as a list."""
    height, width = struct.unpack(">HH", data[:4].ljust(4, b"\1"))
    text = data[4:].decode("latin-1")
    runs = [int.from_bytes(data[start : start + 3], "big", signed=True) for start in range(4, len(data), 3)]
    for counts in (text, data[4:], runs):
        expect_one_line(lambda counts=counts: _same_mask({"size": [height, width], "counts": counts}))  # type: ignore[misc]


def _same_mask(segmentation: dict[str, Any]) -> None:
    height, width = segmentation["size"]
    batch = compress_all([segmentation], [(height, width)])[0] if not isinstance(segmentation["counts"], bytes) else None
    try:
        compressed, area = compress(segmentation, (height, width))
    except BPRError:
        assert batch is None, "refused alone and taken in a batch"
        raise
    assert batch is None or batch[1] == area
    if height * width <= PAINTED:
        mask = decode_mask(segmentation)
        assert mask.area == area
        assert decode_mask(encode_mask(mask)).equals(mask)
        assert decode_mask(compressed).equals(mask)


def polygons(data: bytes) -> None:
    """Any JSON in place of a list of polygons."""
    with suppress(ValueError, RecursionError):
        value = json.loads(data)
        expect_one_line(lambda: decode_mask(value, (64, 48)))


def coco_results(data: bytes) -> None:
    """A results file through a whole run: every record is written once, in its order."""
    out = scratch() / "out.json"

    def run() -> None:
        source, images = open_source(written("results.json", data), "coco", scratch() / "images")
        refined, report = refine_records(source.records, images(), bpr.load("identity"), workers=0)
        assert len(refined) == len(source.records) == report.refined + report.kept.total()
        assert all(problem.isprintable() for problem in report.problems)
        source.write(refined, out)
        read_json(out, "what was written")

    expect_one_line(run)


class Fills(IdentityPredictor):
    """Every pixel of a patch is foreground, so that masks change."""

    def predict(self, batch: PatchBatch) -> np.ndarray:
        return np.ones(batch.patches.shape[:3], np.float32)


def labelme(data: bytes) -> None:
    """The JSON of LabelMe."""
    expect_one_line(lambda: _changed(written("labelme.json", data), "labelme"))


def cvat(data: bytes) -> None:
    """CVAT's XML."""
    expect_one_line(lambda: _changed(written("cvat.xml", data), "cvat"))


def label_studio(data: bytes) -> None:
    """Label Studio's JSON."""
    expect_one_line(lambda: _changed(written("tasks.json", data), "label-studio"))


def sam(data: bytes) -> None:
    """JSON of Segment Anything."""
    expect_one_line(lambda: _changed(written("a.json", data), "sam"))


def _changed(path: Path, form: str) -> None:
    """Refine the file of a tool, and read what is written."""
    source, images = open_source(path, form, scratch() / "images")
    refined, report = refine_records(source.records, images(), bpr.Refiner(Fills()), workers=0)
    assert len(refined) == len(source.records) == report.refined + report.kept.total()
    source.write(refined, out := scratch() / "out" / path.name)
    again = open_source(out, form, scratch() / "images")[0].records
    same = form == "label-studio"  # two regions of one id that are refined to one polygon are one region
    assert len(again) == len(refined) or (same and len(again) < len(refined))


def brush(data: bytes) -> None:
    """The runs of Label Studio's brush, of a mask of 12x10 pixels."""

    def run() -> None:
        mask = decode_brush(list(data), (10, 12))
        assert decode_brush(encode_brush(mask), (10, 12)).equals(mask)

    expect_one_line(run)


def yolo_names(data: bytes) -> None:
    """The names of a data.yaml."""
    written("names/data.yaml", data)
    expect_one_line(lambda: class_names(scratch() / "names"))


def record_file(data: bytes) -> None:
    """A results file, read in pieces whose length is the first byte, equals the file parsed at once."""
    path = written("results.json", data[1:])

    def run() -> None:
        records = RecordFile(path, 1 + data[0] if data else 1)
        whole = json.loads(data[1:].decode("utf-8-sig"))
        assert repr(list(records)) == repr([records[index] for index in range(len(records))]) == repr(whole)

    expect_one_line(run)


def annotations(data: bytes) -> None:
    """An annotation file as an images list, as ground truth, and as masks to refine."""

    def run() -> None:
        path = written("instances.json", data)
        document = check_annotations(read_json(path, "annotations"), path)
        assert [entry["id"] for entry in read_heading(path)["images"]] == [entry["id"] for entry in document["images"]]
        images = ImageFolder(scratch() / "images", document["images"])
        for entry in document["images"]:
            expect_one_line(lambda entry=entry: images.path(entry["id"]))  # type: ignore[misc]
        AnnotationFile(document, path)
        truth = GroundTruth(document)
        truth.matches([{**item, "segmentation": item.get("segmentation")} for item in document["annotations"]])

    expect_one_line(run)


def cityscapes(data: bytes) -> None:
    """The text of an instance list."""
    written("lists/a_pred.txt", data)
    expect_one_line(lambda: CityscapesFolder(scratch() / "lists"))


def yolo(data: bytes) -> None:
    """The text of a label file."""
    written("labels/a.txt", data)
    expect_one_line(lambda: YoloFolder(scratch() / "labels", ImageFolder(scratch() / "images")))


def png(data: bytes) -> bytes:
    """A PNG with valid checksums: 13 bytes of header, the length of the palette, the palette, the pixels."""
    header, colours = data[:13].ljust(13, b"\0"), 3 * (data[13] if len(data) > 13 else 0)
    palette = [_chunk(b"PLTE", data[14 : 14 + colours])] if colours else []
    pixels = _chunk(b"IDAT", zlib.compress(data[14 + colours :]))
    return b"".join([SIGNATURE, _chunk(b"IHDR", header), *palette, pixels, _chunk(b"IEND", b"")])


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def label_png(data: bytes) -> None:
    """Bytes that begin like a PNG, or a PNG made of other bytes."""
    content = data if data.startswith(SIGNATURE) else png(data)
    if _paints(content):
        expect_one_line(lambda: MaskPngs(written("labels.png", content)))


def image(data: bytes) -> None:
    """An image file of any kind."""
    expect_one_line(lambda: check_size(data, "image"))
    if _paints(data):
        expect_one_line(lambda: read_image(written("image", data), (10, 12)))
        expect_one_line(lambda: decode_shown(data, "image", options=PixelOptions("minmax", 1, 2)))
        expect_one_line(lambda: read_mask_picture(written("image.tif", data)))


def raster(data: bytes) -> None:
    """A TIFF of labels, by windows."""
    expect_one_line(lambda: _windows(written("labels.tif", data), "raster"))


def zarr(data: bytes) -> None:
    """The metadata of a Zarr folder of labels with a valid chunk."""
    written("labels.zarr/zarr.json", data)
    expect_one_line(lambda: _windows(scratch() / "labels.zarr", "raster"))


def geojson(data: bytes) -> None:
    """Polygons on a raster with a coordinate system."""
    expect_one_line(lambda: _windows(written("polygons.geojson", data), "geojson"))


def _windows(path: Path, form: str) -> None:
    """Read every window of a placed raster's instances, and write them as they are."""
    source, images = open_source(path, form, placed_image(), windows=True)
    for record in source.records:
        images().read(record["image_id"])  # type: ignore[attr-defined]
    out = scratch() / f"unchanged{path.suffix}"
    if out.is_dir():
        shutil.rmtree(out)
    if source.records:
        source.write(source.records, out)


@lru_cache(1)
def placed_image() -> Path:
    """A GeoTIFF of 12x10 pixels, half a metre each, in EPSG:32633."""
    import tifffile

    place = [(33550, "d", 3, (0.5, 0.5, 0.0), True), (33922, "d", 6, (0, 0, 0, 5e5, 4e6, 0), True)]
    system = (34735, "H", 8, (1, 1, 0, 1, 3072, 0, 1, 32633), True)
    tifffile.imwrite(scratch() / "placed.tif", np.zeros((10, 12, 3), np.uint8), photometric="rgb", extratags=[*place, system])
    return scratch() / "placed.tif"


def _paints(content: bytes) -> bool:
    height, width = stated_frame(content) or (0, 0)
    return height * width <= PAINTED


def panoptic(data: bytes) -> None:
    """The JSON of panoptic results with a valid PNG."""

    def run() -> None:
        path = written("panoptic.json", data)
        source = PanopticFile(read_json(path, "panoptic"), path)
        source.write(source.records, scratch() / "out" / "panoptic.json")

    expect_one_line(run)


def onnx_metadata(data: bytes) -> None:
    """The metadata of a valid network."""
    entry = b"".join(bytes([tag]) + varint(len(body)) + body for tag, body in ((0x0A, b"bpr"), (0x12, data)))
    path = written("model.onnx", network() + b"\x72" + varint(len(entry)) + entry)
    expect_one_line(lambda: OnnxPredictor(path, threads=1))


def varint(number: int) -> bytes:
    """An integer in Protobuf's encoding: seven bits per byte, the lowest first."""
    return bytes([number & 0x7F | 0x80]) + varint(number >> 7) if number > 0x7F else bytes([number])


@lru_cache(1)
def network() -> bytes:
    from onnx import TensorProto, helper

    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("patches", "probability")]
    graph = helper.make_graph([helper.make_node("Identity", ["patches"], ["probability"])], "network", values[:1], values[1:])
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString()


def journal(data: bytes) -> None:
    """Journals of a patch store and of a run, of which only the undamaged lines are used."""
    lines = data + b"\n" + b"".join(map(checked_line, data.splitlines()))

    def run() -> None:
        index = JournalIndex([written("any.journal", lines)], records=100)
        assert len(list(index.merged([{}] * 100))) == 100
        resumed = BuildJournal(written("building.txt", checked_line(b"fingerprint") + lines), "fingerprint", rows=1000)
        assert 0 <= resumed.progress.rows <= 1000
        resumed.close(finished=True)

    expect_one_line(run)


def manifest(data: bytes) -> None:
    """The manifest of a patch store with valid arrays."""
    written("store/manifest.json", data)
    expect_one_line(lambda: PatchStore(scratch() / "store", SPEC))


def array(data: bytes) -> None:
    """One array of a patch store with a valid manifest."""
    manifest_of_two = {"format": "bpr-patch-store", "version": 1, "scheme": to_dict(SPEC, PLACEMENT), "source": {}, "count": 2, "built": {}}
    written("store/manifest.json", json.dumps(manifest_of_two).encode())
    sound = (scratch() / "store" / "origins.npy").read_bytes()
    written("store/origins.npy", data)
    try:
        expect_one_line(lambda: PatchStore(scratch() / "store", SPEC))
    finally:
        written("store/origins.npy", sound)


_OF_MASKS = (rle, polygons, coco_results, record_file, annotations, cityscapes, yolo, yolo_names, label_png, panoptic)
_OF_TOOLS = (labelme, cvat, label_studio, brush, sam)
_OF_THE_REST = (image, raster, zarr, geojson, onnx_metadata, journal, manifest, array)
READERS: dict[str, Callable[[bytes], None]] = {reader.__name__: reader for reader in (*_OF_MASKS, *_OF_TOOLS, *_OF_THE_REST)}
