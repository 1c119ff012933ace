"""A model for Label Studio (its "ML backend"): refines the polygons and brush masks that are drawn already.

It speaks the protocol of Label Studio's requests: a small application, because the library for it on the package index
is of 2023 and needs a Flask of 2020. It reads photos from the Label Studio that the user named, with the key that the
user gave, and from other web addresses without it; what a request says about hosts and tokens is not used.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from http.client import HTTPException as HTTPFailure
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit
from urllib.request import Request, urlopen

from flask import Flask, Response, jsonify, request

from bpr.errors import BPRError, shown
from bpr.formats.label_studio import POINTS, RLE, TaskFile, addresses, kind_of, names_in
from bpr.io.image_finder import OneImage
from bpr.refinement.refiner import Refiner
from bpr.refinement.runner import refine_records
from bpr.version import __version__

URL, KEY = "LABEL_STUDIO_URL", "LABEL_STUDIO_API_KEY"
"""Environment variables: where Label Studio is, and a key for it. Its own library for models reads them too."""
SECONDS = 30
"""The longest wait for a photo; Label Studio itself waits 100 s for the regions."""
MOST_BYTES = 2**28
"""The largest photo file, and the largest request."""
SUGGESTED = "-bpr"
"""Ends the id of a suggestion, which must differ from that of the drawn region that it replaces."""


class Studio:
    """Fetches photos.

    Args:
        url: where Label Studio is.
        key: a key of a user: an old one, or a personal access token.
    """

    def __init__(self, url: str, key: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in url:
            raise BPRError(f"{URL}: expected the address of Label Studio, such as http://localhost:8080, got another text; correct it")
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise BPRError(f"{KEY}: expected a key of Label Studio, got one with spaces or other characters; copy it again")
        self._url, self._key = url.rstrip("/"), key

    @classmethod
    def of_environment(cls) -> Studio:
        """The Label Studio that the environment variables name; by default one on this machine, without a key."""
        return cls(os.environ.get(URL) or "http://localhost:8080", os.environ.get(KEY, "").strip())

    def photo(self, address: str, task_id: Any) -> bytes:
        """The photo of an address in a task's data: of an upload, a local file, a bucket or a web server.

        Raises:
            BPRError: it cannot be fetched.
        """
        if address.startswith("/"):
            url = self._url + address
        elif address.startswith(("http://", "https://")):
            url = address
        elif "://" in address and not address.startswith("file:"):
            url = f"{self._url}/tasks/{quote(str(task_id))}/presign/?fileuri={quote(address, safe='')}"
        else:
            raise BPRError(f"{shown(address)}: expected the address of a photo, got another text; add its storage to the project")
        ours = _origin(url) == _origin(self._url)
        fetched = Request(url)
        if ours and self._key:  # not sent to another server after a redirection
            fetched.add_unredirected_header("Authorization", self._authorization())
        return _read(fetched, shown(address), f"set {URL} and {KEY}" if ours else "is it on the network?")

    def _authorization(self) -> str:
        if self._key.count(".") != 2:
            return f"Token {self._key}"
        body = json.dumps({"refresh": self._key}).encode()
        asked = Request(f"{self._url}/api/token/refresh/", body, {"Content-Type": "application/json"})
        answer = _read(asked, "a personal access token", f"set {URL} and {KEY}")
        try:
            return f"Bearer {json.loads(answer)['access']}"
        except (ValueError, KeyError, TypeError):
            raise BPRError(f"{KEY}: expected that Label Studio exchanges the token, got another answer; set {URL}") from None


def _origin(url: str) -> tuple[str, str | None, int | None]:
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname, parts.port
    except ValueError:
        raise BPRError(f"{shown(url)}: expected a web address, got another text; correct the task's data") from None


def _read(asked: Request, what: str, remedy: str) -> bytes:
    try:
        with urlopen(asked, timeout=SECONDS) as answer:
            content: bytes = answer.read(MOST_BYTES + 1)
    except HTTPError as error:
        raise BPRError(f"{what}: cannot fetch it (status {error.code}); {remedy}") from None
    except (OSError, ValueError, HTTPFailure) as error:
        reason = getattr(error, "reason", None) or error
        raise BPRError(f"{what}: cannot fetch it ({type(reason).__name__}); {remedy}") from None
    if len(content) > MOST_BYTES:
        raise BPRError(f"{what}: expected a photo of at most {MOST_BYTES >> 20} MiB, got a larger file; save it smaller")
    return content


def make_app(refiner: Refiner, model: str, studio: Studio) -> Flask:
    """The application.

    Args:
        model: the name of the model that Label Studio shows.
    """
    app = Flask("bpr.label_studio", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MOST_BYTES
    lock, version = threading.Lock(), f"bpr-{model}-{__version__}"  # one refinement at a time, because each uses all cores

    @app.get("/")
    @app.get("/health")
    def health() -> Response:
        return jsonify(status="UP", model_class="bpr")

    @app.post("/setup")
    def setup() -> Response:
        return jsonify(model_version=version)

    @app.post("/train")
    @app.post("/webhook")
    def nothing_to_learn() -> Response:
        return jsonify({})

    @app.post("/predict")
    def predict() -> Response:
        asked = request.get_json()
        tasks = asked.get("tasks") if isinstance(asked, dict) else None
        if not isinstance(tasks, list) or not all(isinstance(task, dict) and isinstance(task.get("data"), dict) for task in tasks):
            raise BPRError(f"expected tasks with data, got {shown(asked)}; is this Label Studio?")
        params = asked.get("params")
        context = params.get("context") if isinstance(params, dict) else None
        with lock:
            results = [_prediction(task, context, refiner, version, studio) for task in tasks]
        return jsonify(results=results, model_version=version)

    @app.errorhandler(BPRError)
    def bad_input(error: BPRError) -> tuple[Response, int]:
        _say(str(error))
        return jsonify(error=str(error)), 400

    return app


def _say(line: str) -> None:
    """Print a line in the terminal of the command; Label Studio shows a person no more than the status of an answer."""
    print(f"bpr app: {line}", file=sys.stderr, flush=True)


def _prediction(task: dict[str, Any], context: Any, refiner: Refiner, version: str, studio: Studio) -> dict[str, Any]:
    """The answer for one task.

    With a context, which holds the regions that a person draws with a smart tool, it has a suggestion for each of these.
    Without one it has the regions of the newest annotation, or else of the newest prediction of another model.
    """
    suggested = isinstance(context, dict) and bool(context.get("result"))
    regions = list(context["result"] if suggested else _drawn(task, version))
    try:
        refined = _refined(task, regions, refiner, studio)
    except BPRError as error:
        raise BPRError(f"task {task.get('id')}: {error}") from error
    if suggested:
        kinds = (POINTS, RLE)
        refined = [{**one, "id": f"{one.get('id')}{SUGGESTED}"} for one in refined if kind_of(one) in kinds]
    return {"result": refined, "model_version": version}


def _drawn(task: dict[str, Any], version: str) -> list[Any]:
    for made_by in ("annotations", "predictions"):
        made = [one for one in task.get(made_by) or [] if isinstance(one, dict) and one.get("model_version") != version]
        made = [one for one in made if not one.get("was_cancelled")]
        if made:
            newest = max(made, key=lambda one: one["id"] if isinstance(one.get("id"), int) else 0)
            return list(newest.get("result") or [])
    return []


def _refined(task: dict[str, Any], regions: list[Any], refiner: Refiner, studio: Studio) -> list[dict[str, Any]]:
    """The regions, polygons and brush masks refined; all others as they are."""
    refined = list(regions)
    for address, positions in _by_photo(task, regions).items():
        with TemporaryDirectory(prefix="bpr-label-studio-") as folder:
            photo, given, out = (Path(folder) / name for name in ("photo", "given.json", "out.json"))
            photo.write_bytes(studio.photo(address, task.get("id")))
            result = [regions[position] for position in positions]
            given.write_text(json.dumps([{"data": {"image": "photo"}, "annotations": [{"result": result}]}]), encoding="utf-8")
            source = TaskFile(given, lambda photo=photo: OneImage(photo))  # type: ignore[misc]
            records, report = refine_records(source.records, OneImage(photo), refiner)
            if report.kept["no image"]:
                raise BPRError(f"{shown(address)}: expected a photo, got a file that cannot be read; is the address right?")
            for problem in report.problems:
                _say(f"task {task.get('id')}: {problem}")
            source.write(records, out)
            written = json.loads(out.read_text(encoding="utf-8"))[0]["annotations"][0]["result"]
        for position, region in zip(positions, written, strict=True):
            refined[position] = region
    return refined


def _by_photo(task: dict[str, Any], regions: list[Any]) -> dict[str, list[int]]:
    """The positions of the polygons and brush masks by the address of their photo."""
    found: dict[str, list[int]] = {}
    for position, region in enumerate(regions):
        if not isinstance(region, dict):
            raise BPRError(f"expected regions that are objects, got {shown(region)}")
        if kind_of(region) in (POINTS, RLE):
            address = next((one for one in addresses(task, region) if any(names_in(one))), None)
            if address is None:
                raise BPRError(f"expected the address of a photo in the data, got {shown(task['data'])}; add it to the task")
            found.setdefault(address, []).append(position)
    return found
