"""What the server of ``bpr app`` answers."""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import re
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

import bpr
from bpr.cli.main import main
from bpr.errors import BPRError, install_hint
from bpr.geometry.rle import decode_mask
from bpr.io.mask_picture import write_cutout
from bpr.io.png import Palette, decode_labels, encode_png
from tests.conftest import ROOT

pytest.importorskip("flask", reason="the page of bpr app needs Flask (the [app] extra)")
from bpr.app.server import ASSETS, MOST_BYTES, SCRIPTS, STYLES, listen, make_app
from bpr.app.work import WORK_PIXELS

if TYPE_CHECKING:
    from flask.testing import FlaskClient

Files = dict[str, tuple[bytes, str]]
FRAME = (120, 160)
SCALED_FROM = 30_000
TRUTH = cv2.circle(np.zeros(FRAME, np.uint8), (82, 62), 38, 1, -1)
DISK = cv2.circle(np.zeros(FRAME, np.uint8), (80, 60), 40, 1, -1)
PIXELS = np.random.default_rng(0).integers(0, 80, (*FRAME, 3), np.uint8) + 150 * TRUTH[..., None]
PHOTO = encode_png(PIXELS)
SOFT = cv2.blur(DISK * np.uint8(255), (5, 5))
PALETTE = Palette(bytes(range(30)))


@pytest.fixture(scope="module")
def client() -> FlaskClient:
    return make_app(bpr.load("identity"), "identity", SCALED_FROM).test_client()


def png(pixels: np.ndarray) -> bytes:
    """Of any number of channels."""
    return cv2.imencode(".png", pixels)[1].tobytes()


def ask(client: FlaskClient, files: Files, path: str = "/refine", **headers: str) -> tuple[int, dict[str, Any]]:
    """Status and answer: of a refinement the last line, and of its masks the first."""
    data = {role: (BytesIO(content), name) for role, (content, name) in files.items()}
    answer = client.post(path, data=data, headers=headers)
    last = json.loads(answer.text.splitlines()[-1])
    return answer.status_code, last | last["masks"][0] if "masks" in last else last


def pair(photo: bytes = PHOTO, mask: bytes | None = None) -> Files:
    return {"photo": (photo, "photo.png"), "mask": (encode_png(DISK) if mask is None else mask, "mask.png")}


def test_the_mask_is_what_bpr_load_makes_of_it() -> None:
    refiner = bpr.load("starter-fast", caution=0)
    code, answer = ask(make_app(refiner, "starter-fast").test_client(), pair())
    expected = refiner(PIXELS, DISK, return_patches=True)
    changes = expected.masks != DISK
    assert code == 200
    assert np.array_equal(decode_labels(base64.b64decode(answer["png"]), "png")[0], expected.masks)
    assert np.array_equal(decode_mask({"size": FRAME, "counts": answer["after"]}).to_frame(), expected.masks > 0)
    assert np.array_equal(decode_mask({"size": FRAME, "counts": answer["before"]}).to_frame(), DISK > 0)
    assert (answer["changed"], answer["foreground"]) == (changes.sum(), DISK.sum())
    assert sorted(answer["boxes"]) == sorted(expected.patches[0].boxes.tolist())
    inside = [changes[max(y0, 0) : y1, max(x0, 0) : x1].sum() for x0, y0, x1, y1 in answer["boxes"]]
    assert inside == sorted(inside, reverse=True)
    assert inside[0] > 0
    assert answer["verdict"] is None  # with a caution of its own the refiner takes no verdict


def refine_all(client: FlaskClient, masks: list[np.ndarray], photo: bytes = PHOTO, **flags: str) -> list[dict[str, Any]]:
    """All lines of a refinement."""
    files = [(BytesIO(encode_png(mask)), f"mask_{index}.png") for index, mask in enumerate(masks)]
    answer = client.post("/refine", data={"photo": (BytesIO(photo), "photo.png"), "mask": files, **flags})
    return [json.loads(line) for line in answer.text.splitlines()]


def png_of(row: dict[str, Any]) -> np.ndarray:
    return decode_labels(base64.b64decode(row["png"]), "png")[0]


