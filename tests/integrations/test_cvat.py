"""A task of a CVAT server: what is fetched, what is sent, and what happens when the server fails."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import bpr
from bpr.backends import load_predictor
from bpr.cli.main import main
from bpr.geometry.rle import decode_mask
from tests.formats.conftest import swelling  # noqa: F401  (a fixture)
from tests.formats.layouts import FRAME
from tests.integrations.cvat_server import TOKEN, CvatServer, annotations, cvat_server, photo

pytest.importorskip("cvat_sdk", reason="needs the [cvat] extra", exc_type=ImportError)

pytestmark = pytest.mark.usefixtures("swelling")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[CvatServer]:
    monkeypatch.setenv("CVAT_ACCESS_TOKEN", TOKEN)
    with cvat_server() as server:
        yield server


def in_frame(shape: dict[str, Any]) -> np.ndarray:
    """The pixels of a shape, as CVAT and pycocotools draw it."""
    from cvat_sdk.masks import decode_mask as as_cvat

    if shape["type"] == "mask":
        return np.asarray(as_cvat(shape["points"], image_width=FRAME[1], image_height=FRAME[0]))
    return decode_mask([shape["points"]], FRAME).to_frame()


def iou(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.sum(one & other) / np.sum(one | other))


def test_changed_shapes_alone_are_sent_with_all_their_keys(server: CvatServer, capsys: pytest.CaptureFixture[str]) -> None:
    before = annotations()
    assert main(["cvat", server.address]) == 0
    (body,) = server.sent
    assert [shape["id"] for shape in body["shapes"]] == [11, 12, 14]
    refiner = bpr.load("starter")  # the predictor that swells every mask
    for frame in (0, 1):
        olds = [shape for shape in before["shapes"] if shape["frame"] == frame and shape["type"] != "rectangle"]
        news = [shape for shape in body["shapes"] if shape["frame"] == frame]
        wanted = refiner(photo(frame), np.stack([in_frame(shape) for shape in olds]))
        for old, new, mask in zip(olds, news, wanted, strict=True):
            assert {**new, "points": 0} == {**old, "points": 0}
            assert np.array_equal(in_frame(new), mask) if new["type"] == "mask" else iou(in_frame(new), mask) >= 0.995
    untouched = {"tags", "tracks", "version"}
    assert {key: server.task[key] for key in untouched} == {key: before[key] for key in untouched}
    assert server.task["shapes"][2] == before["shapes"][2]
    captured = capsys.readouterr()
    assert f"changed: 3 of 3 shapes -> {server.address}" in captured.out
    for kind in ("shapes of type rectangle", "tracks", "tags"):
        assert f"left out: 1 of 6 annotations, {kind}" in captured.err


def test_a_dry_run_says_what_would_change_and_sends_nothing(server: CvatServer, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cvat", server.address, "--dry-run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert server.sent == []
    assert server.task == annotations()
    named = [line.split(":")[0] + ":" + line.split(":")[1] for line in lines if line.startswith("frame ")]
    first = "frame 0 (day/aachen_000000_000019.png)"
    assert named == [f"{first}: person, polygon 11", f"{first}: car, mask 12", "frame 1 (day/aachen_000001_000019.png): car, polygon 14"]
    assert lines[-1] == f"would change: 3 of 3 shapes; nothing was sent -> {server.address}"


def test_nothing_is_sent_where_nothing_changed(
    server: CvatServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("bpr.backends.load_predictor", load_predictor)
    assert main(["cvat", server.address, "--model", "identity"]) == 0
    assert server.sent == []
    assert f"changed: 0 of 3 shapes -> {server.address}" in capsys.readouterr().out


FAILURES: list[tuple[dict[str, int | str], str]] = [
    ({"annotations/": 404}, "the shapes: expected a task of this server that you may see, got none (404)"),
    ({"annotations/": 403}, "the shapes: expected a token that may read and change the task, got one that may not (403)"),
    ({"GET /api/tasks/7/data/?number=1&quality=original&type=frame": 500}, "the photo of frame 1: expected an answer, got status 500"),
    ({"action=update": 500}, "the new shapes: expected an answer, got status 500; try again later; the task is still as it was"),
    ({"action=update": "hang"}, "the new shapes: expected an answer, got none in time; is the server up?; the task is still as it was"),
]


@pytest.mark.parametrize(("failures", "line"), FAILURES)
def test_after_a_failure_the_task_is_as_it_was(
    server: CvatServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    failures: dict[str, int | str],
    line: str,
) -> None:
    monkeypatch.setattr("bpr.integrations.cvat.SECONDS", (5.0, 1.0))
    server.failures = failures
    assert main(["cvat", server.address]) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith(f"bpr cvat: {server.address}: {line}")
    assert server.task == annotations()


def test_an_answer_that_was_lost_is_said(
    server: CvatServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("bpr.integrations.cvat.SECONDS", (5.0, 1.0))
    server.failures = {"action=update": "stored and hang"}
    assert main(["cvat", server.address]) == 1
    assert "the task may hold some new shapes" in capsys.readouterr().err


def test_what_somebody_else_changed_meanwhile_is_not_overwritten(server: CvatServer, capsys: pytest.CaptureFixture[str]) -> None:
    def edit() -> None:
        server.task = copy.deepcopy(server.task)
        server.task["shapes"][0]["points"][0] += 1

    server.between = edit
    assert main(["cvat", server.address]) == 1
    assert "got 1 that somebody changed meanwhile (first: shape 11); nothing was sent" in capsys.readouterr().err
    assert server.sent == []


def test_a_shape_that_is_no_mask_stays_and_is_named(server: CvatServer, capsys: pytest.CaptureFixture[str]) -> None:
    server.task["shapes"][1]["points"][0] += 1
    server.task["shapes"][3]["points"] = [1.0, 2.0]
    assert main(["cvat", server.address]) == 0
    assert [shape["id"] for shape in server.sent[0]["shapes"]] == [11]
    captured = capsys.readouterr()
    assert "1 of 3 records refined; could not be refined: 2 bad mask" in captured.out
    assert [line.split(":")[0] for line in captured.err.splitlines() if "kept as it was" in line] == ["shape 12", "shape 14"]


def test_shapes_on_deleted_frames_stay(server: CvatServer, capsys: pytest.CaptureFixture[str]) -> None:
    server.deleted = [0]
    assert main(["cvat", server.address]) == 0
    assert [shape["id"] for shape in server.sent[0]["shapes"]] == [14]
    assert "left out: 2 of 6 annotations, shapes on deleted frames" in capsys.readouterr().err


@pytest.mark.parametrize("token", ["", "wrong", "two words", f"{TOKEN}\nX: y"])
def test_no_secret_is_printed(
    server: CvatServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], token: str
) -> None:
    monkeypatch.setenv("CVAT_ACCESS_TOKEN", token)
    assert main(["cvat", server.address, "--debug"]) == 1
    captured = capsys.readouterr()
    assert "CVAT_ACCESS_TOKEN" in captured.err
    assert "(401)" in captured.err if token == "wrong" else server.requests == []
    assert not token or token not in captured.err + captured.out
    assert TOKEN not in captured.err + captured.out


@pytest.mark.parametrize(
    ("address", "got"),
    [
        ("https://me:s3cret@cvat.org/tasks/7", "with a name or a password"),
        ("https://cvat.org/tasks/7/jobs/9", "that of a job; leave /jobs/9 out"),
        ("https://cvat.org/projects/7", "got 'https://cvat.org/projects/7'"),
        ("7", "got '7'"),
        ("ftp://cvat.org/tasks/7", "got 'ftp://cvat.org/tasks/7'"),
    ],
)
def test_other_addresses_are_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], address: str, got: str
) -> None:
    monkeypatch.setenv("CVAT_ACCESS_TOKEN", TOKEN)
    assert main(["cvat", address]) == 1
    error = capsys.readouterr().err
    assert got in error
    assert "s3cret" not in error


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("cvat.org/tasks/7", "https://cvat.org/tasks/7"),
        ("http://localhost:8080/tasks/12/", "http://localhost:8080/tasks/12"),
        ("https://lab.org/cvat/tasks/7?page=2", "https://lab.org/cvat/tasks/7"),
    ],
)
def test_addresses_as_browsers_show_them(address: str, name: str) -> None:
    from bpr.integrations.cvat import CvatTask

    assert CvatTask(address, TOKEN).name == name


def test_the_exchange_is_cvats(server: CvatServer) -> None:
    """The requests of a whole run, in order."""
    assert main(["cvat", server.address]) == 0
    paths = [f"{method} {path}" for method, path, _ in server.requests]
    photos = [f"GET /api/tasks/7/data/?number={frame}&quality=original&type=frame" for frame in (0, 1)]
    labels = [f"GET /api/labels?page={page}&task_id=7" for page in (1, 2)]
    shapes = "GET /api/tasks/7/annotations/"
    meta, patch = "GET /api/tasks/7/data/meta", "PATCH /api/tasks/7/annotations/?action=update"
    assert [path for path in paths if path not in photos] == [shapes, meta, *labels, shapes, patch]
    assert sorted(path for path in paths if path in photos) == photos
