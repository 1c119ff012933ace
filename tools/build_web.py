"""Build the page that refines a mask in the browser: static files that a server can serve as they are.

    npm ci --prefix web --ignore-scripts && python tools/build_web.py --out build/web
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader

import bpr
from bpr.app.server import ASSETS, MOST_BYTES, SCRIPTS, STYLES, demo_files
from bpr.app.work import WORK_PIXELS
from bpr.backends import model_file
from bpr.backends.onnx_runtime import OnnxPredictor
from bpr.cli.main import Parser, run_script
from bpr.cli.paths import InputName, OutputPath
from bpr.errors import BPRError, shown
from bpr.geometry import evidence, options, scales
from bpr.io.files import write_json
from bpr.refinement.verdict import features, model

WEB = Path(__file__).parents[1] / "web"
RUNTIME = WEB / "node_modules" / "onnxruntime-web" / "dist"
RUNTIME_FILES = ("ort.wasm.min.js", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
OWN_SCRIPTS = ("refine.js", "mask_picture.js", "worker.js", "page.js")
APP = "app.js"
POLICY = (
    "default-src 'none'; img-src 'self' blob: data:; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; "
    "connect-src 'self'; worker-src 'self'; form-action 'none'; base-uri 'none'"
)
CONSTANTS = {
    evidence: ("BINS", "SURROUNDINGS", "EROSION", "MOST_SAMPLES", "FLOOR", "RATIO_AT_LIMIT"),
    features: ("REACH", "PROBABILITY_BINS", "GRADIENT_BINS", "BLURS", "FURTHEST"),
    scales: ("STEP", "LEAST_CHANGE"),
    options: ("LEANINGS",),
    model: ("HARM", "LARGEST_INPUT", "MOST_CHANGED"),
}
"""What web/refine.js takes from the modules that it follows."""
ONLY = {"scheme": "dense", "padding": 0, "keep": 1.0, "max_patches": None}
"""The options that the page knows no other value of."""


def main(argv: Sequence[str] | None = None) -> int:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = "a model's name, or a .onnx file of bpr export (default: %(default)s)"
    parser.add_argument("--model", type=InputName, default="starter-fast", help=what)
    parser.add_argument("--out", type=OutputPath, required=True, help="the folder to write")
    return run_script(parser, run, argv)


def run(args: argparse.Namespace) -> None:
    if missing := [name for name in RUNTIME_FILES if not (RUNTIME / name).is_file()]:
        remedy = "npm ci --prefix web --ignore-scripts"
        raise BPRError(f"{RUNTIME}: expected {missing[0]} of onnxruntime-web, got no such file; run {remedy}")
    path, out = model_file(args.model), Path(args.out)
    settings, assets = settings_of(path), out / "assets"
    for folder in (assets, out / "demo"):
        folder.mkdir(parents=True, exist_ok=True)
    (out / "index.html").write_text(page(path.stem), encoding="utf-8")
    write_json(assets / "settings.json", settings)
    shutil.copyfile(path, assets / "model.onnx")
    for name in RUNTIME_FILES:
        shutil.copyfile(RUNTIME / name, assets / name)
    (assets / "bpr.css").write_text(joined(folder / name for name, folder in STYLES.items()), encoding="utf-8")
    (assets / "bpr.js").write_text(script(), encoding="utf-8")
    for role, content in demo_files().items():
        (out / "demo" / f"{role}.png").write_bytes(content)
    size = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    print(f"wrote {out}: {size / 2**20:.1f} MiB; python -m http.server --directory {out} serves it")


def page(name: str) -> str:
    """The page of bpr app, as its server makes it, for one model and one script."""
    template = Environment(loader=FileSystemLoader(ASSETS), autoescape=True).get_template("index.html")
    limits = {"most_pixels": WORK_PIXELS, "most_bytes": MOST_BYTES}
    text = template.render(model=name, version=bpr.__version__, styles=["bpr.css"], scripts=["bpr.js"], **limits)
    head = '<meta charset="utf-8">'
    return text.replace(head, f'{head}\n<meta http-equiv="Content-Security-Policy" content="{POLICY}">')


def script() -> str:
    """The scripts of the page in one. Those of the app come with its page; what answers them is in front of app.js."""
    shared = [folder / name for name, folder in SCRIPTS.items() if name != APP]
    own = [WEB / name for name in OWN_SCRIPTS]
    return f"{joined([*shared, *own])}\nif (globalThis.document) (function (fetch) {{\n{joined([SCRIPTS[APP] / APP])}}})(bprWeb.fetch);\n"


def joined(parts: Iterable[Path]) -> str:
    return "\n".join(part.read_text(encoding="utf-8") for part in parts)


def settings_of(path: Path) -> dict[str, Any]:
    """All that web/refine.js must know about a model: how it cuts and decides, its verdict, and the constants.

    Raises:
        BPRError: options that the page does not have.
    """
    predictor = OnnxPredictor(path)
    values = {**asdict(predictor.spec), **asdict(predictor.recommended)}
    for name, value in ONLY.items():
        if values.pop(name) != value:
            raise BPRError(f"{path}: expected {name} {shown(value)} for the page, got another; export it with that")
    constants = {name: getattr(module, name) for module, names in CONSTANTS.items() for name in names}
    return {**values, "verdict": predictor.metadata.get("verdict"), "constants": constants}


if __name__ == "__main__":
    sys.exit(main())