def test_several_masks_are_refined_together_each_with_its_verdict() -> None:
    refiner = bpr.load("starter-fast")
    masks = [DISK * 255, TRUTH * 7]
    *progress, last = refine_all(make_app(refiner, "starter-fast").test_client(), masks)
    expected = refiner(PIXELS, np.stack(masks) > 0, return_verdict=True)
    for row, mask, new, verdict in zip(last["masks"], masks, expected.masks, expected.verdicts, strict=True):
        assert np.array_equal(png_of(row), new * mask.max())
        assert row["verdict"] == verdict._asdict()
    assert progress[-1]["patches"][0] == progress[-1]["patches"][1] > 0


def test_every_change_is_taken_on_demand() -> None:
    client = make_app(bpr.load("starter-fast"), "starter-fast").test_client()
    [row] = refine_all(client, [TRUTH], **{"every-change": "1"})[-1]["masks"]
    assert np.array_equal(png_of(row), bpr.load("starter-fast", caution=0)(PIXELS, TRUTH))
    assert row["verdict"] is None


def test_a_large_photo_is_scaled_and_its_mask_comes_back_at_the_size_of_the_photo() -> None:
    large = encode_png(cv2.resize(PIXELS, (640, 480)))
    mask = cv2.resize(DISK, (640, 480), interpolation=cv2.INTER_NEAREST) * np.uint8(255)
    client = make_app(bpr.load("identity"), "identity", 4800).test_client()  # 80 x 60
    _, seen = ask(client, pair(large, encode_png(mask)), "/mask")
    assert (seen["width"], seen["height"]) == (640, 480)
    worked_on = decode_mask({"size": (60, 80), "counts": seen["counts"]}).to_frame()
    assert np.array_equal(worked_on, cv2.resize(mask, (80, 60), interpolation=cv2.INTER_AREA) > 127)
    [kept] = refine_all(client, [mask], large)[-1]["masks"]
    assert np.array_equal(png_of(kept), mask)  # a mask that did not change loses nothing by the scaling
    [drawn] = refine_all(client, [worked_on * np.uint8(255)], large)[-1]["masks"]
    assert png_of(drawn).shape == (480, 640)
    assert np.mean(png_of(drawn) != mask) < 0.02


def test_the_work_ends_when_the_page_has_gone() -> None:
    refiner = bpr.load("identity", batch_size=1)
    client = make_app(refiner, "identity").test_client()
    batches: list[int] = []
    predict, go_on = refiner.predictor.predict, threading.Event()

    def slow(batch: Any) -> np.ndarray:
        batches.append(len(batch))
        go_on.wait(20)
        return predict(batch)

    refiner.predictor.predict = slow  # type: ignore[method-assign]
    data = {role: (BytesIO(content), name) for role, (content, name) in pair().items()}
    answer = client.post("/refine", data=data)
    lines = iter(answer.response)
    assert json.loads(next(lines)) == {"patches": [0, 0]}
    answer.close()
    go_on.set()
    # The next refinement waits for the lock, so the first one has ended by then, after a batch at most.
    refiner.predictor.predict = predict  # type: ignore[method-assign]
    assert refine_all(client, [DISK])[-1]["masks"][0]["changed"] == 0
    assert len(batches) <= 1


