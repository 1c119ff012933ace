"""``bpr analyze``: the analyses of the paper and its supplement, on any detections."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bpr.backends import DEFAULT_MODEL
from bpr.cli.numbers import at_least
from bpr.cli.options import PROTOCOLS, add_workers, progress_bar, versions_of

if TYPE_CHECKING:
    from bpr.evaluation.inputs import Detections, Document
    from bpr.io.images import ImageFinder
    from bpr.report.analyses.gallery import Gallery

HELP = "the paper's analyses: upper bound, scatter, failures, patches, images, schemes, timing"
EXAMPLE = "bpr analyze failures refined.segm.json --before results.segm.json --ann instances.json --img-dir images --out failures.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    analyses = parser.add_subparsers(dest="analysis", required=True, metavar="ANALYSIS")
    for name, (about, add, analyse) in ANALYSES.items():
        own = analyses.add_parser(name, help=about, description=about)
        add(own)
        own.set_defaults(analyse=analyse)


def run(args: argparse.Namespace) -> int:
    analyse: Callable[[argparse.Namespace], None] = args.analyse
    analyse(args)
    return 0


def _add_truth(parser: argparse.ArgumentParser, out: str) -> None:
    parser.add_argument("results", help="COCO results JSON")
    parser.add_argument("--ann", required=True, help="COCO annotation file with the ground truth")
    parser.add_argument("--img-dir", required=True, help="folder of the images")
    parser.add_argument("--out", required=True, metavar=out.upper(), help=f"{out} to write")
    if out == "json":
        parser.set_defaults(beside=_beside)


def _beside(args: argparse.Namespace) -> list[Path]:
    """What may be written beside ``--out``: the numbers, their table and their picture."""
    return [Path(args.out).with_suffix(suffix) for suffix in (".json", ".md", ".png")] if Path(args.out).name else []


def _add_bound(parser: argparse.ArgumentParser) -> None:
    _add_truth(parser, "json")
    reaches: list[int | None] = [1, 2, 3, None]
    parser.add_argument("--reach", nargs="+", type=_reach, default=reaches, metavar="PX", help="pixels, or inf (default: 1 2 3 inf)")
    parser.add_argument("--dataset", choices=PROTOCOLS, default="coco", help="whose rules the numbers follow (default: %(default)s)")
    add_workers(parser)


def _reach(text: str) -> int | None:
    return None if text == "inf" else int(text)


def _add_pair(out: str, count: int | None = None) -> Callable[[argparse.ArgumentParser], None]:
    def add(parser: argparse.ArgumentParser) -> None:
        _add_truth(parser, out)
        parser.add_argument("--before", required=True, metavar="COARSE", help="the results JSON that was refined")
        if count:
            parser.add_argument("--count", type=at_least(1), default=count, help="how many are drawn (default: %(default)s)")

    return add


def _add_patches(parser: argparse.ArgumentParser) -> None:
    _add_pair("png", 12)(parser)
    parser.add_argument("--side", type=at_least(1), default=64, metavar="PX", help="side of a patch (default: %(default)s)")


def _add_timing(parser: argparse.ArgumentParser) -> None:
    _add_truth(parser, "json")
    parser.add_argument("--model", default=DEFAULT_MODEL, help="model name, .onnx or .pth file (default: %(default)s)")
    parser.add_argument("--limit", type=at_least(1), help="only the first N images")


def _add_schemes(parser: argparse.ArgumentParser) -> None:
    from bpr.cli.visualize import add_picture

    add_picture(parser)


def bound(args: argparse.Namespace) -> None:
    from bpr.evaluation.case import PROTOCOLS as RULES
    from bpr.report.analyses.upper_bound import markdown, upper_bounds

    coarse, document, images = _files(args, args.results)
    with progress_bar("bounding", len(coarse.records) * len(args.reach)) as advance:
        before, bounds = upper_bounds(coarse, document, images, RULES[args.dataset], args.reach, args.workers, advance)
    _write(args, {"before": before, "bounds": [asdict(item) for item in bounds]}, markdown(before, bounds))


def scatter(args: argparse.Namespace) -> None:
    from bpr.evaluation.matched_pairs import CLEARLY
    from bpr.report.analyses.gains import gains, markdown
    from bpr.report.plots import plot_scatter

    gallery = _gallery(args)
    rows, found = gallery.rows, gains(gallery.rows)
    title = f"{len(rows)} instances, {Path(args.results).name}"
    plot_scatter(Path(args.out).with_suffix(".png"), [row.iou_before for row in rows], [row.iou_after for row in rows], CLEARLY, title)
    _write(args, {"gains": [asdict(gain) for gain in found]}, markdown(found))


def failures(args: argparse.Namespace) -> None:
    from bpr.evaluation.matched_pairs import CLEARLY
    from bpr.report.analyses.failures import count_reasons, harmed, markdown
    from bpr.report.analyses.sheets import draw_failures
    from bpr.report.draw import write_image

    gallery = _gallery(args)
    clearly, shown = harmed(gallery, CLEARLY), harmed(gallery)[: args.count]
    reasons = count_reasons(gallery, clearly)
    if shown:
        write_image(Path(args.out).with_suffix(".png"), draw_failures(gallery, shown))
    numbers = {"pairs": len(gallery.rows), "harmed_clearly": len(clearly), "reasons": reasons}
    _write(args, {**numbers, "worst": [asdict(gallery.rows[index]) for index in shown]}, markdown(len(gallery.rows), reasons))


def patches(args: argparse.Namespace) -> None:
    from bpr.report.analyses.sheets import draw_patches
    from bpr.report.draw import write_image

    gallery = _gallery(args)
    best = list(reversed(gallery.by_gain()))[: args.count]
    write_image(args.out, draw_patches(gallery, best, args.side))
    print(f"{len(best)} patches of the pairs that gained most -> {args.out}")


def pictures(args: argparse.Namespace) -> None:
    from bpr.io.files import inside
    from bpr.report.analyses.sheets import draw_images
    from bpr.report.draw import write_image

    for image_id, picture in draw_images(_gallery(args), args.count):
        path = inside(args.out, f"{image_id}.png", "image_id")
        write_image(path, picture)
        print(f"before/after: {path}")


def schemes(args: argparse.Namespace) -> None:
    from bpr.cli.visualize import draw

    draw(args)


def timing(args: argparse.Namespace) -> None:
    from bpr.backends import load_predictor
    from bpr.refinement.refiner import Refiner
    from bpr.report.analyses.timing import markdown, time_stages

    coarse, document, images = _files(args, args.results)
    shown = {image["id"] for image in document["images"][: args.limit]}
    records = [record for record in coarse.records if record["image_id"] in shown]
    with progress_bar("timing", len(records)) as advance:
        found = time_stages(records, images, Refiner(load_predictor(args.model)), advance)
    _write(args, {"model": Path(args.model).name, **asdict(found)}, markdown(found))


ANALYSES: dict[str, tuple[str, Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], None]]] = {
    "upper-bound": ("what an oracle reaches that knows the truth near the boundary (table 1)", _add_bound, bound),
    "scatter": ("IoU before against IoU after (figure S7), and gains by IoU before", _add_pair("json"), scatter),
    "failures": ("the most harmed masks and why (figure S6)", _add_pair("json", 12), failures),
    "patches": ("patches before and after (figure S5)", _add_patches, patches),
    "images": ("whole images before and after (figure S4), into a folder", _add_pair("folder", 8), pictures),
    "schemes": ("where dense, grid and instance patches lie (figure S1)", _add_schemes, schemes),
    "timing": ("milliseconds per image of extraction, network, reassembly (section C)", _add_timing, timing),
}


def _files(args: argparse.Namespace, results: str) -> tuple[Detections, Document, ImageFinder]:
    from bpr.evaluation.inputs import check_annotations, check_detections
    from bpr.formats.coco import read_annotations, read_results
    from bpr.io.images import ImageFolder

    document = check_annotations(read_annotations(args.ann), args.ann)
    return check_detections(read_results(results), document, results), document, ImageFolder(args.img_dir, document["images"])


def _gallery(args: argparse.Namespace) -> Gallery:
    from bpr.evaluation.inputs import check_detections
    from bpr.formats.coco import read_results
    from bpr.report.analyses.gallery import Gallery

    before, document, images = _files(args, args.before)
    return Gallery(before, check_detections(read_results(args.results), document, args.results), document, images)


def _write(args: argparse.Namespace, numbers: dict[str, Any], table: str) -> None:
    """Print the table; write it beside the numbers, with what made them."""
    from bpr.cli.eval import PACKAGES
    from bpr.io.files import atomic_open, write_json

    print(table, end="")
    files = {"results": args.results, "annotations": args.ann, "before": getattr(args, "before", None)}
    names = {role: Path(path).name for role, path in files.items() if path}
    write_json(Path(args.out).with_suffix(".json"), {**numbers, "files": names, "versions": versions_of(PACKAGES)}, indent=1)
    with atomic_open(Path(args.out).with_suffix(".md")) as file:
        file.write(table)
