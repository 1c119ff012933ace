"""``bpr app``: serve a page on this machine to try the refiner in a browser."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from typing import TYPE_CHECKING

from bpr.backends.presets import PRESETS
from bpr.cli.options import at_least
from bpr.cli.paths import InputName
from bpr.errors import BPRError, install_hint

if TYPE_CHECKING:
    from flask import Flask

EXAMPLE = "bpr app --port 7860"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--preset", choices=PRESETS, help="a bundle of model, precision and share of patches, instead of --model")
    add("--model", type=InputName, help="model name, .onnx or .pth file, or identity (default: starter)")
    add("--port", type=int, default=7860, help="0 takes a free port (default: %(default)s)")
    host_help = "address to listen on; any but the default lets other machines use the page (default: %(default)s)"
    add("--host", type=str, default="127.0.0.1", help=host_help)
    add("--max-pixels", type=at_least(1), metavar="N", help="refuse larger photos and masks (default: 25 million)")


def run(args: argparse.Namespace) -> int:
    check_flask("the page")
    from bpr.app.server import is_local, make_app
    from bpr.app.work import MOST_PIXELS
    from bpr.backends import DEFAULT_MODEL, load_refiner

    name = args.preset or args.model or DEFAULT_MODEL
    refiner = load_refiner(args.model, preset=args.preset)
    app = make_app(refiner, name, args.max_pixels or MOST_PIXELS, is_local(args.host))
    serve(app, args.host, args.port, f"{name} is ready: open", "in a browser", "this page")
    return 0


def check_flask(what: str) -> None:
    """Raise a BPRError where Flask is missing."""
    if importlib.util.find_spec("flask") is None:
        raise BPRError(f"{what} needs the [app] extra: {install_hint('app')} (Flask is missing)")


def serve(app: Flask, host: str, port: int, before: str, after: str, what: str) -> None:
    """Serve until Ctrl-C.

    Args:
        before, after: what is printed around the address.
        what: what other machines can use where the address is not local.
    """
    from bpr.app.server import is_local, listen

    server = listen(app, host, port)
    if not is_local(host):
        print(f"warning: --host {host} lets other machines use {what}; it asks for no password", file=sys.stderr)
    address = f"http://{f'[{host}]' if ':' in host else host}:{server.port}"
    print(f"{before} {address} {after}; Ctrl-C stops", flush=True)
    server.serve_forever()