def test_the_cut_out_is_that_of_the_command(client: FlaskClient, tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(PHOTO)
    (tmp_path / "mask.png").write_bytes(encode_png(DISK))
    write_cutout(tmp_path / "cutout.png", tmp_path / "photo.png", tmp_path / "mask.png")
    data = {role: (BytesIO(content), name) for role, (content, name) in pair().items()}
    assert client.post("/cutout", data=data).data == (tmp_path / "cutout.png").read_bytes()


MASKS = {
    "0 and 1": (encode_png(DISK), DISK),
    "0 and 255": (encode_png(DISK * 255), DISK * 255),
    "16 bits": (encode_png(DISK * np.uint16(300)), DISK * np.uint16(300)),
    "palette": (encode_png(DISK * 7, PALETTE), DISK * 7),
    "colours": (png(DISK[..., None] * np.array([9, 0, 200], np.uint8)), DISK * 255),
    "JPEG": (cv2.imencode(".jpg", DISK * 255)[1].tobytes(), DISK * 255),
    "paint on a transparent layer": (png(np.dstack([DISK * 0 + 200] * 3 + [DISK * 255])), DISK * 255),
    "soft": (encode_png(SOFT), np.where(SOFT > 127, 255, 0).astype(np.uint8)),
    "colours and alpha": (png(np.dstack([DISK * 255] * 3 + [np.full(FRAME, 255, np.uint8)])), DISK * 255),
}


@pytest.mark.parametrize("kind", MASKS)
def test_a_mask_comes_back_as_it_was_given(client: FlaskClient, kind: str) -> None:
    content, expected = MASKS[kind]
    _, seen = ask(client, {"mask": (content, "mask.png")}, "/mask")
    assert (seen["width"], seen["height"]) == (160, 120)
    assert np.array_equal(decode_mask({"size": FRAME, "counts": seen["counts"]}).to_frame(), expected > 0)
    assert seen["remark"] == ""
    _, answer = ask(client, pair(mask=content))
    numbers, palette = decode_labels(base64.b64decode(answer["png"]), "png")
    assert numbers.dtype == expected.dtype
    assert np.array_equal(numbers, expected)
    assert palette == (PALETTE if kind == "palette" else None)


def test_a_mask_of_the_whole_image_is_remarked(client: FlaskClient) -> None:
    _, seen = ask(client, {"mask": (encode_png(np.full(FRAME, 255, np.uint8)), "mask.png")}, "/mask")
    assert seen["remark"] == "mask.png: the mask covers the whole image; is it the right file?"


def bomb() -> bytes:
    """A photo that says it has 2^32 pixels."""
    content = bytearray(PHOTO)
    content[16:24] = struct.pack(">II", 2**16, 2**16)
    return bytes(content)


REFUSED: dict[str, tuple[Callable[[], Files], str]] = {
    "a mask of another size than the photo": (
        lambda: pair(mask=encode_png(DISK[:90])),
        "mask.png: expected 160x120 pixels (width x height) as the photo, got 160x90; save it at the photo's size",
    ),
    "a mask that is no picture": (
        lambda: pair(mask=b"hello"),
        "mask.png: not an image that OpenCV can decode; expected PNG, JPEG, WebP, BMP or TIFF",
    ),
    "a mask of several objects": (
        lambda: pair(mask=encode_png(np.repeat(np.arange(4, dtype=np.uint8), 30)[:, None].repeat(160, axis=1))),
        "mask.png: expected one object, got a label map of the numbers [0, 1, 2, 3]; give one picture for each object, "
        "or refine all as label PNGs with bpr refine --format masks",
    ),
    "a mask that is cut off": (
        lambda: pair(mask=encode_png(DISK)[:-20]),
        "mask.png: expected a whole PNG, got one that is cut or damaged",
    ),
    "a mask without a foreground": (
        lambda: pair(mask=encode_png(DISK * 0)),
        "mask.png: expected a mask with a foreground, got one that is 0 everywhere; draw or choose another",
    ),
    "a photo that is no image": (
        lambda: pair(photo=b"hello"),
        "photo.png: not an image that OpenCV can decode; expected PNG, JPEG, WebP, BMP or TIFF",
    ),
    "a photo of more pixels than are allowed": (
        lambda: pair(photo=encode_png(np.zeros((16_000, 16_000), np.uint8))),
        "photo.png: expected at most 250000000 pixels, got 16000x16000; shrink it",
    ),
    "a photo that claims to be huge": (
        lambda: pair(photo=bomb()),
        "photo.png: expected an image of 1..536870912 pixels, got 65536x65536; cut it into tiles",
    ),
    "no photo": (lambda: {"mask": pair()["mask"]}, "photo: expected a file, got none; choose one"),
    "more than 64 MiB": (
        lambda: pair(photo=bytes(MOST_BYTES)),
        "expected a photo and masks of at most 64 MiB together, got more; save them smaller",
    ),
}
"""Wrong files -> the line that the page shows."""


@pytest.mark.parametrize("case", REFUSED)
def test_wrong_files_are_refused_with_one_line(client: FlaskClient, case: str) -> None:
    make, line = REFUSED[case]
    code, answer = ask(client, make())
    assert code in (400, 413)
    assert answer["error"] == line


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://elsewhere.example"}, {"Origin": "null"}, {"Host": "elsewhere.example"}]
)
def test_pages_of_others_and_false_names_are_refused(client: FlaskClient, headers: dict[str, str]) -> None:
    code, answer = ask(client, pair(), **headers)
    assert code == 403
    assert set(answer) == {"error"}


@pytest.mark.parametrize("name", ["localhost:7860", "127.0.0.1:7860", "[::1]:7860"])
def test_the_own_page_is_answered_by_every_name(client: FlaskClient, name: str) -> None:
    assert ask(client, pair(), Origin=f"http://{name}", Host=name)[0] == 200


