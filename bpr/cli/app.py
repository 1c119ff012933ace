"""``bpr app``: serve a page on this machine to try the refiner in a browser."""

from __future__ import annotations

import argparse
import importlib.util
import sys

from bpr.backends.presets import PRESETS
from bpr.cli.options import at_least
from bpr.cli.paths import InputName
from bpr.errors import BPRError, install_hint

EXAMPLE = "bpr app --port 7860"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--preset", choices=PRESETS, help="a bundle of model, precision and share of patches, instead of --model")
    add("--model", type=InputName, help="model name, .onnx or .pth file, or identity (default: starter)")
    add("--port", type=int, default=7860, help="0 takes a free port (default: %(default)s)")
    host_help = "address to listen on; any but the default lets other machines use the page (default: %(default)s)"
    add("--host", type=str, default="127.0.0.1", help=host_help)
    add("--max-pixels", type=at_least(1), metavar="N", help="scale larger photos down to so many pixels (default: 25 million)")


def run(args: argparse.Namespace) -> int:
    if importlib.util.find_spec("flask") is None:
        raise BPRError(f"the page needs the [app] extra: {install_hint('app')} (Flask is missing)")
    from bpr.app.server import is_local, listen, make_app
    from bpr.app.work import WORK_PIXELS
    from bpr.backends import DEFAULT_MODEL, load_refiner

    local, name = is_local(args.host), args.preset or args.model or DEFAULT_MODEL
    app = make_app(load_refiner(args.model, preset=args.preset), name, args.max_pixels or WORK_PIXELS, local)
    server = listen(app, args.host, args.port)
    if not local:
        warning = f"warning: --host {args.host} lets other machines use this page; it asks for no password"
        print(warning, file=sys.stderr)
    host = f"[{args.host}]" if ":" in args.host else args.host
    print(f"{name} is ready: open http://{host}:{server.port} in a browser; Ctrl-C stops", flush=True)
    server.serve_forever()  # returns on Ctrl-C
    return 0
