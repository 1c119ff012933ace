"""Label rasters and GeoJSON on a raster image that is read by windows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from bpr.cli.main import main
from bpr.formats.recognise import open_source
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import decode_mask
from bpr.job import RefineJob, Unfinished
from bpr.raster import exclusive, places, tiff
from bpr.raster.exclusive import Claims
from bpr.raster.labels import Labels
from bpr.raster.opening import open_raster
from bpr.raster.places import box_of, windows_of

tifffile = pytest.importorskip("tifffile")
H, W = 620, 700
GEO = [(33550, "d", 3, (0.5, 0.5, 0.0), True), (33922, "d", 6, (0, 0, 0, 5e5, 4e6, 0), True),
       (34735, "H", 8, (1, 1, 0, 1, 3072, 0, 1, 32633), True), (34737, "s", 0, "WGS 84 / UTM 33N|", True)]  # fmt: skip
LAYOUTS: dict[str, dict[str, Any]] = {
    "plain": {}, "strips": {"rowsperstrip": 16, "compression": "zlib"}, "tiles": {"tile": (64, 64), "bigtiff": True},
    "swapped": {"byteorder": ">"},
}  # fmt: skip


def scene() -> tuple[np.ndarray, np.ndarray]:
    """(H, W, 3) image of 60 cells, some of which touch, and of one large object; (H, W) uint32 labels, a little off."""
    rng = np.random.default_rng(3)
    image = rng.integers(80, 110, (H, W, 3), np.uint8)
    labels = np.zeros((H, W), np.int32)
    cv2.rectangle(image, (320, 120), (640, 420), (200, 60, 40), -1)
    cv2.rectangle(labels, (317, 118), (636, 417), 70_000, -1)
    for number in range(1, 61):
        (x0, x1), (y0, y1) = ((0, 300), (0, H)) if number % 2 else ((0, W), (450, H))
        middle = int(rng.integers(x0, x1)), int(rng.integers(y0, y1))
        axes, angle, colour = rng.integers(6, 14, 2), float(rng.uniform(0, 180)), rng.integers(150, 255, 3).tolist()
        cv2.ellipse(image, middle, axes.tolist(), angle, 0, 360, colour, -1)
        cv2.ellipse(labels, (middle[0] + 2, middle[1] - 1), (axes + 2).tolist(), angle, 0, 360, number, -1)
    return image, labels.astype(np.uint32)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, (image, labels) = tmp_path_factory.mktemp("raster"), scene()
    for name, layout in LAYOUTS.items():
        tifffile.imwrite(folder / f"image_{name}.tif", image, photometric="rgb", extratags=GEO, **layout)
        tifffile.imwrite(folder / f"labels_{name}.tif", labels, extratags=GEO, resolution=(300, 300), **layout)
    return folder


def refine(folder: Path, out: Path, layout: str = "plain", *words: str) -> None:
    files = [str(folder / f"labels_{layout}.tif"), "--img-dir", str(folder / f"image_{layout}.tif"), "--out", str(out)]
    assert main(["refine", *files, "--model", "starter-fast", "--backend", "onnxruntime", *words]) == 0


@pytest.fixture(scope="module")
def refined(files: Path) -> np.ndarray:
    refine(files, files / "refined.tif")
    return np.asarray(tifffile.imread(files / "refined.tif"))


def test_no_number_is_lost_and_the_labels_fit_better(files: Path, refined: np.ndarray) -> None:
    image, labels = scene()
    bright = image.max(axis=2) > 125
    assert refined.dtype == np.uint32
    assert set(np.unique(refined)) == set(np.unique(labels))
    refine(files, files / "every_change.tif", "plain", "--caution", "0")  # how much the verdict takes is not the matter here
    found = np.asarray(tifffile.imread(files / "every_change.tif"))
    wrong = [np.count_nonzero((one > 0) != bright) for one in (labels, found)]
    assert wrong[1] < 0.8 * wrong[0]
    assert np.count_nonzero((refined > 0) != bright) < wrong[0]


@pytest.mark.parametrize(("layout", "cell", "most", "tile"), [("strips", 96, 64, 64), ("tiles", 4096, 7, 256), ("swapped", 200, 1, 1024)])
def test_results_do_not_depend_on_the_tiling(
    files: Path, refined: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str, cell: int, most: int, tile: int
) -> None:
    monkeypatch.setattr(places, "CELL", cell)
    monkeypatch.setattr(places, "MOST_TOGETHER", most)
    monkeypatch.setattr(tiff, "TILE", tile)
    refine(files, tmp_path / "out.tif", layout)
    assert np.array_equal(tifffile.imread(tmp_path / "out.tif"), refined)


def test_it_is_what_the_picture_read_whole_gives_but_for_ties(files: Path, refined: np.ndarray, tmp_path: Path) -> None:
    image, labels = scene()
    cv2.imwrite(str(tmp_path / "image.png"), image[..., ::-1])
    numbers = np.where(labels == 70_000, 300, labels).astype(np.uint16)
    cv2.imwrite(str(tmp_path / "masks.png"), numbers)
    words = ["--format", "masks", "--model", "starter-fast", "--backend", "onnxruntime", "--out", str(tmp_path / "whole.png")]
    assert main(["refine", str(tmp_path / "image.png"), str(tmp_path / "masks.png"), *words]) == 0
    whole = cv2.imread(str(tmp_path / "whole.png"), cv2.IMREAD_UNCHANGED)
    assert np.count_nonzero(whole != np.where(refined == 70_000, 300, refined)) <= 5


def test_tags_are_kept_byte_for_byte(files: Path, refined: np.ndarray) -> None:
    with tifffile.TiffFile(files / "labels_plain.tif") as before, tifffile.TiffFile(files / "refined.tif") as after:
        for tag in (33550, 33922, 34735, 34737, 282, 283, 296):
            old, new = before.pages[0].tags[tag], after.pages[0].tags[tag]
            assert (old.dtype, old.count, old.value) == (new.dtype, new.count, new.value)


def test_a_killed_run_goes_on_to_the_same_bytes(files: Path, refined: np.ndarray, tmp_path: Path) -> None:
    model = {"model": "starter-fast", "backend": "onnxruntime"}
    job = RefineJob(files / "labels_plain.tif", tmp_path / "out.tif", files / "image_plain.tif", **model)  # type: ignore[arg-type]
    done: list[int] = []
    with pytest.raises(Unfinished):
        job.run(on_progress=done.append, stopped=lambda: bool(done and done[-1] > 0))
    assert not (tmp_path / "out.tif").exists()
    job.run(resume=True)
    assert (tmp_path / "out.tif").read_bytes() == (files / "refined.tif").read_bytes()


def test_an_unchanged_zarr_keeps_its_numbers_and_metadata(tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    image, labels = scene()
    group = zarr.create_group(str(tmp_path / "image.zarr"), attributes={"ome": {"multiscales": [{
        "axes": [{"name": name} for name in "cyx"], "datasets": [{"path": "0"}]}]}})  # fmt: skip
    group.create_array("0", data=np.moveaxis(image, 2, 0).copy(), chunks=(1, 128, 128))
    zarr.create_array(str(tmp_path / "labels.zarr"), data=labels, chunks=(100, 90), attributes={"source": "cells"})
    words = ["--img-dir", str(tmp_path / "image.zarr"), "--out", str(tmp_path / "out.zarr"), "--model", "identity"]
    assert main(["refine", str(tmp_path / "labels.zarr"), *words, "--strict"]) == 0
    out = zarr.open(str(tmp_path / "out.zarr"), mode="r")
    assert np.array_equal(out[:], labels)
    assert (out.chunks, dict(out.attrs)) == ((100, 90), {"source": "cells"})
    assert np.array_equal(open_raster(tmp_path / "image.zarr").window((5, 7, 400, 300)), image[7:300, 5:400])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_window_holds_the_samples(files: Path, layout: str) -> None:
    image, _ = scene()
    raster = open_raster(files / f"image_{layout}.tif")
    assert np.array_equal(raster.window((61, 3, 700, 620)), image[3:, 61:])
    assert raster.georeference.coordinates(np.array([[2, 4]])).tolist() == [[500001.0, 3999998.0]]


def test_geojson_comes_back_in_its_coordinates(files: Path, refined: np.ndarray, tmp_path: Path) -> None:
    refine(files, tmp_path / "cells.geojson", "plain", "--polygons", "0")
    document = json.loads((tmp_path / "cells.geojson").read_text())
    assert document["crs"]["properties"]["name"] == "urn:ogc:def:crs:EPSG::32633"
    assert sorted(feature["properties"]["label"] for feature in document["features"]) == np.unique(refined)[1:].tolist()
    document["features"].append({"type": "Feature", "properties": {"name": "tree"}, "geometry": {"type": "Point", "coordinates": [0, 0]}})
    (tmp_path / "in.geojson").write_text(json.dumps(document, indent=1))
    words = ["--img-dir", str(files / "image_plain.tif"), "--out", str(tmp_path / "out.geojson")]
    assert main(["refine", str(tmp_path / "in.geojson"), *words, "--model", "identity"]) == 0
    assert (tmp_path / "out.geojson").read_bytes() == (tmp_path / "in.geojson").read_bytes()
    source, _ = open_source(tmp_path / "in.geojson", None, files / "image_plain.tif", windows=True)
    painted = np.zeros_like(refined)
    for record, feature in zip(source.records, document["features"], strict=False):
        x0, y0, x1, y1 = box_of(record["image_id"])
        painted[y0:y1, x0:x1][decode_mask(record["segmentation"]).to_frame()] = feature["properties"]["label"]
    assert np.array_equal(painted, refined)


@pytest.mark.parametrize("boxed", [{"feature"}, {"geometry"}, {"feature", "geometry"}])
def test_further_keys_of_a_geometry_stay_unless_they_would_be_wrong(files: Path, tmp_path: Path, boxed: set[str]) -> None:
    """QuPath stores the slice of an object in its geometry; without it the object moves to the first one."""
    ring = [[316, 116], [637, 116], [637, 418], [316, 418], [316, 116]]
    geometry = {"type": "Polygon", "plane": {"c": -1, "z": 3, "t": 0}, "isEllipse": True, "coordinates": [ring]}
    feature = {"type": "Feature", "geometry": geometry, "properties": {"isLocked": False}}
    for name, each in (("feature", feature), ("geometry", geometry)):
        each |= {"bbox": [0, 0, 1, 1]} if name in boxed else {}
    image = open_raster(files / "image_plain.tif")
    geometry["coordinates"] = [image.georeference.coordinates(np.array(ring, float)).tolist()]
    (tmp_path / "in.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    words = ["--img-dir", str(files / "image_plain.tif"), "--model", "starter-fast", "--caution", "0"]
    assert main(["refine", str(tmp_path / "in.geojson"), *words, "--out", str(tmp_path / "out.geojson")]) == 0
    (new,) = json.loads((tmp_path / "out.geojson").read_text())["features"]
    assert list(new["geometry"]) == list(geometry)
    assert new["geometry"]["plane"] == geometry["plane"]
    assert not new["geometry"]["isEllipse"]
    corners = np.array(new["geometry"]["coordinates"][0])
    found = {name: each["bbox"] for name, each in (("feature", new), ("geometry", new["geometry"])) if "bbox" in each}
    assert found == {name: [*corners.min(axis=0), *corners.max(axis=0)] for name in boxed}


def test_a_layer_that_qgis_saved_keeps_its_fields_and_its_layout(files: Path, refined: np.ndarray, tmp_path: Path) -> None:
    """QGIS names the layer and its coordinate system, writes one feature a line, and makes every polygon a MultiPolygon."""
    place = open_raster(files / "image_plain.tif").georeference
    lines = []
    for number, (x0, y0, x1, y1) in ((4, (316, 116, 637, 418)), (9, (10, 200, 40, 230))):
        ring = place.coordinates(np.array([[x0, y0], [x0, y1], [x1, y1], [x1, y0], [x0, y0]], float)).tolist()
        geometry = f'{{ "type": "MultiPolygon", "coordinates": {json.dumps([[ring]])} }}'
        lines.append(f'{{ "type": "Feature", "properties": {{ "fid": {number}, "crop": "w\\u00e9" }}, "geometry": {geometry} }}')
    head = '{\n"type": "FeatureCollection",\n"name": "fields",\n'
    crs = '"crs": { "type": "name", "properties": { "name": "urn:ogc:def:crs:EPSG::32633" } },\n'
    before = f'{head}{crs}"features": [\n{lines[0]},\n{lines[1]}\n]\n}}\n'
    (tmp_path / "fields.geojson").write_text(before)
    words = ["--img-dir", str(files / "image_plain.tif"), "--model", "starter-fast", "--caution", "0"]
    assert main(["refine", str(tmp_path / "fields.geojson"), *words, "--out", str(tmp_path / "out.geojson")]) == 0
    after = (tmp_path / "out.geojson").read_text()
    old, new = json.loads(before), json.loads(after)
    assert after.startswith(head + crs)
    assert '"fid": 4, "crop": "w\\u00e9"' in after
    for one, other in zip(old["features"], new["features"], strict=True):
        assert one["properties"] == other["properties"]
    outer = np.array(new["features"][0]["geometry"]["coordinates"][0], float).reshape(-1, 2)
    found = place.pixels(np.array([outer.min(axis=0), outer.max(axis=0)]))
    assert np.abs(found - [[320, 421], [641, 120]]).max() < 2, "the object's sides, which the given polygon missed by 4 px"


class Numbers:
    """A label raster in memory."""

    bands, nodata, path = 1, None, Path("numbers")

    def __init__(self, rows: list[list[int]]) -> None:
        self.labels = np.array(rows, np.int32)
        self.frame, self.dtype = self.labels.shape, self.labels.dtype

    def window(self, box: tuple[int, int, int, int]) -> np.ndarray:
        return self.labels[box[1] : box[3], box[0] : box[2], None]


def settled(rows: list[list[int]], claims: dict[int, list[list[float]]], order: list[int], tmp_path: Path) -> list[list[int]]:
    labels: Any = Labels.of(Numbers(rows))  # type: ignore[arg-type]
    height, width = labels.raster.frame
    given = []
    for number in order:
        values = np.array(claims[number])
        mask = BoxMask(values > 0, 0, 0, (height, width))
        claim = exclusive.claimed(mask, exclusive.claim_of(mask, values.astype(np.float32)))
        given.append((int(np.flatnonzero(labels.numbers == number)[0]), (0, 0, width, height), claim))
    return Claims(labels, given, tmp_path).tile((0, 0, width, height)).tolist()


@pytest.mark.parametrize("order", [[1, 2], [2, 1]])
@pytest.mark.parametrize(
    ("rows", "one", "two", "expected"),
    [
        ([[1, 1, 2, 2, 0]], [[0.9, 0.9, 0.8, 0, 0]], [[0, 0, 0.7, 0.9, 0.9]], [[1, 1, 1, 2, 2]]),  # the more probable one
        ([[1, 1, 2, 2, 0]], [[0.9, 0.9, 0.8, 0, 0]], [[0, 0.9, 0.8, 0.9, 0]], [[1, 1, 2, 2, 0]]),  # a tie: who had it
        ([[1, 1, 2, 2, 0]], [[0.9, 0, 0, 0, 0]], [[0, 0, 0, 0.9, 0]], [[1, 1, 2, 2, 0]]),  # no hole between two
        ([[0, 1, 1, 1, 0, 0, 2]], [[0, 0, 0.9, 0.9, 0, 0, 0]], [[0] * 6 + [0.9]], [[0, 0, 1, 1, 0, 0, 2]]),  # background
        ([[1, 1, 2, 0]], [[0.9, 0.9, 0.9, 0.9]], [[0, 0, 0.6, 0.6]], [[1, 1, 2, 1]]),  # no number is lost
    ],
)
def test_overlaps_are_resolved_in_no_order(
    tmp_path: Path, order: list[int], rows: list[list[int]], one: list[list[float]], two: list[list[float]], expected: list[list[int]]
) -> None:
    assert settled(rows, {1: one, 2: two}, order, tmp_path) == expected


def test_numbers_below_zero_stay(tmp_path: Path) -> None:
    assert settled([[-5, 1, 1, 0]], {1: [[0.9, 0.9, 0.9, 0.9]]}, [1], tmp_path) == [[-5, 1, 1, 1]]


def test_windows_hold_their_instances_and_few_of_them() -> None:
    boxes = np.array([[x, y, x + 9, y + 9] for x in range(0, 900, 10) for y in range(0, 900, 10)] + [[5, 5, 895, 890]])
    order, windows = windows_of(boxes, np.array([81] * 8100 + [700_000]), (900, 900))
    assert sorted(order.tolist()) == list(range(8101))
    counts = np.unique(windows, axis=0, return_counts=True)[1]
    assert counts.max() <= 64
    around = np.clip(boxes[order] + (-64, -64, 64, 64), 0, 900)
    assert (windows[:, :2] <= around[:, :2]).all()
    assert (windows[:, 2:] >= around[:, 2:]).all()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--scheme", "grid"], "expected scheme dense"),
        (["--keep", "0.5"], "expected no budget of patches"),
        (["--out", "out.png"], "expected a .tif or .geojson"),
    ],
)
def test_what_does_not_fit_is_one_line(files: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str) -> None:
    out = [] if "--out" in words else ["--out", str(files / "x.tif")]
    given = [str(files / "labels_plain.tif"), "--img-dir", str(files / "image_plain.tif"), "--model", "identity"]
    assert main(["refine", *given, *out, *words]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_window_that_would_be_too_large_keeps_the_instance(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(places, "LARGEST_WINDOW", 2**17)
    monkeypatch.setattr(places, "CELL", 64)
    refine(files, tmp_path / "out.tif")
    assert "expected an instance in a window of about 362x362 pixels, got one that needs" in capsys.readouterr().err
    _, labels = scene()
    assert np.array_equal(tifffile.imread(tmp_path / "out.tif") == 70_000, labels == 70_000)
