"""How the time of refining grows, without the network: with boundary length, instances, image size, workers; and a plot of each.

    python benchmarks/scaling.py [--out docs/results/scaling.json] [--plot docs/assets/scaling.png]

From files to a file on generated scenes, with a network that believes the coarse mask at once.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # benchmarks/ is part of the checkout, not of the package

from benchmarks.measuring import Timing, in_turn, provenance  # noqa: E402
from benchmarks.photos import Load, Photo  # noqa: E402
from benchmarks.street_scenes import scene, write_scenes  # noqa: E402
from bpr.backends import load_predictor  # noqa: E402
from bpr.formats.coco import read_results  # noqa: E402
from bpr.io.files import write_json  # noqa: E402
from bpr.refinement.predictor import IdentityPredictor  # noqa: E402
from bpr.report.plots import import_pyplot, save_png  # noqa: E402

REPEATS, IMAGES = 5, 4


@dataclass(frozen=True)
class Point:
    """A scene to measure; all but one of its numbers are those of a street."""

    instances: int = 20
    radius: float = 50
    frame: tuple[int, int] = (1024, 2048)
    workers: int = 2


CURVES: dict[str, dict[float, Point]] = {
    "boundary: median radius of an instance, px": {radius: Point(radius=radius) for radius in (12, 25, 50, 100, 200)},
    "instances an image": {count: Point(instances=count) for count in (5, 10, 20, 40, 80)},
    "image, megapixels": {2 * side * side / 2**20: Point(frame=(side, 2 * side)) for side in (256, 512, 1024, 2048)},
    "workers": {workers: Point(workers=workers) for workers in (0, 1, 2)},
}


def measure(curves: dict[str, dict[float, Point]], repeats: int = REPEATS) -> dict[str, list[dict[str, Any]]]:
    """Every curve's points: x, patches an image, seconds an image."""
    with tempfile.TemporaryDirectory() as name:
        return {title: curve(points, Path(name), repeats) for title, points in curves.items()}


def curve(points: dict[float, Point], folder: Path, repeats: int) -> list[dict[str, Any]]:
    predictor = IdentityPredictor(load_predictor("starter").scheme)
    loads = {x: load(point, folder / f"{number}") for number, (x, point) in enumerate(points.items())}
    sides = {str(x): partial(own.refine, predictor, points[x].workers) for x, own in loads.items()}
    spent = in_turn(sides, repeats)
    return [{"x": x, "seconds": asdict(Timing.of(spent[str(x)], per=len(own.files)))} for x, own in loads.items()]


def load(point: Point, folder: Path) -> Load:
    """One scene, as several images."""
    folder.mkdir(exist_ok=True)
    results = write_scenes(folder, [scene(0, point.instances, point.frame, point.radius)])
    return Load.of([Photo(folder / "0.png", read_results(results))], IMAGES, folder)


def plot(curves: dict[str, list[dict[str, Any]]], out: Path) -> None:
    """One panel per curve: median and quartiles in milliseconds an image."""
    pyplot = import_pyplot()
    figure, axes = pyplot.subplots(1, len(curves), figsize=(3.4 * len(curves), 3), squeeze=False, layout="constrained")
    for axis, (title, points) in zip(axes[0], curves.items(), strict=True):
        low, median, high = ([1000 * point["seconds"][key] for point in points] for key in ("low", "median", "high"))
        x = [point["x"] for point in points]
        axis.plot(x, median, marker="o")
        axis.fill_between(x, low, high, alpha=0.3)
        axis.set(xlabel=title, ylim=(0, None))
    axes[0][0].set_ylabel("ms an image, no network")
    save_png(figure, out)
    pyplot.close(figure)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "docs/results/scaling.json")
    parser.add_argument("--plot", type=Path, default=ROOT / "docs/assets/scaling.png")
    args = parser.parse_args(argv)
    curves = measure(CURVES)
    write_json(args.out, {"command": "python benchmarks/scaling.py", "provenance": provenance(), "curves": curves}, indent=1)
    plot(curves, args.plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
