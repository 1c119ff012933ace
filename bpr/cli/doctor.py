"""``bpr doctor``: what is installed, what runs the models, and what is in conflict."""

from __future__ import annotations

import argparse
import importlib
import os
import platform
from collections.abc import Iterator
from pathlib import Path

EXAMPLE = "bpr doctor"

OPENCV = ("opencv-python-headless", "opencv-python", "opencv-contrib-python-headless", "opencv-contrib-python")
"""Distributions of OpenCV: all of them write the folder ``cv2``."""
OLDEST_OPENCV = (4, 11)
RUNTIMES = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino", "onnxruntime-directml")
"""Distributions of ONNX Runtime: all of them write the folder ``onnxruntime``."""
CORE = {"numpy": "numpy", "cv2": "OpenCV", "pycocotools": "pycocotools", "onnxruntime": "ONNX Runtime", "rich": "rich"}
"""What ``bpr refine`` imports, by module."""
EXTRAS = (
    *("openvino", "numba", "torch", "mmengine", "mmcv-lite", "mmcv", "mmsegmentation", "mmdet"),
    *("flask", "jinja2", "matplotlib", "faster-coco-eval", "cityscapesscripts"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    pass


def run(args: argparse.Namespace) -> int:
    import bpr
    from bpr.cli.options import versions_of
    from bpr.cores import usable_cores

    print(f"bpr {bpr.__version__} in {Path(bpr.__file__).parent}")
    print(f"Python {platform.python_version()}, {platform.platform()}, {usable_cores()} of {os.cpu_count()} cores")
    names = [name for name in (*CORE, *OPENCV, *RUNTIMES, *EXTRAS) if name != "cv2"]
    found = {name: version for name, version in versions_of(list(dict.fromkeys(names))).items() if version}
    print("packages: " + ", ".join(f"{name} {version}" for name, version in found.items()))
    problems = list(_broken())
    if not problems:
        problems += _print_models()
    for line in problems:
        print(f"problem: {line}")
    for line in _shared_folders(found):
        print(line)
    print("the core cannot work" if problems else "the core works")
    return int(bool(problems))


def _broken() -> Iterator[str]:
    """What the core needs and cannot use."""
    for module, name in CORE.items():
        wanted = OPENCV[0] if module == "cv2" else module
        try:
            found = importlib.import_module(module)
            version = found.__version__ if module == "cv2" else ""  # where OpenCV was removed, an empty module may be left
        except Exception as error:  # a library that is damaged may raise anything
            got = f"{type(error).__name__} ({' '.join(str(error).split())})"
            yield f"{name}: expected it to load, got {got}; pip install --force-reinstall --no-deps {wanted}"
            continue
        if version and tuple(map(int, version.split(".")[:2])) < OLDEST_OPENCV:
            oldest = ".".join(map(str, OLDEST_OPENCV))
            yield f"{name}: expected {oldest} or newer, got {version}; pip install --upgrade {wanted}"


def _shared_folders(found: dict[str, str]) -> Iterator[str]:
    """Distributions that write the same folder: the one that came last runs, and to remove one breaks the other."""
    for name, rivals in (("OpenCV", OPENCV), ("ONNX Runtime", RUNTIMES)):
        installed = [one for one in rivals if one in found]
        several = " and ".join(f"{one} {found[one]}" for one in installed)
        if len({found[one] for one in installed}) > 1:
            remedy = f"pip uninstall -y {' '.join(installed)}, and install one again"
            yield f"conflict: {name}: expected one of its distributions, got {several}; {remedy}"
        elif len(installed) > 1:  # as after pip install '.[train]': MMEngine asks for another build
            yield f"note: {name}: {several} share a folder, which works as long as none of them is removed"


def _print_models() -> Iterator[str]:
    """Print the backends and the models with their gates and cards; yields what is wrong with a model."""
    from bpr.backends.folders import card_of, check_digest, named_models
    from bpr.backends.gates import gates_of
    from bpr.backends.registry import BACKENDS, choose
    from bpr.errors import BPRError

    for backend in BACKENDS.values():
        print(f"backend {backend.name}: {backend.missing() or 'ready'}")
    try:
        models = named_models()
    except BPRError as error:
        yield str(error)
        return
    for name, path in models.items():
        try:
            digest, card = check_digest(name, path), card_of(path)
        except BPRError as error:
            yield str(error)
            continue
        gates = gates_of(path)
        passed = [backend for backend in BACKENDS if gates.get(backend)]
        print(f"model {name}: auto takes {choose(path).name}; gates passed by {', '.join(passed) or 'none'}")
        print(f"  file: {path}\n  sha256: {digest}")
        for entry, text in card.items():
            print(f"  {entry.replace('_', ' ')}: {text}")