def test_a_page_for_other_machines_answers_to_any_name() -> None:
    client = make_app(bpr.load("identity"), "identity", local=False).test_client()
    assert ask(client, pair(), Host="my-machine.example")[0] == 200


def test_the_page_loads_from_nowhere_else(client: FlaskClient) -> None:
    page = client.get("/")
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    names = re.findall(r'(?:src|href)="(?!data:)([^"]+)"', page.text)
    assert names == [*(f"assets/{name}" for name in (*STYLES, *SCRIPTS)), "demo/photo.png"]
    for name in names:
        assert client.get(f"/{name}").status_code == 200
    assert client.get("/assets/server.py").status_code == client.get("/assets/../server.py").status_code == 404
    for path in ASSETS.iterdir():
        assert not re.search(r"https?://|@import|url\(|innerHTML", path.read_text(encoding="utf-8")), path


def test_the_demo_is_a_photo_and_its_mask(client: FlaskClient) -> None:
    files = pair(*(client.get(f"/demo/{role}.png").data for role in ("photo", "mask")))
    code, answer = ask(make_app(bpr.load("identity"), "identity").test_client(), files)
    assert (code, answer["changed"]) == (200, 0)
    assert len(answer["boxes"]) > 10
    assert client.get("/demo/other.png").status_code == 404


def test_nothing_stays_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    client = make_app(bpr.load("identity"), "identity").test_client()
    noise = np.random.default_rng(0).integers(0, 256, (600, 600, 3), np.uint8)
    assert ask(client, pair(png(noise), encode_png(np.pad(DISK, ((0, 480), (0, 440))))))[0] == 200
    assert list(tmp_path.iterdir()) == []


def test_a_taken_port_is_said_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    server = listen(make_app(bpr.load("identity"), "identity"), "127.0.0.1", 0)
    listening = f"expected to listen on 127.0.0.1:{server.port}"
    line = f"{listening}, got: Address already in use; choose another --port or --host"
    assert main(["app", "--model", "identity", "--port", str(server.port)]) == 1
    server.server_close()
    assert capsys.readouterr().err == f"bpr app: {line}\n"
    with pytest.raises(
        BPRError, match=r"expected to listen on 203\.0\.113\.1:0, got: .*; choose another --port or --host"
    ):
        listen(make_app(bpr.load("identity"), "identity"), "203.0.113.1", 0)


def heed_interrupts() -> None:
    """A shell tells what it starts in the background to ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_the_command_serves_until_it_is_interrupted() -> None:
    command = [sys.executable, str(ROOT / "tools/app.py"), "--model", "identity", "--port", "0"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment, preexec_fn=heed_interrupts, **pipes) as running:
        assert running.stdout
        said = re.fullmatch(
            r"identity is ready: open (http://127\.0\.0\.1:\d+) in a browser; Ctrl-C stops\n", running.stdout.readline()
        )
        assert said
        with urllib.request.urlopen(said[1]) as page:
            assert b"Better boundaries" in page.read()
        running.send_signal(signal.SIGINT)
        assert running.communicate(timeout=30) == ("", "")
        assert running.returncode == 0


def test_a_host_for_others_is_warned_of(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("werkzeug.serving.BaseWSGIServer.serve_forever", lambda server: server.server_close())
    assert main(["app", "--model", "identity", "--port", "0", "--host", "0.0.0.0"]) == 0
    said = capsys.readouterr()
    assert re.fullmatch(r"identity is ready: open http://0\.0\.0\.0:\d+ in a browser; Ctrl-C stops\n", said.out)
    assert said.err == "warning: --host 0.0.0.0 lets other machines use this page; it asks for no password\n"


def test_the_limits_are_those_that_are_written(capsys: pytest.CaptureFixture[str]) -> None:
    pixels = f"{WORK_PIXELS // 10**6} million"
    page = (ROOT / "docs/app.md").read_text(encoding="utf-8")
    assert f"{pixels} pixels; photo and masks together may have {MOST_BYTES >> 20} MiB" in page
    with pytest.raises(SystemExit):
        main(["app", "--help"])
    assert f"(default: {pixels})" in " ".join(capsys.readouterr().out.split())


def test_without_flask_the_extra_is_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "flask" else found(name, *more)
    )
    assert main(["app"]) == 1
    assert capsys.readouterr().err == f"bpr app: the page needs the [app] extra: {install_hint('app')} (Flask is missing)\n"
