"""The page of `make web` in a real browser, served as any static host does: drop, paint, refine, compare, download.

Every test also fails on a console message, and on a request to anything but the page's own files.
"""

from __future__ import annotations

import base64
import threading
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

import bpr
from bpr.errors import BadMask
from bpr.geometry.rle import decode_mask
from bpr.io.images import decode_shown
from bpr.io.png import encode_png
from tests.browser import Tab
from tests.scripts import run_tool

pytest.importorskip("flask", reason="the page is that of bpr app (the [app] extra)")
from bpr.app.server import demo_files
from tools.build_web import RUNTIME

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

expect = pytest.importorskip("playwright.sync_api", reason="the page's tests drive a browser with playwright").expect
MODEL = "starter-fast"
NEAR_HALF = 1e-3
WAIT = 120_000
expect.set_options(timeout=WAIT)
Open = Callable[..., "Page"]


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the page."""
    if not RUNTIME.is_dir():
        pytest.skip("onnxruntime-web is not installed (npm ci --prefix web)")
    folder = tmp_path_factory.mktemp("web")
    assert run_tool("build_web", ["--model", MODEL, "--out", str(folder)]) == 0
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.fixture
def opened(browser: Browser, site: str) -> Iterator[Open]:
    """Open the page in a tab of its own."""
    tabs: list[Tab] = []

    def open_page(width: int = 1160, height: int = 900) -> Page:
        tabs.append(Tab(browser, width, height, allowed=(site, f"blob:{site}", "data:")))
        tabs[-1].page.set_default_timeout(WAIT)
        tabs[-1].page.goto(site)
        return tabs[-1].page

    yield open_page
    for tab in tabs:
        tab.context.close()
        assert tab.wrong == []


def give(page: Page, role: str, content: bytes, name: str) -> None:
    page.locator(f"#{role}").set_input_files({"name": name, "mimeType": "image/png", "buffer": content})


def drop(page: Page, role: str, content: bytes, name: str) -> None:
    """Drop a file on its zone, as a mouse does."""
    transfer = page.evaluate_handle(
        """([text, name]) => {
            const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)), transfer = new DataTransfer();
            transfer.items.add(new File([bytes], name, {type: "image/png"}));
            return transfer;
        }""",
        [base64.b64encode(content).decode(), name],
    )
    page.dispatch_event(f".zone[data-role={role}]", "drop", {"dataTransfer": transfer})


def refine(page: Page) -> None:
    page.locator("#refine").click()
    expect(page.locator("#result")).to_be_visible()
    expect(page.locator("#busy")).to_be_hidden()


def saved(page: Page, button: str, folder: Path) -> tuple[str, np.ndarray]:
    """The name of a file and its (H, W, C) pixels, RGB or RGBA."""
    with page.expect_download() as waiting:
        page.locator(button).click()
    waiting.value.save_as(folder / "saved.png")
    pixels = cv2.imread(str(folder / "saved.png"), cv2.IMREAD_UNCHANGED)
    return waiting.value.suggested_filename, pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]


def test_what_is_dropped_comes_back_as_python_refines_it(opened: Open, tmp_path: Path) -> None:
    page, demo = opened(), demo_files()
    photo, mask = (decode_shown(demo[role], role).pixels for role in ("photo", "mask"))
    size = f"{photo.shape[1]} × {photo.shape[0]}"
    drop(page, "photo", demo["photo"], "my photo.png")
    expect(page.get_by_text(f"my photo.png, {size}")).to_be_visible()
    drop(page, "mask", demo["mask"], "rough.png")
    expect(page.get_by_text(f"rough.png, {size}")).to_be_visible()
    refine(page)
    wanted = {"return_probability": True, "return_verdict": True, "return_patches": True}
    expected = bpr.load(MODEL)(photo, mask[..., 0] > 127, **wanted)
    name, pixels = saved(page, "#download", tmp_path)
    differs = (pixels[..., 0] > 0) != expected.masks
    assert (name, np.unique(pixels[..., :3]).tolist()) == ("rough_refined.png", [0, 255])
    assert (np.abs(expected.probability[differs] - 0.5) <= NEAR_HALF).all()
    assert expected.verdicts[0].taken != "nothing"
    changed = np.count_nonzero((mask[..., 0] > 127) != (pixels[..., 0] > 0))
    expect(page.locator("#verdicts")).to_contain_text(f"changed by {changed:,} px")
    assert page.locator("#facts dd").first.inner_text() == str(len(expected.patches[0].boxes))
    name, cut = saved(page, "#cutout", tmp_path)
    inside = cut[..., 3] > 0
    assert name == "rough_cutout.png"
    assert np.array_equal(inside, pixels[..., 0] > 0)
    assert np.array_equal(cut[inside][:, :3], photo[inside])
    page.get_by_role("radio", name="Changes").check()
    page.locator("#slider").fill("20")
    page.get_by_role("button", name="Zoom to patch 1").click()


def test_a_painted_mask_on_a_phone(opened: Open, tmp_path: Path) -> None:
    page = opened(375, 740)
    disk = cv2.circle(np.full((200, 320, 3), 60, np.uint8), (160, 100), 60, (200, 160, 90), -1)
    give(page, "photo", cv2.imencode(".png", disk)[1].tobytes(), "disk.png")
    page.get_by_role("radio", name="Lasso").check()
    page.locator("#paper").scroll_into_view_if_needed()
    box = page.locator("#paper").bounding_box()
    assert box is not None
    scale = box["width"] / 320
    around = np.deg2rad(np.arange(0, 360, 30))  # a rough outline: twelve corners, a few pixels outside the disk
    points = [(box["x"] + scale * (160 + 65 * np.cos(a)), box["y"] + scale * (100 + 65 * np.sin(a))) for a in around]
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point)
    assert page.locator("#paper").bounding_box() == box, "the page stays under the pen"
    page.mouse.up()
    page.locator("#refine").click()
    page.keyboard.press("Escape")
    expect(page.locator("#busy")).to_be_hidden()
    if page.locator("#drawing").is_hidden():  # it was done before it was cancelled
        page.locator("#back").click()
    refine(page)
    if page.locator("#every-change").is_visible():  # it depends on the verdict of the model whether it held something back
        page.locator("#every-change").click()
        expect(page.locator("#busy")).to_be_hidden()
    expect(page.locator("#every-change")).to_be_hidden()
    name, pixels = saved(page, "#download", tmp_path)
    refined, truth = pixels[..., 0] > 0, disk[..., 0] > 100
    assert name == "disk_refined.png"
    assert np.count_nonzero(refined & truth) / np.count_nonzero(refined | truth) > 0.97
    for part in ("header", "main", "#stage", "#modes", "#places", "#download", "#cutout"):
        seen = page.locator(part).first.bounding_box()
        assert seen is not None
        assert 0 <= seen["x"] <= seen["x"] + seen["width"] <= 375, part


RAMP = np.zeros((60, 80), np.uint8)
RAMP[20:40, 30:60] = 255
SOFT, PAINT = cv2.blur(RAMP, (7, 7)), np.dstack([RAMP * 0 + 200] * 3 + [RAMP])
PICTURES = {
    "0 and 255": RAMP,
    "0 and 1": RAMP // 255,
    "soft": SOFT,
    "colour on black": np.dstack([RAMP // 4, RAMP // 2, RAMP]),
    "soft colour on black": np.dstack([SOFT // 4, SOFT // 2, SOFT]),
    "paint on a transparent layer": PAINT,
    "all of the picture": RAMP * 0 + 255,
    "nothing": RAMP * 0,
    "label map": np.add.outer(np.arange(60) // 20, np.arange(80) // 40 * 3).astype(np.uint8),
    "two colours": np.dstack([RAMP, RAMP[::-1, ::-1], RAMP * 0]),
}


def test_a_picture_is_the_mask_that_python_reads(opened: Open, tmp_path: Path) -> None:
    page = opened()
    for kind, picture in PICTURES.items():
        content = cv2.imencode(".png", picture)[1].tobytes()
        (tmp_path / "mask.png").write_bytes(content)
        seen = page.evaluate(
            """async (text) => {
                const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)), form = new FormData();
                form.append("mask", new File([bytes], "mask.png", {type: "image/png"}));
                return (await bprWeb.fetch("mask", {body: form})).json();
            }""",
            base64.b64encode(content).decode(),
        )
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                expected = bpr.read_mask(tmp_path / "mask.png")
        except BadMask:
            expected = np.zeros(1, bool)
        if not expected.any():
            assert seen["error"].startswith("mask.png: expected "), kind
            continue
        assert np.array_equal(decode_mask({"size": RAMP.shape, "counts": seen["counts"]}).to_frame(), expected), kind
        assert bool(seen["remark"]) == bool(expected.all()), kind


def test_a_wrong_file_is_one_line(opened: Open) -> None:
    page = opened()
    give(page, "photo", encode_png(np.full((50, 60, 3), 90, np.uint8)), "photo.png")
    give(page, "mask", b"no picture", "mask.png")
    line = "mask.png: not an image that this browser can decode; expected PNG, JPEG, WebP or BMP"
    expect(page.get_by_role("alert")).to_have_text(line)


def test_from_the_disk_it_says_what_it_needs(browser: Browser, site: str, tmp_path: Path) -> None:
    assert run_tool("build_web", ["--model", MODEL, "--out", str(tmp_path)]) == 0
    tab = Tab(browser, 1160, 900)
    tab.page.set_default_timeout(WAIT)
    tab.page.goto((tmp_path / "index.html").as_uri())
    expect(tab.page.get_by_role("alert")).to_contain_text("has to come from a server")
    tab.context.close()
    assert tab.wrong == []
