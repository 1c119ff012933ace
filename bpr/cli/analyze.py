"""``bpr analyze``: the analyses of the paper and its supplement, on any detections."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from bpr.backends import DEFAULT_MODEL
from bpr.cli.options import print_problems, progress_bar, versions_of
from bpr.cli.paths import InputName, InputPath, OutputPath
from bpr.errors import amount

if TYPE_CHECKING:
    from bpr.evaluation.prepare import Detections
    from bpr.evaluation.subjects import Truth
    from bpr.io.image_finder import ImageFinder
    from bpr.report.analyses.gallery import Gallery

EXAMPLE = (
    "bpr analyze failures refined.segm.json --before results.segm.json --ann instances.json --img-dir images "
    "--out failures.json"
)

MOST_PATCHES, MOST_IMAGES = 12, 8
"""An analysis draws at most this many patches or masks, and this many whole images."""
SCENE = 22
"""The seed of the painted scene that shows the schemes."""
TIMED_IMAGES = 20
"""The timing uses this many images, the first ones of the data set."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    analyses = parser.add_subparsers(dest="analysis", required=True, metavar="ANALYSIS")
    for name, analysis in ANALYSES.items():
        subparser = analyses.add_parser(name, help=analysis.help, description=analysis.help)
        add, out = subparser.add_argument, analysis.out
        if analysis.needs:
            add("results", type=InputPath, help="COCO results JSON or a Cityscapes folder")
            add("--ann", type=InputPath, required=True, help="ground truth: COCO annotations or a gtFine folder")
            add("--img-dir", type=InputPath, required=True, help="folder of the images")
            kind = {"json": NumbersPath, "png": PicturePath, "folder": OutputPath}[out]
            add("--out", type=kind, required=True, metavar=out.upper(), help=f"{out} to write")
        else:
            picture = "picture to write (default: %(default)s)"
            add("--out", type=PicturePath, default=f"{name}.png", help=picture)
        if analysis.needs == "a pair":
            before = "the results that were refined"
            add("--before", type=InputPath, required=True, metavar="COARSE", help=before)
        if name == "upper-bound":
            reaches, about = [1, 2, 3, None], "pixels, or inf (default: 1 2 3 inf)"
            add("--reach", nargs="+", type=_reach, default=reaches, metavar="PX", help=about)
        if name == "timing":
            model = "model name, .onnx or .pth file (default: %(default)s)"
            add("--model", type=InputName, default=DEFAULT_MODEL, help=model)


def run(args: argparse.Namespace) -> int:
    ANALYSES[args.analysis].run(args)
    return 0


class _NamedPath(OutputPath):
    """A file whose name ends in one of ``endings``."""

    endings: tuple[str, ...]

    def __new__(cls, text: str) -> _NamedPath:
        path = super().__new__(cls, text)
        if Path(path).suffix.lower() not in cls.endings:
            raise argparse.ArgumentTypeError(f"expected a file that ends in {' or '.join(cls.endings)}, got {text!r}")
        return path


class PicturePath(_NamedPath):
    endings = (".png", ".jpg", ".jpeg")


class NumbersPath(_NamedPath):
    """A JSON file of numbers. A table and a picture with the same stem are written to the same folder."""

    endings = (".json",)

    def written(self) -> list[Path]:
        return [Path(self).with_suffix(suffix) for suffix in (".json", ".md", ".png")]


def _reach(text: str) -> int | None:
    return None if text == "inf" else int(text)


def upper_bound(args: argparse.Namespace) -> None:
    from bpr.refinement.pipeline import DEFAULT_WORKERS
    from bpr.report.analyses.upper_bound import markdown, upper_bounds

    truth, images = _read(args)
    coarse, document, protocol = _detections(truth, args.results), truth.document, truth.protocol
    with progress_bar("bounding", len(coarse.records) * len(args.reach)) as advance:
        before, bounds = upper_bounds(coarse, document, images, protocol, args.reach, DEFAULT_WORKERS, advance)
    listed = [{"reach": reach, "numbers": numbers} for reach, numbers in zip(args.reach, bounds, strict=True)]
    _write(args, {"before": before, "bounds": listed}, markdown(before, args.reach, bounds))


def scatter(args: argparse.Namespace) -> None:
    from bpr.report.analyses.gains import gains, markdown, plot_scatter

    rows = _gallery(args).rows
    groups = gains(rows)
    title = f"{amount(len(rows), 'instance')}, {Path(args.results).name}"
    plot_scatter(Path(args.out).with_suffix(".png"), rows, title)
    _write(args, {"gains": [asdict(gain) for gain in groups]}, markdown(groups))


def failures(args: argparse.Namespace) -> None:
    from bpr.evaluation.comparison import CLEARLY
    from bpr.report.analyses.failures import count_reasons, harmed, markdown
    from bpr.report.analyses.sheets import draw_failures
    from bpr.report.draw import write_image

    gallery = _gallery(args)
    clearly, worst = harmed(gallery, CLEARLY), harmed(gallery)[:MOST_PATCHES]
    reasons = count_reasons(gallery, clearly)
    if worst:
        write_image(Path(args.out).with_suffix(".png"), draw_failures(gallery, worst))
    numbers = {"pairs": len(gallery.rows), "harmed_clearly": len(clearly), "reasons": reasons}
    numbers["worst"] = [gallery.rows[index].to_dict() for index in worst]
    _write(args, numbers, markdown(len(gallery.rows), reasons))


