"""``bpr app``: serve a page on this machine to try the refiner in a browser."""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys

from bpr.backends.presets import PRESETS
from bpr.cli.options import at_least
from bpr.cli.paths import InputName
from bpr.errors import BadUsage, BPRError, install_hint

EXAMPLE = """\
bpr app --port 7860
bpr app --label-studio  # a model for Label Studio"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--preset", choices=PRESETS, help="a bundle of model, precision and share of patches, instead of --model")
    add("--model", type=InputName, help="model name, .onnx or .pth file, or identity (default: starter)")
    add("--port", type=int, default=7860, help="0 takes a free port (default: %(default)s)")
    host_help = "address to listen on; any but the default lets other machines use the page (default: %(default)s)"
    add("--host", type=str, default="127.0.0.1", help=host_help)
    label_studio = "serve a model that refines regions drawn in Label Studio, instead of the page"
    add("--label-studio", action="store_true", help=label_studio)
    add("--max-pixels", type=at_least(1), metavar="N", help="scale larger photos down to so many pixels (default: 25 million)")


def run(args: argparse.Namespace) -> int:
    if importlib.util.find_spec("flask") is None:
        raise BPRError(f"the page needs the [app] extra: {install_hint('app')} (Flask is missing)")
    from bpr.app.server import is_local, listen, make_app
    from bpr.app.work import WORK_PIXELS
    from bpr.backends import DEFAULT_MODEL, load_refiner

    local, name = is_local(args.host), args.preset or args.model or DEFAULT_MODEL
    refiner, use, what = load_refiner(args.model, preset=args.preset), ("open", "in a browser"), "page"
    if args.label_studio:
        from bpr.integrations import label_studio

        if args.max_pixels:
            raise BadUsage("--max-pixels: expected no --label-studio with it, which has no such limit; leave one out")
        app = label_studio.make_app(refiner, os.path.basename(name), label_studio.Studio.of_environment())
        use, what = ("add", "to the models of a project in Label Studio"), "model"
    else:
        app = make_app(refiner, name, args.max_pixels or WORK_PIXELS, local)
    server = listen(app, args.host, args.port)
    if not local:
        warning = f"warning: --host {args.host} lets other machines use this {what}; it asks for no password"
        print(warning, file=sys.stderr)
    host = f"[{args.host}]" if ":" in args.host else args.host
    print(f"{name} is ready: {use[0]} http://{host}:{server.port} {use[1]}; Ctrl-C stops", flush=True)
    server.serve_forever()  # returns on Ctrl-C
    return 0
