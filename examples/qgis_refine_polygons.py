"""A Processing algorithm for QGIS: polygons of a layer follow the edges of a raster layer.

Copy this file into the folder that QGIS shows at Processing > Toolbox > Scripts > Open Script in Toolbox, or add it with
"Add Script to Toolbox". It calls the command ``bpr``, which may live in an environment of its own: QGIS's Python needs
nothing. Polygons are brought into the coordinate system of the raster; their fields stay.
"""

import os
import subprocess
import tempfile
from pathlib import Path

from qgis.core import (
    QgsCoordinateTransform,
    QgsProcessing,
    QgsProcessingAlgorithm,
    QgsProcessingException,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
    QgsProcessingParameterVectorDestination,
    QgsProcessingParameterVectorLayer,
    QgsVectorFileWriter,
)


class RefinePolygons(QgsProcessingAlgorithm):
    def createInstance(self):
        return RefinePolygons()

    def name(self):
        return "refinepolygons"

    def displayName(self):
        return "Refine polygons (BPR)"

    def shortHelpString(self):
        return "Moves the outlines of polygons to the edges of an image. Polygons that fit already stay as they are."

    def initAlgorithm(self, config=None):
        polygons = [QgsProcessing.TypeVectorPolygon]
        self.addParameter(QgsProcessingParameterRasterLayer("IMAGE", "Image"))
        self.addParameter(QgsProcessingParameterVectorLayer("POLYGONS", "Polygons", polygons))
        self.addParameter(QgsProcessingParameterString("MODEL", "Model", "starter"))
        self.addParameter(QgsProcessingParameterString("COMMAND", "Command", "bpr"))
        self.addParameter(QgsProcessingParameterVectorDestination("REFINED", "Refined polygons", defaultValue="refined.geojson"))

    def processAlgorithm(self, parameters, context, feedback):
        image = self.parameterAsRasterLayer(parameters, "IMAGE", context)
        polygons = self.parameterAsVectorLayer(parameters, "POLYGONS", context)
        model, command = (self.parameterAsString(parameters, name, context) for name in ("MODEL", "COMMAND"))
        refined = self.parameterAsOutputLayer(parameters, "REFINED", context)
        if not refined.endswith(".geojson"):
            raise QgsProcessingException(f"{refined}: expected a name that ends in .geojson; choose one")
        options = QgsVectorFileWriter.SaveVectorOptions()
        options.driverName = "GeoJSON"
        options.ct = QgsCoordinateTransform(polygons.crs(), image.crs(), context.transformContext())
        with tempfile.TemporaryDirectory() as folder:
            given = str(Path(folder) / "polygons.geojson")
            code, message, *_ = QgsVectorFileWriter.writeAsVectorFormatV3(polygons, given, context.transformContext(), options)
            if code != QgsVectorFileWriter.NoError:
                raise QgsProcessingException(message)
            words = [command, "refine", given, "--img-dir", image.source(), "--model", model, "--out", refined]
            alone = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}  # QGIS sets some
            ran = subprocess.run(words, capture_output=True, text=True, env=alone)
        for line in [*ran.stdout.splitlines(), *ran.stderr.splitlines()]:
            feedback.pushInfo(line)
        if ran.returncode:
            raise QgsProcessingException((ran.stderr.strip() or "bpr failed").splitlines()[-1])
        return {"REFINED": refined}