def patches(args: argparse.Namespace) -> None:
    from bpr.geometry.options import PatchSpec
    from bpr.report.analyses.sheets import draw_changed_patches
    from bpr.report.draw import write_image

    gallery = _gallery(args)
    best = list(reversed(gallery.by_gain()))[:MOST_PATCHES]
    write_image(args.out, draw_changed_patches(gallery, best, PatchSpec().side))
    print(f"{amount(len(best), 'patch', 'patches')} of the pairs that gained most -> {args.out}")


def pictures(args: argparse.Namespace) -> None:
    from bpr.io.files import inside
    from bpr.report.analyses.sheets import draw_images
    from bpr.report.draw import write_image

    for image_id, picture in draw_images(_gallery(args), MOST_IMAGES):
        path = inside(args.out, f"{image_id}.png", "image_id")
        write_image(path, picture)
        print(f"before/after: {path}")


def schemes(args: argparse.Namespace) -> None:
    from bpr.geometry.placement import SCHEMES
    from bpr.report.draw import write_image
    from bpr.report.schemes import draw_schemes
    from bpr.scenes import coarse_masks, paint_scene

    scene = paint_scene(SCENE)
    write_image(args.out, draw_schemes(scene.image, coarse_masks(scene, "mask_head", SCENE)))
    print(f"{amount(len(scene.masks), 'instance')}, {len(SCHEMES)} schemes -> {args.out}")


def timing(args: argparse.Namespace) -> None:
    from bpr.backends import load_predictor
    from bpr.refinement.refiner import Refiner
    from bpr.report.analyses.timing import markdown, time_stages

    truth, images = _read(args)
    coarse = _detections(truth, args.results)
    ids = {image["id"] for image in truth.document["images"][:TIMED_IMAGES]}
    records = [record for record in coarse.records if record["image_id"] in ids]
    with progress_bar("timing", len(records)) as advance:
        durations = time_stages(records, images, Refiner(load_predictor(args.model)), advance)
    _write(args, {"model": Path(args.model).name, **asdict(durations)}, markdown(durations))


@dataclass(frozen=True)
class Analysis:
    """A subcommand of ``bpr analyze``.

    Attributes:
        needs: whether it reads results with their ground truth and images, or such a file and the one before it.
        out: the kind of its output: ``json``, ``png`` or ``folder``.
    """

    help: str
    needs: Literal["results", "a pair", ""]
    out: Literal["json", "png", "folder"]
    run: Callable[[argparse.Namespace], None]


BOUND = "scores of an oracle that knows the ground truth near the boundary (table 1)"
ANALYSES = {
    "upper-bound": Analysis(BOUND, "results", "json", upper_bound),
    "scatter": Analysis("IoU before against IoU after (figure S7), and gains by IoU before", "a pair", "json", scatter),
    "failures": Analysis("the most harmed masks and why (figure S6)", "a pair", "json", failures),
    "patches": Analysis("patches before and after (figure S5)", "a pair", "png", patches),
    "images": Analysis("whole images before and after (figure S4), into a folder", "a pair", "folder", pictures),
    "schemes": Analysis("where the patches of each scheme lie on a painted scene (figure S1)", "", "png", schemes),
    "timing": Analysis("milliseconds per image of extraction, network, reassembly (section C)", "results", "json", timing),
}


def _read(args: argparse.Namespace) -> tuple[Truth, ImageFinder]:
    from bpr.errors import BPRError
    from bpr.evaluation.subjects import Truth
    from bpr.io.image_finder import ImageFolder

    truth = Truth(args.ann)
    if truth.panoptic:
        expected = "expected COCO annotations or a gtFine folder"
        raise BPRError(f"{args.ann}: {expected}, got panoptic JSON, which only bpr eval reads")
    print_problems(truth.problems)
    return truth, ImageFolder(args.img_dir, truth.document["images"])


def _detections(truth: Truth, results: str) -> Detections:
    """The detections of a results file; its problems are printed."""
    detections = truth.detections(results)
    print_problems(detections.problems)
    return detections


def _gallery(args: argparse.Namespace) -> Gallery:
    from bpr.evaluation.comparison import compare
    from bpr.report.analyses.gallery import Gallery

    truth, images = _read(args)
    coarse, refined = _detections(truth, args.before), _detections(truth, args.results)
    return Gallery(compare(coarse, refined, truth.document, truth.protocol), images)


def _write(args: argparse.Namespace, numbers: dict[str, Any], table: str) -> None:
    """Print the table, and write it and the numbers, together with file names and package versions."""
    from bpr.cli.eval import PACKAGES
    from bpr.io.files import atomic_open, write_json

    print(table, end="")
    files = {"results": args.results, "annotations": args.ann, "before": getattr(args, "before", None)}
    names = {role: Path(path).name for role, path in files.items() if path}
    content = {**numbers, "files": names, "versions": versions_of(PACKAGES)}
    write_json(Path(args.out).with_suffix(".json"), content, indent=1)
    with atomic_open(Path(args.out).with_suffix(".md")) as file:
        file.write(table)
