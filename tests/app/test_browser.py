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
from bpr.scenes import real_photograph
from tests.browser import Tab

pytest.importorskip("flask", reason="the page of bpr app needs Flask (the [app] extra)")
from bpr.app.server import demo_files, listen, make_app

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

expect = pytest.importorskip("playwright.sync_api", reason="the page's tests drive a browser with playwright").expect
expect.set_options(timeout=10_000)

Open = Callable[..., "Page"]


def demo_mask() -> np.ndarray:
    """(512, 512) 0 and 255."""
    return cv2.imdecode(np.frombuffer(demo_files()["mask"], np.uint8), cv2.IMREAD_UNCHANGED)


def knowing() -> Refiner:
    """A refiner that takes the man's outline for the truth: as fast as one that changes nothing, and it changes something."""
    return Refiner(OraclePredictor({0: real_photograph().masks[0]}))


@contextmanager
def served(refiner: Refiner, **options: int) -> Iterator[str]:
    """The address of a page."""
    demo_files()  # painted before the clocks of the tests run
    server = listen(make_app(refiner, "a model", **options), "127.0.0.1", 0)
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


def try_the_sample(page: Page) -> None:
    page.get_by_role("button", name="Try the sample").click()
    expect(page.get_by_text("sample_mask.png, 512 × 512")).to_be_visible()
    expect(page.get_by_role("button", name="Refine")).to_be_enabled()


def refine(page: Page) -> None:
    page.get_by_role("button", name="Refine").click()
    expect(page.get_by_role("slider", name="Share of the picture")).to_be_focused()


def download(page: Page, folder: Path) -> tuple[str, np.ndarray]:
    """Its name and numbers."""
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Download mask").click()
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


def test_from_the_sample_to_the_files(opened: Open, oracle: str, tmp_path: Path) -> None:
    page = opened(oracle)
    try_the_sample(page)
    refine(page)
    image = real_photograph().image
    expected = knowing()(image, demo_mask(), return_patches=True)
    changed = np.count_nonzero(expected.masks != demo_mask())
    assert page.locator("#facts dd").first.inner_text() == str(len(expected.patches[0].boxes))
    said = f"changed by {changed:,} px, {100 * changed / np.count_nonzero(demo_mask()):.1f} % of the mask"
    expect(page.locator("#verdicts .soft")).to_have_text(said)
    name, numbers = download(page, tmp_path)
    assert name == "sample_mask_refined.png"
    assert np.array_equal(numbers, expected.masks)
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download cut-out").click()
    assert waiting.value.suggested_filename == "sample_mask_cutout.png"
    cutout = cv2.imread(str(waiting.value.path()), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(cutout, np.dstack([image[..., ::-1], expected.masks]))


def test_several_masks_and_what_became_of_each(opened: Open, oracle: str, tmp_path: Path) -> None:
    page = opened(oracle)
    try_the_sample(page)
    page.get_by_role("button", name="Add a mask").click()
    drag(page, "#paper", (0.81, 0.25), (0.84, 0.36))
    refine(page)
    rows = page.locator("#verdicts button")
    expect(rows).to_have_count(2)
    expect(rows.nth(1)).to_contain_text("painted 1kept as it was")
    expect(page.locator("#advice")).to_have_text("The network proposes no change.")
    assert download(page, tmp_path)[0] == "sample_photo_painted_1_refined.png"
    rows.nth(0).click()
    expect(rows.nth(0)).to_have_attribute("aria-pressed", "true")
    expect(rows.nth(0)).to_be_focused()
    assert download(page, tmp_path)[0] == "sample_mask_refined.png"
    page.get_by_role("button", name="Edit the masks").click()
    page.get_by_role("button", name="Remove painted 1").click()
    expect(page.locator("#masks button")).to_have_count(1)


def test_zoom_while_painting(opened: Open, identity: str, tmp_path: Path) -> None:
    page = opened(identity)
    page.locator("#photo").set_input_files({"name": "photo.png", "mimeType": "image/png", "buffer": photo(".png", (256, 256))})
    page.keyboard.down("Control")
    page.locator("#paper-stage").hover()
    for _ in range(8):
        page.mouse.wheel(0, -60)
    page.keyboard.up("Control")
    expect(page.locator("#zoom")).to_have_text("16.0 ×")
    page.get_by_role("radio", name="Lasso").check()
    # At 16 times the stage shows the 16 pixels in the middle of 256.
    drag(page, "#paper-stage", (0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75))
    page.get_by_role("button", name="Whole photo").click()
    expect(page.locator("#zoom")).to_have_text("1.0 ×")
    refine(page)
    expected = np.zeros((256, 256), np.uint8)
    expected[124:132, 124:132] = 255
    assert np.count_nonzero(download(page, tmp_path)[1] != expected) <= 16


def test_a_large_photo_is_scaled_and_that_is_said(opened: Open, tmp_path: Path) -> None:
    with served(bpr.load("identity"), most_pixels=16_000) as address:
        page = opened(address)
        page.locator("#photo").set_input_files({"name": "large.jpg", "mimeType": "image/jpeg", "buffer": photo(".jpg")})
        expect(page.get_by_role("status").first).to_contain_text("worked on at 160 × 100 pixels")
        mask = np.zeros((200, 320), np.uint8)
        mask[51:150, 81:240] = 255
        page.locator("#mask").set_input_files({"name": "m.png", "mimeType": "image/png", "buffer": encode_png(mask)})
        refine(page)
        assert np.array_equal(download(page, tmp_path)[1], mask)


def test_a_refinement_can_be_cancelled(opened: Open) -> None:
    refiner, go_on = bpr.load("identity", batch_size=1), threading.Event()
    predict = refiner.predictor.predict
    refiner.predictor.predict = lambda batch: (go_on.wait(20), predict(batch))[1]  # type: ignore[method-assign]
    with served(refiner) as address:
        page = opened(address)
        try_the_sample(page)
        page.get_by_role("button", name="Refine").click()
        page.get_by_role("button", name="Cancel").click()
        expect(page.locator("#busy")).to_be_hidden()
        expect(page.get_by_role("alert")).to_be_hidden()
        expect(page.locator("#drawing")).to_be_visible()
        go_on.set()
        refine(page)


def test_the_slider_the_patches_and_the_places(opened: Open, oracle: str) -> None:
    page = opened(oracle)
    try_the_sample(page)
    refine(page)
    slider, middle = page.locator("#slider"), shown(page)
    drag(page, "#stage", (0.5, 0.9), (0.25, 0.9))
    assert 15 < int(slider.input_value()) < 35
    moved = shown(page)
    height, width = middle.shape[:2]
    # Between the two places of the line, where the man's head is, it shows now after and not before.
    between = np.s_[: height // 2, width * 35 // 100 : width * 45 // 100]
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
    expect(page.locator("#guide")).not_to_have_attribute("open", "")
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
    page.get_by_role("button", name="Edit the masks").click()
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
    try_the_sample(page)
    expect(page.get_by_role("alert")).to_be_hidden()


def test_a_phone_and_no_mouse(opened: Open, oracle: str) -> None:
    page = opened(oracle, 375, 740)
    page.get_by_role("button", name="Try the sample").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Refine")).to_be_enabled()
    expect(page.get_by_role("button", name="Try the sample")).to_be_focused()
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
