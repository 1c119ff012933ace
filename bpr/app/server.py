"""The server of the page: a Flask application without state, for a browser on the same machine.

It receives a photo and masks and answers with numbers and run lengths. Uploaded files never leave the machine and are
gone when the request ends. The page may load only files of this server (Content-Security-Policy). Requests from pages
of other sites are refused (Origin), and so are requests to the host names of other machines (Host).
"""

from __future__ import annotations

import ipaddress
import json
import logging
import queue
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from flask import Flask, Response, abort, jsonify, render_template, request, send_from_directory
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import HTTPException, InternalServerError, RequestEntityTooLarge
from werkzeug.serving import BaseWSGIServer, make_server

import bpr
import bpr.report.html
from bpr.app.work import MOST_PIXELS, WORK_PIXELS, check_sizes, read_mask, read_photo, refine, resized, row, work_frame
from bpr.errors import BPRError
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import encode_mask
from bpr.io.mask_picture import encode_cutout
from bpr.io.png import encode_png
from bpr.refinement.outcome import StageClock
from bpr.refinement.refiner import Refiner
from bpr.scenes import PHOTOGRAPH, coarse_masks, real_photograph

MOST_BYTES = 2**26
"""The largest size of photo and masks together."""
ASSETS, REPORT_ASSETS = Path(__file__).parent / "assets", Path(bpr.report.html.__file__).parent / "assets"
STYLES = {"report.css": REPORT_ASSETS, "app.css": ASSETS}
SCRIPTS = {"masks.js": REPORT_ASSETS, "stage.js": REPORT_ASSETS, "app.js": ASSETS}
"""The files and their folders, in the order in which the page loads them. The app draws with the report's code."""
HEARTBEAT = 0.5
"""Seconds after which a refinement writes to the page at the latest: so it notices that the page has gone."""
INTERNAL = "an internal error; the terminal of bpr app shows details"
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self' blob: data:; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def make_app(refiner: Refiner, model: str, most_pixels: int = WORK_PIXELS, local: bool = True) -> Flask:
    """The application.

    Args:
        model: the name of the model that the page shows.
        most_pixels: larger photos are scaled down to so many pixels.
        local: refuse requests to the host names of other machines.
    """
    app = Flask("bpr.app", template_folder=str(ASSETS), static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MOST_BYTES
    _guard(app, local)
    lock = threading.Lock()  # one refinement at a time, because each uses all cores

    @app.get("/")
    def page() -> str:
        limits = {"most_pixels": most_pixels, "most_bytes": MOST_BYTES}
        return render_template("index.html", model=model, styles=STYLES, scripts=SCRIPTS, version=bpr.__version__, **limits)

    @app.get("/assets/<name>")
    def asset(name: str) -> Response:
        return send_from_directory((STYLES | SCRIPTS).get(name) or abort(404), name)

    @app.get("/demo/<name>.png")
    def demo(name: str) -> Response:
        return Response(demo_files().get(name) or abort(404), mimetype="image/png")

    @app.post("/mask")
    def check_mask() -> Response:
        mask = read_mask(*_uploaded("mask")[0])
        height, width = mask.numbers.shape
        at_work = resized(mask.numbers > 0, work_frame((height, width), most_pixels))
        counts = encode_mask(BoxMask.from_frame(at_work))["counts"]
        return jsonify(width=width, height=height, counts=counts, remark=mask.remark)

    @app.post("/refine")
    def refine_masks() -> Response:
        photo, frame = read_photo(*_uploaded("photo")[0], most_pixels)
        masks = [read_mask(*file) for file in _uploaded("mask")]
        check_sizes(masks, frame, photo.shape[:2])
        fearless = "every-change" in request.form
        chosen = Refiner(refiner.predictor, replace(refiner.options, caution=0.0)) if fearless else refiner

        def answer(clock: StageClock) -> Any:
            with lock:
                started = clock.wall
                refined = refine(chosen, photo, masks, clock)
            seconds = clock.wall - started
            rows = [row(mask, frame, *parts) for mask, parts in zip(masks, refined, strict=False)]  # none if it gave up
            return {"masks": rows, "seconds": seconds}

        return Response(_lines(answer), mimetype="application/x-ndjson")

    @app.post("/cutout")
    def cut_out() -> Response:
        photo, frame = read_photo(*_uploaded("photo")[0], MOST_PIXELS)
        mask = read_mask(*_uploaded("mask")[0])
        check_sizes([mask], frame)
        return Response(encode_cutout(photo, mask.numbers > 0), mimetype="image/png")

    return app


def _guard(app: Flask, local: bool) -> None:
    """Refuse other sites and host names, restrict what the page may load, and answer errors with one line."""

    @app.before_request
    def refuse_others() -> None:
        name, origin = urlsplit(request.host_url).hostname, request.headers.get("Origin")
        if local and not is_local(name or ""):
            names = "a name of this machine, 127.0.0.1 or localhost"
            abort(403, f"expected {names}, got another; start bpr app with --host")
        if origin is not None and origin != request.host_url.rstrip("/"):
            abort(403, "expected a request of this page, got one of another site")

    @app.after_request
    def add_headers(response: Response) -> Response:
        response.headers.update(HEADERS)
        return response

    @app.errorhandler(BPRError)
    @app.errorhandler(ValueError)
    def bad_input(error: Exception) -> tuple[Response, int]:
        return jsonify(error=str(error)), 400

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> tuple[Response, int]:
        line = str(error.description)
        if isinstance(error, RequestEntityTooLarge):
            line = f"expected a photo and masks of at most {MOST_BYTES >> 20} MiB together, got more; save them smaller"
        elif isinstance(error, InternalServerError):
            line = INTERNAL
        return jsonify(error=line), error.code or 500


def _uploaded(role: str) -> list[tuple[bytes, str]]:
    """The contents and names of the uploaded files of a role."""
    files: list[FileStorage] = request.files.getlist(role)
    if not files:
        raise BPRError(f"{role}: expected a file, got none; choose one")
    return [(file.read(), file.filename or role) for file in files]


def _lines(work: Callable[[StageClock], Any]) -> Iterator[str]:
    """Lines of JSON: {"patches": [predicted, cut]} while the work goes on, and at the end what it returns or its error.

    The work gives up once nobody reads the lines any more.
    """
    clock, lines, gone = StageClock(), queue.SimpleQueue[Any](), threading.Event()
    clock.on_patches = lambda *patches: lines.put({"patches": patches})
    clock.given_up = gone.is_set

    def run() -> None:
        try:
            lines.put(work(clock))
        except BPRError as error:
            lines.put({"error": str(error)})
        except Exception:
            logging.getLogger(__name__).exception("refining failed")
            lines.put({"error": INTERNAL})

    threading.Thread(target=run, daemon=True).start()
    try:
        line: Any = {"patches": [0, 0]}
        while "patches" in line:
            yield json.dumps(line) + "\n"
            with suppress(queue.Empty):
                line = lines.get(timeout=HEARTBEAT)
        yield json.dumps(line) + "\n"
    finally:
        gone.set()


@cache
def demo_files() -> dict[str, bytes]:
    """The photograph and its coarse mask: PNG files by role."""
    [coarse] = coarse_masks(real_photograph(), "mask_head")
    return {"photo": PHOTOGRAPH.read_bytes(), "mask": encode_png(coarse.to_frame() * np.uint8(255))}


def listen(app: Flask, host: str, port: int) -> BaseWSGIServer:
    """A server that listens on a port; call its ``serve_forever``.

    Port 0 chooses a free port; ``server.port`` is its number.

    Raises:
        BPRError: the host is not an address of this machine, or the port is taken.
    """
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # users do not need a line per request
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        reason = str(getattr(error, "strerror", None) or error).partition(" (while")[0]
        raise BPRError(f"expected to listen on {host}:{port}, got: {reason}; choose another --port or --host") from None
    with listening:
        return make_server(host, listening.getsockname()[1], app, threaded=True, fd=listening.fileno())


def is_local(host: str) -> bool:
    """Whether only this machine can connect to ``host``.

    >>> [is_local(host) for host in ("127.0.0.1", "localhost", "::1", "0.0.0.0", "192.168.1.5", "my-name")]
    [True, True, True, False, False, False]
    """
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
