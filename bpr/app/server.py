"""The page and what it asks: a Flask application without state, for the browser of the same machine.

A photo and a mask come in, numbers and run lengths go out. Nothing leaves the machine, and nothing stays on it: what is
uploaded lives as long as its request. The page may load what this server has, and nothing else (Content-Security-Policy);
requests that another site's page makes are refused (Origin), as are names that only pretend to be this machine (Host).
"""

from __future__ import annotations

import base64
import ipaddress
import logging
import socket
import threading
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
from bpr.app.work import MOST_PIXELS, read_mask, read_photo, refine
from bpr.errors import BPRError
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import encode_mask
from bpr.io.png import encode_png
from bpr.refinement.refiner import Refiner
from bpr.scenes import coarse_masks, paint_scene

MOST_BYTES = 2**26
"""Of photo and mask together."""
OWN, REPORT = Path(__file__).parent / "assets", Path(bpr.report.html.__file__).parent / "assets"
STYLES = {"report.css": REPORT, "app.css": OWN}
SCRIPTS = {"masks.js": REPORT, "stage.js": REPORT, "paper.js": OWN, "compare.js": OWN, "app.js": OWN}
"""In the order in which the page loads them, and where they lie: the app looks like the report and draws as it does."""
DEMO_SEED = 7
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self' blob: data:; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def make_app(refiner: Refiner, model: str, most_pixels: int = MOST_PIXELS, local: bool = True) -> Flask:
    """The application; ``model`` is what the page calls the refiner, ``local`` refuses requests to other names of this machine."""
    app = Flask("bpr.app", template_folder=str(OWN), static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MOST_BYTES
    _guard(app, local)
    turn = threading.Lock()  # one at a time: a network takes all cores as it is

    @app.get("/")
    def page() -> str:
        limits = {"most_pixels": most_pixels, "most_bytes": MOST_BYTES}
        return render_template(
            "index.html", model=model, styles=STYLES, scripts=SCRIPTS, version=bpr.__version__, **limits
        )

    @app.get("/assets/<name>")
    def asset(name: str) -> Response:
        return send_from_directory((STYLES | SCRIPTS).get(name) or abort(404), name)

    @app.get("/demo/<name>.png")
    def demo(name: str) -> Response:
        return Response(demo_files().get(name) or abort(404), mimetype="image/png")

    @app.post("/mask")
    def look() -> Response:
        numbers = read_mask(*_sent("mask"), most_pixels).numbers
        return jsonify(width=numbers.shape[1], height=numbers.shape[0], counts=_counts(numbers))

    @app.post("/refine")
    def work() -> Response:
        photo, mask = read_photo(*_sent("photo"), most_pixels), read_mask(*_sent("mask"), most_pixels)
        with turn:
            refined = refine(refiner, photo, mask)
        return jsonify(
            before=_counts(mask.numbers),
            after=_counts(refined.numbers),
            foreground=int(np.count_nonzero(mask.numbers)),
            changed=refined.changed,
            boxes=refined.boxes.tolist(),
            seconds=refined.seconds,
            png=base64.b64encode(encode_png(refined.numbers, mask.palette)).decode(),
        )

    return app


def _guard(app: Flask, local: bool) -> None:
    """Who may ask, what the page may load, and how errors look: one line."""

    @app.before_request
    def own_page_only() -> None:
        name, origin = urlsplit(request.host_url).hostname, request.headers.get("Origin")
        if local and not is_local(name or ""):
            abort(
                403, "expected this machine's own name, 127.0.0.1 or localhost, got another; start bpr app with --host"
            )
        if origin is not None and origin != request.host_url.rstrip("/"):
            abort(403, "expected a request of this page, got one of another site")

    @app.after_request
    def with_headers(response: Response) -> Response:
        response.headers.update(HEADERS)
        return response

    @app.errorhandler(BPRError)
    @app.errorhandler(ValueError)
    def refused(error: Exception) -> tuple[Response, int]:
        return jsonify(error=str(error)), 400

    @app.errorhandler(HTTPException)
    def failed(error: HTTPException) -> tuple[Response, int]:
        return jsonify(error=_line(error)), error.code or 500


def _line(error: HTTPException) -> str:
    if isinstance(error, RequestEntityTooLarge):
        return f"expected a photo and a mask of at most {MOST_BYTES >> 20} MiB together, got more; save them smaller"
    if isinstance(error, InternalServerError):
        return "a defect of ours; the terminal of bpr app says where"
    return str(error.description)


def _sent(role: str) -> tuple[bytes, str]:
    """Content and name of a file that the page sent."""
    file: FileStorage | None = request.files.get(role)
    if file is None:
        raise BPRError(f"{role}: expected a file, got none; choose one")
    return file.read(), file.filename or role


def _counts(numbers: np.ndarray) -> Any:
    """COCO's run lengths of a whole mask."""
    return encode_mask(BoxMask.from_frame(numbers > 0))["counts"]


@cache
def demo_files() -> dict[str, bytes]:
    """A painted photo and the coarse mask of its largest object, as PNG files by role."""
    scene = paint_scene(DEMO_SEED)
    coarse = max(coarse_masks(scene, "mask_head", DEMO_SEED), key=lambda mask: mask.area)
    return {"photo": encode_png(scene.image), "mask": encode_png(coarse.to_frame() * np.uint8(255))}


def listen(app: Flask, host: str, port: int) -> BaseWSGIServer:
    """A server that holds its port; 0: any that is free. ``serve_forever`` answers, ``port`` says which one it is.

    Raises:
        BPRError: the host is not this machine's, or the port is taken.
    """
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # a line for each request says nothing to a user
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        reason = str(getattr(error, "strerror", None) or error).partition(" (while")[0]
        raise BPRError(f"expected to listen on {host}:{port}, got: {reason}; choose another --port or --host") from None
    with listening:
        return make_server(host, listening.getsockname()[1], app, threaded=True, fd=listening.fileno())


def is_local(host: str) -> bool:
    """Whether only this machine can reach ``host``.

    >>> [is_local(host) for host in ("127.0.0.1", "localhost", "::1", "0.0.0.0", "192.168.1.5", "my-name")]
    [True, True, True, False, False, False]
    """
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
