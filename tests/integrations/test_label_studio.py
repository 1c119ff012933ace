"""The model for Label Studio: its requests, as Label Studio makes them, and a server that serves the photos as it does."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

import bpr
from bpr.cli.main import main
from bpr.errors import BPRError
from bpr.integrations.label_studio import Studio, make_app
from tests.formats import layouts, tool_layouts
from tests.formats.conftest import swelling  # noqa: F401  (a fixture)
from tests.formats.test_round_trips import refine

KEY, PERSONAL, ACCESS = "0123456789abcdef", "head.body.s3cret", "for.five.minutes"
UPLOAD = "/data/upload/1/0a1b2c0d-aachen_000000_000019_leftImg8bit.png"
BUCKET = "s3://bucket/photo of a car.png"

pytestmark = pytest.mark.usefixtures("swelling")


class StudioServer(ThreadingHTTPServer):
    """Label Studio's side: photos by their paths, with the check of the key.

    Attributes:
        photos: files by path.
        requests: every path, with its Authorization.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.photos: dict[str, bytes] = {}
        self.requests: list[tuple[str, str | None]] = []
        self.other: StudioServer | None = None
        self.over = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: StudioServer

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        valid = (self.path, body) == ("/api/token/refresh/", {"refresh": PERSONAL})
        self._send(200 if valid else 401, json.dumps({"access": ACCESS}).encode())

    def do_GET(self) -> None:
        server, url, given = self.server, urlsplit(self.path), self.headers.get("Authorization")
        server.requests.append((self.path, given))
        if url.path == "/hang.png":
            server.over.wait()
        elif server.other is not None and given not in (f"Token {KEY}", f"Bearer {ACCESS}"):
            self._send(401, b"{}")
        elif url.path == "/tasks/100/presign/" and server.other and parse_qs(url.query) == {"fileuri": [BUCKET]}:
            self.send_response(303)
            self.send_header("Location", f"{server.other.url}/signed")
            self.end_headers()
        else:
            content = server.photos.get(url.path)
            self._send(200 if content else 404, content or b"{}")

    def _send(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[StudioServer]:
    """Label Studio, and as ``other`` a bucket, which needs no key."""
    layouts.photographs(tmp_path)
    with StudioServer() as server, StudioServer() as bucket:
        server.other = bucket
        for number, stem in enumerate(layouts.STEMS):
            content = (tmp_path / tool_layouts.PHOTOS[stem]).read_bytes()
            server.photos[f"/data/upload/1/0a1b2c{number}d-{Path(tool_layouts.PHOTOS[stem]).name}"] = content
        bucket.photos["/signed"] = bucket.photos["/public.png"] = server.photos[next(iter(server.photos))]
        for each in (server, bucket):
            threading.Thread(target=each.serve_forever, daemon=True).start()
        yield server
        for each in (server, bucket):
            each.over.set()
            each.shutdown()


def asked(studio: StudioServer, tasks: Any, context: Any = None, key: str = KEY) -> Any:
    """The answer to Label Studio's request for predictions, in the keys that its connector sends."""
    client = make_app(bpr.load("starter"), "starter", Studio(studio.url, key)).test_client()
    params = {"login": None, "password": None, "context": context}
    request = {"tasks": tasks, "model_version": None, "project": "1.1764400000", "label_config": "<View/>", "params": params}
    return client.post("/predict", json=request)


@pytest.fixture
def export(tmp_path: Path) -> list[dict[str, Any]]:
    return list(json.loads(tool_layouts.label_studio(tmp_path).read_text(encoding="utf-8")))


def by_file(tmp_path: Path) -> Any:
    """The same regions refined by ``bpr refine``."""
    source = tool_layouts.label_studio(tmp_path)
    return json.loads(refine(source, tmp_path / "leftImg8bit", tmp_path / "out.json", model="starter").read_text(encoding="utf-8"))


def test_predictions_are_the_regions_that_bpr_refine_writes(
    tmp_path: Path, studio: StudioServer, export: list[dict[str, Any]]
) -> None:
    answer = asked(studio, export)
    assert answer.status_code == 200
    wanted = [task["annotations"][0]["result"] for task in by_file(tmp_path)]
    got = [prediction["result"] for prediction in answer.json["results"]]
    assert got == wanted
    assert got != [task["annotations"][0]["result"] for task in export]
    assert {prediction["model_version"] for prediction in answer.json["results"]} == {f"bpr-starter-{bpr.__version__}"}


def test_the_drawn_region_alone_is_suggested(tmp_path: Path, studio: StudioServer, export: list[dict[str, Any]]) -> None:
    regions = export[0]["annotations"][0]["result"]
    drawn, box = regions[1], next(region for region in regions if region["type"] == "rectanglelabels")
    (prediction,) = asked(studio, export[:1], {"result": [drawn, box]}).json["results"]
    (suggestion,) = prediction["result"]
    # Alone in the photo, as in the request, and not beside the others.
    export[0]["annotations"][0]["result"] = [drawn]
    (alone,) = asked(studio, export[:1]).json["results"][0]["result"]
    assert suggestion == {**alone, "id": "r1-bpr"}
    assert suggestion["value"] != drawn["value"]
    assert asked(studio, export[:1], {"result": [box]}).json["results"][0]["result"] == []


def test_the_newest_annotation_counts_and_then_the_prediction_of_another_model(
    studio: StudioServer, export: list[dict[str, Any]]
) -> None:
    task = export[0]
    first, second = task["annotations"][0]["result"][:2]
    others = [{"id": 9, "result": [second]}, {"id": 12, "result": [], "was_cancelled": True}, {"id": 8, "result": [first]}]
    assert [one["id"] for one in asked(studio, [{**task, "annotations": others}]).json["results"][0]["result"]] == ["r1"]
    ours = {"id": 99, "result": [second], "model_version": f"bpr-starter-{bpr.__version__}"}
    unseen = {**task, "annotations": [], "predictions": [ours, {"id": 3, "result": [first], "model_version": "m"}]}
    assert [one["id"] for one in asked(studio, [unseen]).json["results"][0]["result"]] == ["r0"]
    assert asked(studio, [{**task, "annotations": [], "predictions": []}]).json["results"][0]["result"] == []


@pytest.mark.parametrize(("key", "sent"), [(KEY, f"Token {KEY}"), (PERSONAL, f"Bearer {ACCESS}")])
def test_the_key_goes_to_label_studio_alone(
    studio: StudioServer, export: list[dict[str, Any]], key: str, sent: str
) -> None:
    task = export[0]
    assert studio.other
    wanted = asked(studio, [task], key=key).json["results"][0]["result"]
    assert studio.requests == [(task["data"]["image"], sent)]
    for address in (BUCKET, f"{studio.other.url}/public.png"):
        assert asked(studio, [{**task, "data": {"image": address}}], key=key).json["results"][0]["result"] == wanted
    assert studio.other.requests == [("/signed", None), ("/public.png", None)]


@pytest.mark.parametrize(
    ("address", "key", "line"),
    [
        (UPLOAD.replace("aachen", "gone"), KEY, "cannot fetch it (status 404); set LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY"),
        (UPLOAD, "wr0ng", "cannot fetch it (status 401); set LABEL_STUDIO_URL"),
        (UPLOAD, "a.wr0ng.one", "a personal access token: cannot fetch it (status 401)"),
        ("/hang.png", KEY, "cannot fetch it (TimeoutError)"),
        ("http://127.0.0.1:9/a.png", KEY, "cannot fetch it (ConnectionRefusedError); is it on the network?"),
        ("file:///etc/a.png", KEY, "expected the address of a photo, got another text"),
        ("/broken.png", KEY, "expected a photo, got a file that cannot be read"),
    ],
)  # fmt: skip
def test_a_photo_that_cannot_be_had_is_one_line_without_a_secret(
    studio: StudioServer,
    export: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    address: str,
    key: str,
    line: str,
) -> None:
    monkeypatch.setattr("bpr.integrations.label_studio.SECONDS", 1)
    studio.photos["/broken.png"] = b"<html>"
    answer = asked(studio, [{**export[0], "data": {"image": address}}], key=key)
    assert answer.status_code == 400
    assert answer.json["error"].startswith("task 100: ")
    assert line in answer.json["error"]
    assert capsys.readouterr().err == f"bpr app: {answer.json['error']}\n"
    assert key not in answer.json["error"]


def test_a_region_that_is_no_mask_stays_and_is_named(
    studio: StudioServer, export: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    regions = export[0]["annotations"][0]["result"]
    regions[1]["value"]["rle"] = [1, 2, 3]
    got = asked(studio, export[:1]).json["results"][0]["result"]
    assert got[1] == regions[1]
    assert got[0] != regions[0]
    assert "bpr app: task 100: record 1: " in capsys.readouterr().err


@pytest.mark.parametrize("tasks", [None, "x", [1], [{"data": 1}], [{"data": {"text": "a"}, "annotations": [{"id": 1, "result": [3]}]}]])
def test_other_requests_are_refused_in_one_line(studio: StudioServer, tasks: Any) -> None:
    answer = asked(studio, tasks)
    assert answer.status_code == 400
    assert "expected" in answer.json["error"]


def test_what_label_studio_asks_when_it_connects(studio: StudioServer) -> None:
    client = make_app(bpr.load("starter"), "starter", Studio(studio.url, "")).test_client()
    assert client.get("/health").json["status"] == "UP"
    setup = {"project": "1.1764400000", "schema": "<View/>", "hostname": "http://evil", "access_token": "t"}
    assert client.post("/setup", json=setup).json == {"model_version": f"bpr-starter-{bpr.__version__}"}
    assert client.post("/webhook", json={"action": "ANNOTATION_CREATED"}).status_code == 200
    assert client.post("/train", json={}).status_code == 200


def test_the_command(studio: StudioServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("werkzeug.serving.BaseWSGIServer.serve_forever", lambda server: server.server_close())
    monkeypatch.setenv("LABEL_STUDIO_URL", studio.url)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", KEY)
    assert main(["app", "--label-studio", "--port", "0", "--host", "0.0.0.0"]) == 0
    said = capsys.readouterr()
    assert re.fullmatch(r"starter is ready: add http://0\.0\.0\.0:\d+ to the models of a project in Label Studio; Ctrl-C stops\n", said.out)
    assert said.err == "warning: --host 0.0.0.0 lets other machines use this model; it asks for no password\n"
    assert main(["app", "--label-studio", "--max-pixels", "5"]) == 2
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "s3cret key")
    capsys.readouterr()
    assert main(["app", "--label-studio", "--port", "0"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("bpr app: LABEL_STUDIO_API_KEY: expected a key")
    assert "s3cret" not in error


@pytest.mark.parametrize(("url", "key"), [("ftp://a", ""), ("http://me:s3cret@a", ""), ("localhost", ""), ("http://a", "s3cret\nX: y")])
def test_a_wrong_address_or_key_is_one_line_without_it(url: str, key: str) -> None:
    with pytest.raises(BPRError, match="LABEL_STUDIO_") as error:
        Studio(url, key)
    assert "s3cret" not in str(error.value)
