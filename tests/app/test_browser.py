"""The page of ``bpr app`` in a real browser.

Every test also fails on a console message, and on a request to anything but the page's server.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

import bpr
from bpr.io.png import encode_png, read_labels
from bpr.refinement.predictor import OraclePredictor
from bpr.refinement.refiner import Refiner
from bpr.scenes import paint_scene
from tests.browser import Tab

pytest.importorskip("flask", reason="the page of bpr app needs Flask (the [app] extra)")
from bpr.app.server import DEMO_SEED, demo_files, listen, make_app

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

expect = pytest.importorskip("playwright.sync_api", reason="the page's tests drive a browser with playwright").expect
expect.set_options(timeout=10_000)

Open = Callable[..., "Page"]


def demo_mask() -> np.ndarray:
    """(480, 640) 0 and 255."""
    return cv2.imdecode(np.frombuffer(demo_files()["mask"], np.uint8), cv2.IMREAD_UNCHANGED)


def knowing() -> Refiner:
    """A refiner that knows the object of the demo: as fast as one that changes nothing, and it changes something."""
    truth = max(paint_scene(DEMO_SEED).masks, key=lambda mask: mask.area)
    return Refiner(OraclePredictor({0: truth}))


@contextmanager
def served(refiner: Refiner) -> Iterator[str]:
    """The address of a page."""
    demo_files()  # painted before the clocks of the tests run
    server = listen(make_app(refiner, "a model"), "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.port}/"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def oracle() -> Iterator[str]:
    with served(knowing()) as address:
        yield address


@pytest.fixture(scope="module")
def identity() -> Iterator[str]:
    with served(bpr.load("identity")) as address:
        yield address


@pytest.fixture
def opened(browser: Browser) -> Iterator[Open]:
    """Open an address in a tab of its own."""
    tabs: list[Tab] = []

    def open_page(address: str, width: int = 1160, height: int = 900) -> Page:
        tabs.append(Tab(browser, width, height, allowed=(address, f"blob:{address}", "data:")))
        tabs[-1].page.goto(address)
        return tabs[-1].page

    yield open_page
    for tab in tabs:
        tab.context.close()
        assert tab.wrong == []


def try_the_demo(page: Page) -> None:
    page.get_by_role("button", name="Try the demo").click()
    expect(page.get_by_text("demo_mask.png, 640 × 480")).to_be_visible()
    expect(page.get_by_role("button", name="Refine")).to_be_enabled()


def refine(page: Page) -> None:
    page.get_by_role("button", name="Refine").click()
    expect(page.get_by_role("slider", name="Share of the picture")).to_be_focused()


def download(page: Page, folder: Path) -> tuple[str, np.ndarray]:
    """Its name and numbers."""
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Download PNG").click()
    waiting.value.save_as(folder / "refined.png")
    return waiting.value.suggested_filename, read_labels(folder / "refined.png")[0]


def shown(page: Page) -> np.ndarray:
    """The stage as it is seen."""
    return cv2.imdecode(np.frombuffer(page.locator("#stage").screenshot(), np.uint8), cv2.IMREAD_COLOR).astype(int)


def drag(page: Page, on: str, *places: tuple[float, float]) -> None:
    """Press the mouse at the first place, walk along the others and let go; places are shares of the sides."""
    box = page.locator(on).bounding_box()
    assert box is not None
    points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in places]
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=3)
    page.mouse.up()


def test_from_the_demo_to_the_file(opened: Open, oracle: str, tmp_path: Path) -> None:
    page = opened(oracle)
    try_the_demo(page)
    refine(page)
    expected = knowing()(paint_scene(DEMO_SEED).image, demo_mask(), return_patches=True)
    changed = np.count_nonzero(expected.masks != demo_mask())
    facts = page.locator("#facts dd").all_inner_texts()
    assert facts[:2] == [
        str(len(expected.patches[0].boxes)),
        f"{changed:,} px, {100 * changed / np.count_nonzero(demo_mask()):.1f} % of the mask",
    ]
    name, numbers = download(page, tmp_path)
    assert name == "demo_mask_refined.png"
    assert np.array_equal(numbers, expected.masks)


def test_the_slider_the_patches_and_the_places(opened: Open, oracle: str) -> None:
    page = opened(oracle)
    try_the_demo(page)
    refine(page)
    slider, middle = page.locator("#slider"), shown(page)
    drag(page, "#stage", (0.5, 0.3), (0.25, 0.3))
    assert 15 < int(slider.input_value()) < 35
    moved = shown(page)
    height, width = middle.shape[:2]
    # Between the two places of the line, the lower half, which holds the object, shows now after and not before.
    between = np.s_[height // 2 :, width * 35 // 100 : width * 45 // 100]
    assert np.abs(moved[between] - middle[between]).max() > 60
    page.get_by_label("Show patches").check()
    patches = shown(page)
    assert 0.005 < (np.abs(patches - moved).max(axis=2) > 60).mean() < 0.2
    page.get_by_role("radio", name="Changes").check()
    expect(page.locator("#keys")).to_have_text("addedtaken away")
    place = page.get_by_role("button", name="Zoom to patch 1")
    place.click()
    expect(place).to_have_attribute("aria-pressed", "true")
    box = page.locator("#stage").bounding_box()
    assert box is not None
    assert box["width"] == pytest.approx(box["height"], abs=2)


def test_a_mask_drawn_by_hand(opened: Open, identity: str, tmp_path: Path) -> None:
    page = opened(identity)
    page.locator("#photo").set_input_files({"name": "my photo.jpg", "mimeType": "image/jpeg", "buffer": photo(".jpg")})
    expect(page.get_by_text("my photo.jpg, 320 × 200")).to_be_visible()
    expect(page.get_by_role("button", name="Refine")).to_be_disabled()
    drag(page, "#paper", (0.8, 0.1), (0.95, 0.9))
    page.keyboard.press("Control+z")
    expect(page.get_by_role("button", name="Undo")).to_be_disabled()
    page.get_by_role("radio", name="Lasso").check()
    drag(page, "#paper", (0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75))
    page.get_by_role("radio", name="Eraser").check()
    drag(page, "#paper", (0.1, 0.5), (0.9, 0.5))
    refine(page)
    name, numbers = download(page, tmp_path)
    assert (name, numbers.shape, numbers.dtype) == ("my photo_refined.png", (200, 320), np.uint8)
    expected = np.zeros((200, 320), np.uint8)
    expected[50:150, 80:240] = 255
    expected[95:105] = 0  # of a brush of 3 % of the longer side
    assert np.mean(numbers != expected) < 0.01
    page.get_by_role("button", name="Edit the mask").click()
    page.get_by_role("button", name="Clear").click()
    expect(page.get_by_role("button", name="Refine")).to_be_disabled()


def photo(suffix: str, frame: tuple[int, int] = (200, 320)) -> bytes:
    return cv2.imencode(suffix, np.full((*frame, 3), 90, np.uint8))[1].tobytes()


def test_a_mask_of_another_size_is_one_line(opened: Open, identity: str) -> None:
    page = opened(identity)
    # The mask first: it waits for its photo.
    page.locator("#mask").set_input_files(
        {"name": "mask.png", "mimeType": "image/png", "buffer": encode_png(np.ones((20, 30), np.uint8))}
    )
    expect(page.get_by_text("mask.png, 30 × 20")).to_be_visible()
    page.locator("#photo").set_input_files({"name": "<b>.png", "mimeType": "image/png", "buffer": photo(".png")})
    line = "mask.png: expected 320x200 pixels (width x height) as the photo, got 30x20; save it at the photo's size"
    expect(page.get_by_role("alert")).to_have_text(line)
    page.locator("#photo").set_input_files({"name": "<b>.png", "mimeType": "image/png", "buffer": b"no picture"})
    line = "<b>.png: expected a photo that this browser can show (PNG, JPEG, WebP), got another file"
    expect(page.get_by_role("alert")).to_have_text(line)
    try_the_demo(page)
    expect(page.get_by_role("alert")).to_be_hidden()


def test_a_phone_and_no_mouse(opened: Open, oracle: str) -> None:
    page = opened(oracle, 375, 740)
    page.get_by_role("button", name="Try the demo").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Refine")).to_be_enabled()
    expect(page.get_by_role("button", name="Try the demo")).to_be_focused()
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.locator("#refine:focus").count():
            break
    page.keyboard.press("Enter")
    slider = page.locator("#slider")
    expect(slider).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(slider).to_have_value("51")
    for part in ("header", "main", "#stage", "#modes", "#places", "#download"):
        box = page.locator(part).first.bounding_box()
        assert box is not None
        assert box["x"] >= 0, part
        assert box["x"] + box["width"] <= 375, part
