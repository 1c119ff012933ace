"""``bpr label-studio``: serve a model that refines the regions that a person draws in Label Studio."""

from __future__ import annotations

import argparse
import os

from bpr.backends.presets import PRESETS
from bpr.cli.app import check_flask, serve
from bpr.cli.paths import InputName

EXAMPLE = "bpr label-studio --port 9090"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--preset", choices=PRESETS, help="a bundle of model, precision and share of patches, instead of --model")
    add("--model", type=InputName, help="model name, .onnx or .pth file, or identity (default: starter)")
    add("--port", type=int, default=9090, help="0 takes a free port (default: %(default)s)")
    host_help = "address to listen on; any but the default lets other machines use the model (default: %(default)s)"
    add("--host", type=str, default="127.0.0.1", help=host_help)


def run(args: argparse.Namespace) -> int:
    check_flask("this")
    from bpr.backends import DEFAULT_MODEL, load_refiner
    from bpr.integrations.label_studio import KEY, URL, Studio, make_app

    studio = Studio(os.environ.get(URL) or "http://localhost:8080", os.environ.get(KEY, "").strip())
    name = args.preset or args.model or DEFAULT_MODEL
    app = make_app(load_refiner(args.model, preset=args.preset), os.path.basename(name), studio)
    serve(app, args.host, args.port, f"{name} is ready: add", "to the models of a project in Label Studio", "this model")
    return 0
