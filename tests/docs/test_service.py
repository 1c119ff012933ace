"""The service of docs/service.md answers as the page says."""

from __future__ import annotations

import runpy
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import bpr
from bpr.io.png import encode_png
from bpr.scenes import coarse_masks, paint_scene
from tests.conftest import ROOT
from tests.docs.pages import blocks

for needed in ("fastapi", "httpx", "multipart"):
    pytest.importorskip(needed)
SCENE = paint_scene(2, (120, 160))
MASK = coarse_masks(SCENE, "mask_head", 2)[0].to_frame().astype(np.uint8) * 255
PHOTO, COARSE = encode_png(SCENE.image), encode_png(MASK)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from fastapi.testclient import TestClient

    (program,) = [block.text for block in blocks(ROOT / "docs" / "service.md") if block.language == "python"]
    path: Path = tmp_path_factory.mktemp("service") / "service.py"
    path.write_text(program)
    return TestClient(runpy.run_path(str(path))["app"])


def answer(client: Any, photo: bytes, mask: bytes) -> Any:
    return client.post("/refine", files={"photo": ("photo.png", photo), "mask": ("mask.png", mask)})


def test_it_refines(client: Any) -> None:
    found = answer(client, PHOTO, COARSE)
    assert (found.status_code, found.headers["content-type"]) == (200, "image/png")
    refined = cv2.imdecode(np.frombuffer(found.content, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert np.array_equal(refined, bpr.load("starter")(SCENE.image, MASK > 0) * np.uint8(255))
    assert not np.array_equal(refined, MASK)


@pytest.mark.parametrize(
    ("photo", "mask", "detail"),
    [
        (b"no photo", COARSE, "image: not an image that OpenCV can decode"),
        (PHOTO[:200], COARSE, "image: expected a whole image, got one that is cut"),
        (PHOTO, b"no mask", "mask: not an image that OpenCV can decode"),
        (PHOTO, COARSE[:60], "mask: expected a whole PNG, got one that is cut or damaged"),
        (PHOTO, b"", "mask: "),
        (PHOTO, encode_png(MASK[:50]), "masks: expected (N, 120, 160) as the image, got (50, 160)"),
    ],
)
def test_what_the_client_did_wrong_is_422_with_one_line(client: Any, photo: bytes, mask: bytes, detail: str) -> None:
    found = answer(client, photo, mask)
    assert found.status_code == 422
    assert found.json()["detail"].startswith(detail)


def test_a_full_queue_is_503_while_health_answers(client: Any) -> None:
    endpoints = {route.path: route.endpoint for route in client.app.routes}
    places = endpoints["/refine"].__globals__["places"]
    while places.acquire(blocking=False):
        pass
    try:
        assert answer(client, PHOTO, COARSE).status_code == 503
        assert iscoroutinefunction(endpoints["/health"])  # so it needs none of the threads, which may all be waiting
        assert client.get("/health").status_code == 200
    finally:
        for _ in range(20):
            places.release()
    assert answer(client, PHOTO, COARSE).status_code == 200


def test_health_says_what_runs(client: Any) -> None:
    assert client.get("/health").json()["refiner"].startswith("Refiner(starter on ")
