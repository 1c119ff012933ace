"""Where the shared data sets lie, and small scenes on disk."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path

if "PYTEST_XDIST_WORKER" in os.environ:  # every core has a process already; torch and BLAS read this when they are loaded
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np
import pytest

from bpr.formats.coco import Record
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import encode_mask
from tests.browser import browser  # noqa: F401  (a fixture; one for all, since one process drives one playwright)

ROOT = Path(__file__).parents[1]
collect_ignore = ["training/toy_config.py", "training/toy_model.py"]  # configs of MMEngine, which no import can read
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # or each of the hundreds of processes that tests start compiles the package
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)  # as in a process of the command, where OpenCV is loaded later


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long tests of the page come first: as the last ones, one process did them while the other had nothing to do."""
    items.sort(key=lambda item: not item.nodeid.startswith("tests/web/"))


@pytest.fixture(scope="session", autouse=True)
def _compiled_once(tmp_path_factory: pytest.TempPathFactory) -> None:
    """OpenVINO compiles every model once; a third of the time of the short tests went into that."""
    if importlib.util.find_spec("openvino"):
        from bpr.backends.openvino import _core

        _core().set_property({"CACHE_DIR": str(tmp_path_factory.mktemp("openvino"))})


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real data sets beside the checkout; without them (outside CI) the test is skipped."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        assert os.environ.get("CI") != "true", f"CI promises real data in {folder}"
        pytest.skip("the real data sets are not here (../shared/data)")
    return folder


class SmallSet:
    """Two 120x160 images with disks: ground truth, coarse results, and the files of both."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.images = folder, folder / "images"
        self.images.mkdir(parents=True)
        rng = np.random.default_rng(0)
        images, annotations, results = [], [], []
        for image_id in (1, 2):
            pixels = rng.integers(0, 80, (120, 160, 3), dtype=np.uint8)
            images.append({"id": image_id, "file_name": f"{image_id:06d}.png", "height": 120, "width": 160})
            for centre in ((45, 50), (110, 70)):
                disk = cv2.circle(np.zeros((120, 160), np.uint8), centre, 30, 1, -1)
                pixels[disk > 0] += 150
                truth, coarse = BoxMask.from_frame(disk), BoxMask.from_frame(cv2.dilate(disk, np.ones((5, 5), np.uint8)))
                base = {"image_id": image_id, "category_id": 7}
                number = {"id": len(annotations) + 1, "iscrowd": 0, "area": truth.area}
                annotations.append({**base, **number, "bbox": truth.bbox, "segmentation": encode_mask(truth)})
                result = {**base, "score": 0.9, "bbox": coarse.bbox, "segmentation": encode_mask(coarse), "note": f"keep {image_id}"}
                results.append(result)
            cv2.imwrite(str(self.images / images[-1]["file_name"]), pixels)
        self.records: list[Record] = results
        self.document = {"images": images, "annotations": annotations, "categories": [{"id": 7, "name": "disk"}]}
        self.ann = self.write("instances.json", self.document)
        self.results = self.write("results.json", results)

    def write(self, name: str, value: object) -> Path:
        path = self.folder / name
        path.write_text(json.dumps(value))
        return path


@pytest.fixture
def small_set(tmp_path: Path) -> SmallSet:
    return SmallSet(tmp_path / "set")
