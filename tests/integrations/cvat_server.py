"""A server on this machine that answers as CVAT 2.80 does, for one task of painted photos, and records every request."""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import cv2
import numpy as np

from tests.formats.layouts import FRAME, MASKS, STEMS
from tests.formats.tool_layouts import ring_of

TOKEN = "s3cret.t0ken"
LABELS = {3: "car", 4: "person"}
ROOT = "/api/tasks/7"


def photo(frame: int) -> np.ndarray:
    """(90, 130, 3) uint8 RGB: bright objects on a dark ground."""
    pixels = np.random.default_rng(frame).integers(0, 90, (*FRAME, 3), dtype=np.uint8)
    for _, _, mask in MASKS[STEMS[frame]]:
        pixels[cv2.dilate(mask.astype(np.uint8), np.ones((3, 3))) > 0] += 120
    return pixels


def _shape(number: int, frame: int, kind: str, points: list[float]) -> dict[str, Any]:
    state = {"occluded": number == 12, "outside": False, "z_order": number - 10, "rotation": 0.0, "group": number % 2}
    rest = {"source": "manual", "attributes": [{"spec_id": 5, "value": "größer"}], "elements": [], "score": 1.0}
    return {"type": kind, **state, "points": points, "id": number, "frame": frame, "label_id": 3 + number % 2, **rest}


def annotations() -> dict[str, Any]:
    """A polygon, a mask with a hole and a box on frame 0, a polygon of one part on frame 1, a tag and a track."""
    first, holed, _ = (mask for _, _, mask in MASKS[STEMS[0]])
    rows, columns = np.nonzero(holed)
    top, left, bottom, right = (int(edge) for edge in (rows.min(), columns.min(), rows.max(), columns.max()))
    box = holed[top : bottom + 1, left : right + 1].ravel()
    ends = np.flatnonzero(np.diff(box, prepend=False, append=~box[-1]))
    runs = [float(run) for run in np.diff(ends, prepend=0)]
    shapes = [
        _shape(11, 0, "polygon", [side for point in ring_of(first) for side in point]),
        _shape(12, 0, "mask", [*runs, left, top, right, bottom]),
        _shape(13, 0, "rectangle", [1.0, 2.0, 9.0, 9.0]),
        _shape(14, 1, "polygon", [60.5, 30.25, 80.0, 31.0, 79.5, 50.0, 61.0, 52.0]),
    ]
    tag = {"id": 21, "frame": 0, "label_id": 3, "group": 0, "source": "manual", "attributes": []}
    tracked = {**_shape(32, 0, "polygon", [1.0, 1.0, 9.0, 1.0, 9.0, 9.0]), "keyframe": True}
    track = {"id": 31, "frame": 0, "label_id": 3, "group": 0, "source": "manual", "shapes": [tracked], "attributes": [], "elements": []}
    return {"version": 0, "tags": [tag], "shapes": shapes, "tracks": [track]}


class CvatServer(ThreadingHTTPServer):
    """The state of the task and of the exchange.

    Attributes:
        task: the annotations, as the server holds them.
        requests: method and path of every request, its query in order, and the body of those that have one.
        failures: the status with which a request is answered, by its method and the end of its path; ``hang``: with
            nothing, until the test ends; ``stored and hang``: the same, after the shapes were stored.
        deleted: the numbers of deleted frames.
        between: called once, after the first shapes were fetched: what another person does meanwhile.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.task, self.requests = annotations(), list[tuple[str, str, Any]]()
        self.failures: dict[str, int | str] = {}
        self.deleted: list[int] = []
        self.over = threading.Event()
        self.between = lambda: None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/tasks/7"

    @property
    def sent(self) -> list[Any]:
        """The bodies of all requests that would change the task."""
        return [body for method, _, body in self.requests if method != "GET"]


class _Handler(BaseHTTPRequestHandler):
    server: CvatServer

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._answer(None)

    def do_PATCH(self) -> None:
        self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def _answer(self, body: Any) -> None:
        server, url = self.server, urlsplit(self.path)
        asked = url._replace(query="&".join(sorted(url.query.split("&")))).geturl()
        server.requests.append((self.command, asked, body))
        failure = next((how for end, how in server.failures.items() if f"{self.command} {asked}".endswith(end)), None)
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self._send(401, {"detail": "Authentication credentials were not provided."})
        if failure == "stored and hang":
            self._store(body)
        if isinstance(failure, str):
            server.over.wait()
            return None
        if failure:
            return self._send(failure, b"<h1>Server Error</h1>", "text/html")
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        if body is not None and (url.path != f"{ROOT}/annotations/" or query != {"action": "update"}):
            return self._send(400, {"detail": "unexpected"})
        if body is not None:
            self._store(body)
        if url.path == f"{ROOT}/annotations/":
            self._send(200, server.task)
            between, server.between = server.between, lambda: None
            return between()
        if url.path == f"{ROOT}/data/meta":
            frames = [{"width": FRAME[1], "height": FRAME[0], "name": f"day/{stem}.png", "related_files": 0} for stem in STEMS]
            return self._send(200, {"chunk_size": 36, "size": 3, "start_frame": 0, "frames": frames, "deleted_frames": server.deleted})
        if url.path == "/api/labels" and query["task_id"] == "7":
            page, last = int(query["page"]), len(LABELS)  # a label a page
            number, name = list(LABELS.items())[page - 1]
            following = f"http://127.0.0.1/api/labels?page={page + 1}" if page < last else None
            return self._send(200, {"count": last, "next": following, "results": [{"id": number, "name": name}]})
        if url.path == f"{ROOT}/data/" and (query["type"], query["quality"]) == ("frame", "original"):
            content = cv2.imencode(".png", photo(int(query["number"]))[:, :, ::-1])[1].tobytes()
            return self._send(200, content, "image/png")
        return self._send(404, {"detail": "Not found."})

    def _store(self, body: Any) -> None:
        """What CVAT does on an update: the shapes of these ids are deleted, and created as the body has them."""
        new = {shape["id"]: shape for shape in body["shapes"]}
        self.server.task = copy.deepcopy(self.server.task)
        self.server.task["shapes"] = [new.get(shape["id"], shape) for shape in self.server.task["shapes"]]

    def _send(self, status: int, answer: Any, kind: str = "application/vnd.cvat+json") -> None:
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def cvat_server() -> Iterator[CvatServer]:
    with CvatServer() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.over.set()
        server.shutdown()
