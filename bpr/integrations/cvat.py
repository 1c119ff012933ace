"""A task of a CVAT server: fetch its polygons and masks with their photos, refine them, and put back those that changed.

The server gets one request, which it carries out completely or not at all. Whatever fails before or in it, the task keeps
its old shapes.
"""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import urllib3
from cvat_sdk import exceptions, models
from cvat_sdk.core.client import AccessTokenCredentials, Client

from bpr.errors import BPRError, shown
from bpr.formats.cvat import MASK, POLYGON, rle_of_runs
from bpr.formats.polygons import PolygonWriter, polygon_rle
from bpr.formats.source import left_out_lines
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import decode_mask, row_runs
from bpr.io.record_file import Record
from bpr.limits import frame_from
from bpr.refinement.outcome import RunReport
from bpr.refinement.refiner import Refiner
from bpr.refinement.runner import refine_records

TOKEN = "CVAT_ACCESS_TOKEN"
"""The environment variable of the personal access token; CVAT's own command reads it too."""
HOST = r"(?:https?://)?(?:[\w.-]+|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"
ADDRESS = re.compile(rf"(?P<server>{HOST}(?:/[^?#@]*?)?)/tasks/(?P<task>[0-9]+)/?(?P<job>jobs/[0-9]+)?(?:[?#/].*)?")
RECORD = re.compile(r"\brecord ([0-9]+)")
"""How the report of a run names a shape."""
SECONDS = 10.0, 300.0
"""The longest waits for a connection and for an answer: a server needs minutes to store many shapes."""
LONGEST_REASON = 200
"""Characters of a server's own words that an error line quotes."""

logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # its warnings about retries are no line for a user


class Change(NamedTuple):
    """A shape that refining changed.

    Attributes:
        shape: as the server sent it.
        points: the new value of its ``points``.
        line: what changes, for the user.
    """

    shape: dict[str, Any]
    points: list[float]
    line: str


