"""The script for QGIS refines the polygons of a layer, in QGIS itself without a window (Debian: python3-qgis)."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tifffile", reason="the [raster] extra is not installed")
pytest.importorskip("qgis.core", reason="QGIS is not installed")

import tifffile
from qgis import core

from examples.qgis_refine_polygons import RefinePolygons

PLACED = [
    (33550, "d", 3, (0.5, 0.5, 0.0), True),
    (33922, "d", 6, (0, 0, 0, 5e5, 4e6, 0), True),
    (34735, "H", 8, (1, 1, 0, 1, 3072, 0, 1, 32633), True),
]
"""Half a metre a pixel, EPSG:32633."""
TRUE = (500040.0, 3999960.0, 500100.0, 3999910.0)
"""West, north, east and south of a field."""


@pytest.fixture(scope="module", autouse=True)
def host() -> Iterator[None]:
    application = core.QgsApplication([], False)
    application.initQgis()
    yield
    application.exitQgis()


@pytest.fixture
def given(tmp_path: Path) -> dict[str, Any]:
    """A bright field in an image, and in degrees a polygon that is 2 m too large on all sides."""
    rng = np.random.default_rng(0)
    image = np.clip(rng.normal(90, 5, (240, 320, 3)), 0, 255)
    image[80:180, 80:200] += 90
    tifffile.imwrite(tmp_path / "image.tif", image.astype(np.uint8), photometric="rgb", tile=(64, 64), extratags=PLACED)
    west, north, east, south = np.add(TRUE, (-2, 2, 2, -2))
    metres, degrees = (core.QgsCoordinateReferenceSystem(f"EPSG:{code}") for code in (32633, 4326))
    moved = core.QgsCoordinateTransform(metres, degrees, core.QgsCoordinateTransformContext())
    ring = [moved.transform(x, y) for x, y in ((west, north), (west, south), (east, south), (east, north), (west, north))]
    geometry = {"type": "Polygon", "coordinates": [[[point.x(), point.y()] for point in ring]]}
    feature = {"type": "Feature", "properties": {"crop": "wheat"}, "geometry": geometry}
    (tmp_path / "fields.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    command = str(Path(sys.executable).with_name("bpr"))
    layers = {"IMAGE": str(tmp_path / "image.tif"), "POLYGONS": str(tmp_path / "fields.geojson")}
    return {**layers, "MODEL": "starter-fast", "COMMAND": command, "REFINED": str(tmp_path / "out.geojson")}


def run(given: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    algorithm, context, feedback = RefinePolygons().create(), core.QgsProcessingContext(), core.QgsProcessingFeedback()
    return algorithm.run(given, context, feedback)


def test_a_polygon_follows_the_field(given: dict[str, Any]) -> None:
    assert run(given) == ({"REFINED": given["REFINED"]}, True)
    layer = core.QgsVectorLayer(given["REFINED"])
    assert layer.crs().authid() == "EPSG:32633"
    (feature,) = layer.getFeatures()
    assert feature["crop"] == "wheat"
    box = feature.geometry().boundingBox()
    found = np.array([box.xMinimum(), box.yMaximum(), box.xMaximum(), box.yMinimum()])
    assert np.abs(found - TRUE).max() <= 1


def test_what_bpr_refuses_is_the_error_of_qgis(given: dict[str, Any]) -> None:
    algorithm, context, feedback = RefinePolygons().create(), core.QgsProcessingContext(), core.QgsProcessingFeedback()
    assert algorithm.run({**given, "MODEL": "none"}, context, feedback) == ({}, False)
    assert "model 'none': expected one of" in feedback.textLog()