class CvatTask:
    """One task of a server.

    Args:
        address: as a browser shows it, such as ``https://app.cvat.ai/tasks/7``.
        token: a personal access token.

    Raises:
        BPRError: not the address of a task, or not a token.
    """

    def __init__(self, address: str, token: str | None) -> None:
        match = ADDRESS.fullmatch(address.strip())
        expected = "expected the address of a task, such as https://app.cvat.ai/tasks/7"
        if "@" in address:
            raise BPRError(f"{expected}, got one with a name or a password; set {TOKEN} instead")
        if not match:
            raise BPRError(f"{expected}, got {shown(address)}")
        if match["job"]:
            raise BPRError(f"{address}: {expected}, got that of a job; leave /{match['job']} out to refine the whole task")
        if not re.fullmatch(r"[!-~]+", token or ""):
            got = "one with spaces or other characters" if token else "none"
            remedy = "create one in CVAT (your profile, Security) and export it"
            raise BPRError(f"{TOKEN}: expected a personal access token of CVAT in this environment variable, got {got}; {remedy}")
        self.id = int(match["task"])
        scheme = "" if "://" in match["server"] else "https://"
        client = Client(scheme + match["server"], check_server_version=False)
        client.login(AccessTokenCredentials(token or ""))
        self.name = f"{client.api_map.host}/tasks/{self.id}"
        self._api, self._labels = client.api_client.tasks_api, client.api_client.labels_api

    def annotations(self) -> dict[str, Any]:
        """All shapes, tags and tracks."""
        return self._json("shapes", self._api.retrieve_annotations, self.id)

    def meta(self) -> dict[str, Any]:
        """``frames``: name, width and height of each, or one entry for all of a video; ``deleted_frames``: numbers."""
        return self._json("frames", self._api.retrieve_data_meta, self.id)

    def label_names(self) -> dict[int, str]:
        """The names of the labels by id."""
        names: dict[int, str] = {}
        page: int | None = 1
        while page:
            answer = self._json("results", self._labels.list, task_id=self.id, page=page)
            names |= {label["id"]: label["name"] for label in answer["results"]}
            page = page + 1 if answer.get("next") else None
        return names

    def photo(self, frame: int) -> bytes:
        """The file of a frame."""
        wanted = {"type": "frame", "number": frame, "quality": "original"}
        return self._get(f"the photo of frame {frame}", self._api.retrieve_data, self.id, **wanted)

    def put(self, changes: Sequence[Change]) -> None:
        """Replace the points of some shapes, all of them or none.

        Raises:
            BPRError: somebody else changed one of them since it was fetched, or the server refuses. The line says
                whether the task is still as it was.
        """
        olds = [change.shape for change in changes]
        self._check_unchanged(olds)
        new = [{**change.shape, "points": change.points} for change in changes]
        request = models.PatchedLabeledDataRequest(shapes=new, tags=[], tracks=[], _check_type=False)
        try:
            self._get("the new shapes", self._api.partial_update_annotations, "update", self.id, patched_labeled_data_request=request)
        except BPRError as error:
            try:
                self._check_unchanged(olds)
            except BPRError:
                raise BPRError(f"{error}; the task may hold some new shapes: look at it before you start again") from error
            raise BPRError(f"{error}; the task is still as it was") from error

    def _check_unchanged(self, olds: Sequence[dict[str, Any]]) -> None:
        now = {shape["id"]: shape for shape in self.annotations()["shapes"]}
        other = [old["id"] for old in olds if now.get(old["id"]) != old]
        if other:
            got = f"{len(other)} that somebody changed meanwhile (first: shape {other[0]})"
            raise BPRError(f"{self.name}: expected the shapes that were fetched, got {got}; nothing was sent; start again")

    def _json(self, key: str, call: Callable[..., Any], *args: Any, **options: Any) -> dict[str, Any]:
        """An answer, which holds a list under ``key``."""
        what = "the labels" if key == "results" else f"the {key}"
        try:
            answer = json.loads(self._get(what, call, *args, **options))
        except ValueError:
            answer = None
        if not isinstance(answer, dict) or not isinstance(answer.get(key), list):
            raise BPRError(f"{self.name}: {what}: expected JSON of a CVAT server, got something else; is the address right?")
        return answer

    def _get(self, what: str, call: Callable[..., Any], *args: Any, **options: Any) -> bytes:
        """The content of an answer. The SDK's models are not used: older and newer servers send other keys."""
        try:
            _, response = call(*args, **options, _parse_response=False, _request_timeout=SECONDS)
            with response:
                return bytes(response.read())
        except exceptions.ApiException as error:
            raise BPRError(f"{self.name}: {what}: {_refusal(error)}") from error
        except urllib3.exceptions.HTTPError as error:
            cause = getattr(error, "reason", None) or error
            timed_out = isinstance(cause, urllib3.exceptions.TimeoutError)
            got = "none in time" if timed_out else f"none ({type(cause).__name__})"
            raise BPRError(f"{self.name}: {what}: expected an answer, got {got}; is the server up?") from error


def _refusal(error: Any) -> str:
    """What an HTTP status means here."""
    if error.status == 401:
        return f"expected a valid token in {TOKEN}, got one that the server refuses (401); create another"
    if error.status == 403:
        return "expected a token that may read and change the task, got one that may not (403); create another"
    if error.status == 404:
        return "expected a task of this server that you may see, got none (404); check the address"
    said = error.body.decode("utf-8", "replace") if isinstance(error.body, bytes) else ""
    words = f": {said[:LONGEST_REASON]}" if said and "<" not in said else ""
    return f"expected an answer, got status {error.status}{words}; try again later"


class _Photos:
    """Finds the photos of a task for a run: fetched when they are needed; each thread keeps the last one."""

    def __init__(self, task: CvatTask, folder: Path) -> None:
        self._task, self._folder, self._last = task, folder, threading.local()

    def path(self, image_id: Any) -> Path:
        if hasattr(self._last, "file"):
            self._last.file.unlink()
        self._last.file = self._folder / f"frame {image_id}"
        self._last.file.write_bytes(self._task.photo(image_id))
        return Path(self._last.file)

    def frame(self, image_id: Any) -> None:
        """The masks state their size."""


def refine_task(
    task: CvatTask, refiner: Refiner, on_progress: Callable[[int, int], None] = lambda done, total: None
) -> tuple[list[Change], RunReport]:
    """Fetch the polygons and masks of a task and refine them; nothing is sent to the server.

    Args:
        on_progress: called with the number of shapes that are done, and their number.

    Returns:
        The shapes that changed, in the server's order; the outcome of the run, whose records are the polygons and masks.

    Raises:
        BPRError: the server does not answer as it should.
    """
    found, meta, names = task.annotations(), task.meta(), task.label_names()
    frames, deleted = meta["frames"], set(meta.get("deleted_frames") or ())
    shapes, records, left_out = [], [], dict[str, list[int]]()
    for position, shape in enumerate(found["shapes"]):
        if shape["type"] not in (POLYGON, MASK):
            left_out.setdefault(f"shapes of type {shape['type']}", []).append(position)
        elif shape["frame"] in deleted:
            left_out.setdefault("shapes on deleted frames", []).append(position)
        else:
            shapes.append(shape)
            records.append(_record(shape, frames))
    count = len(found["shapes"])
    for kind in ("tracks", "tags"):
        if items := found.get(kind):
            left_out[kind] = list(range(count, count + len(items)))
            count += len(items)
    with TemporaryDirectory(prefix="bpr-cvat-") as folder:
        photos = _Photos(task, Path(folder))
        refined, report = refine_records(records, photos, refiner, on_progress=lambda done: on_progress(done, len(records)))
    report.problems = [RECORD.sub(lambda record: f"shape {shapes[int(record[1])]['id']}", line) for line in report.problems]
    report.notes += left_out_lines(left_out, count)
    report.unread = count - len(shapes)
    writer, changes = PolygonWriter(), []
    for shape, old, new in zip(shapes, records, refined, strict=True):
        if old["segmentation"] != new["segmentation"]:
            before, after = decode_mask(old["segmentation"]), decode_mask(new["segmentation"]).trimmed()
            points = _points(shape["type"], after, writer)
            if points:
                changes.append(Change(shape, points, _line(shape, frames, names, before, after)))
    report.notes += writer.notes
    return changes, report


def _record(shape: dict[str, Any], frames: Sequence[dict[str, Any]]) -> Record:
    """A shape as a record; the segmentation of one that is no valid mask is what :func:`decode_mask` refuses."""
    entry = _entry(shape["frame"], frames)
    frame, points = frame_from(entry.get("height"), entry.get("width")), shape["points"]
    segmentation = None
    if shape["type"] == POLYGON:
        segmentation = polygon_rle(points, frame)
    elif len(points) > 4 and all(float(number).is_integer() for number in points):
        left, top, right, bottom = map(int, points[-4:])
        box = left, top, right - left + 1, bottom - top + 1
        segmentation = rle_of_runs(np.array(points[:-4], np.int64), box, frame)
    return {"image_id": shape["frame"], "category_id": shape["label_id"], "segmentation": segmentation}


def _entry(frame: int, frames: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return frames[min(frame, len(frames) - 1)] if frames else {}


def _points(kind: str, mask: BoxMask, writer: PolygonWriter) -> list[float]:
    """``points`` of a shape in the server's form; empty where nothing remains of it."""
    if kind == POLYGON:
        return [side for point in writer.ring(mask) for side in point]
    x0, y0, x1, y1 = mask.box
    writer.empty += not mask.pixels.size
    return [*row_runs(mask.pixels), x0, y0, x1 - 1, y1 - 1] if mask.pixels.size else []


def _line(
    shape: dict[str, Any], frames: Sequence[dict[str, Any]], names: dict[int, str], before: BoxMask, after: BoxMask
) -> str:
    label = names.get(shape["label_id"], f"label {shape['label_id']}")
    different = int(np.count_nonzero(before.to_frame() != after.to_frame()))
    what = f"{different} pixels differ, {before.area} -> {after.area}"
    name = _entry(shape["frame"], frames).get("name", "")
    return f"frame {shape['frame']} ({name}): {label}, {shape['type']} {shape['id']}: {what}"
