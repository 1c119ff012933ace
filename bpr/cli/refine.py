"""``bpr refine``: a results file in, the same records with better boundaries out."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from contextlib import nullcontext
from dataclasses import fields
from pathlib import Path

from bpr.backends.presets import PRESETS
from bpr.backends.registry import names
from bpr.cli.options import add_polygons, add_workers, at_least, finite, print_problems, progress_bar
from bpr.cli.paths import InputName, InputPath, OutputPath
from bpr.cli.sharing import add_sharing, is_resumed, print_report, resume_command, worker_of
from bpr.errors import BadUsage, BPRError
from bpr.formats.format import PathKind
from bpr.formats.registry import FORMATS
from bpr.geometry.options import AUTO, command_options
from bpr.io.files import check_writable
from bpr.io.mask_picture import EXACT, check_mask_name, write_cutout
from bpr.io.pixels import PixelOptions
from bpr.raster.opening import is_raster
from bpr.refinement.choice import CROWD_CHOICES

EXAMPLE = """\
bpr refine photo.jpg mask.png --out refined.png  # one photo
bpr refine results.segm.json --img-dir images --ann instances.json --out refined.segm.json  # COCO results
bpr refine labels --img-dir images --out refined  # YOLO labels"""


STOPPING = "finishing this image; again to stop at once"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    everyday = parser.add_argument_group("everyday")
    add = everyday.add_argument
    what = "masks: a JSON or XML file, a picture or a folder of any format; or two pictures, a photo and its mask"
    add("results", type=InputPath, nargs="+", metavar="MASKS", help=what)
    images = "folder of the images, or the one image (default: the images that the format names)"
    add("--img-dir", "--image", type=InputPath, help=images)
    ann = "COCO file whose images list names the files; without it, an id is the stem of a file"
    add("--ann", type=InputPath, help=ann)
    add("--out", type=OutputPath, required=True, help="file or folder to write, in the format of the masks")
    add("--preset", choices=PRESETS, help="a bundle of model, precision and --keep, instead of --model and --backend")
    add("--model", type=InputName, help="model name, .onnx or .pth file, identity, or oracle (default: starter)")
    add_polygons(everyday)
    cutout = "also write the photo of the one mask cut out: a PNG or TIFF, transparent outside of the refined mask"
    add("--cutout", type=OutputPath, metavar="FILE", help=cutout)
    soft = "also write soft edges: 8-bit alpha as PNG, to a folder or, of the one mask, a picture; --cutout uses it too"
    add("--soft", type=OutputPath, metavar="PATH", help=soft)
    trimap = "also write trimaps (0, 128 for unknown, 255) to a folder or, of the one mask, a picture"
    add("--trimap", type=OutputPath, metavar="PATH", help=trimap)
    add("--min-score", type=finite, metavar="S", help="keep records with a lower score unchanged (default: refine all)")
    only = "refine only these classes, given by name or id; records of others stay unchanged"
    add("--only", type=str, nargs="+", default=[], metavar="CLASS", help=only)
    ids = "refine only the records whose ids (or positions, where they have none) this file lists, one on a line"
    add("--ids", type=InputPath, metavar="FILE", help=ids)
    crowds = "crowds of an annotation file: keep them, or refine them as single objects (default: %(default)s)"
    add("--crowds", choices=CROWD_CHOICES, default="keep", help=crowds)
    patches = parser.add_argument_group("patches")
    for field in command_options():
        help, metavar, choices = (field.metadata[name] for name in ("help", "metavar", "choices"))
        shape = {"choices": list(choices)} if choices else {"metavar": metavar}
        name = f"--{field.name.replace('_', '-')}"
        kind = _caution if field.name == "caution" else type(field.default)
        patches.add_argument(name, type=kind, help=f"{help} (default: the model's)", **shape)
    add = parser.add_argument_group("pixels", "of images that are no 8-bit photos (docs/raster.md)").add_argument
    what = "values that are black and white: minmax, none, or two percentiles (default: by the depth, else 0.1,99.9)"
    add("--stretch", type=_stretch, metavar="LOW,HIGH", help=what)
    which = "one band or three, counted from 1 (default: the first three, or the first)"
    add("--bands", "--channel", type=_bands, metavar="N[,N,N]", help=which)
    add("--page", type=at_least(1), metavar="N", help="page of a TIFF, counted from 1 (default: the first)")
    add_sharing(parser.add_argument_group("sharing"))
    expert = parser.add_argument_group("expert")
    add = expert.add_argument
    add("--format", choices=FORMATS, help="format of the masks (default: recognised by their content)")
    add("--backend", choices=names(), default="auto", help="software that runs the network (default: an exact one)")
    add("--config", type=InputName, help="config of a .pth model (default: the one in its folder)")
    add("--strict", action="store_true", help="exit with 1 when a record could not be refined")
    add_workers(expert)


def _caution(text: str) -> float | str:
    try:
        return text if text == AUTO else finite(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"expected auto or a number, got {text!r}") from error


def _stretch(text: str) -> str | tuple[float, ...]:
    """The ``type`` of ``--stretch``: a word, or two percentiles."""
    return tuple(map(finite, text.split(","))) if "," in text else text


def _bands(text: str) -> tuple[int, ...]:
    """The ``type`` of ``--bands``: whole numbers with commas between them."""
    return tuple(map(at_least(1), text.split(",")))


def run(args: argparse.Namespace) -> int:
    from bpr.job import RefineJob, Unfinished
    from bpr.refinement.sharing.stopping import Stop

    photo, masks = _photo_and_masks(args)
    out = _file_in(args.out, masks)
    _check_cutout(args, photo, masks, out)
    worker = worker_of(args)
    format = args.format or ("masks" if len(args.results) == 2 and not is_raster(Path(masks)) else None)
    options = {field.name: getattr(args, field.name) for field in (*command_options(), *fields(PixelOptions))}
    ours = {"results": masks, "out": out, "images": photo, "format": format, "options": options}
    names = {field.name for field in fields(RefineJob)} - ours.keys()  # all others are arguments of the same name
    job = RefineJob(**ours, **{name: getattr(args, name) for name in names})
    is_follower = worker.role == "follower"
    with job.begin(worker, resume=is_resumed(args)) as begun, Stop("" if is_follower else STOPPING) as stopped:
        if worker.role == "leader":
            print_problems(begun.assumptions)
        one_image = begun.images == 1  # its records are all done at once, its patches are not
        title, total = ("patches", 0) if one_image else ("refining", begun.records)
        bar = nullcontext(_show_nothing) if is_follower else progress_bar(title, total)
        try:
            with bar as advance:
                by_record, by_patch = (_show_nothing, advance) if one_image else (advance, _show_nothing)
                report = begun.finish(by_record, stopped, by_patch)
        except Unfinished as error:
            kept = f"{out}: {error.why}; finished images are kept"
            print(f"bpr refine: {kept}; continue with: {resume_command(args)}", file=sys.stderr)
            return 1
        if is_follower:
            return int(stopped())
        print_report(report, out)
        if worker.role == "shard":  # its records are judged by the merge, which sees all of them
            shard, merge = f"shard {worker.number}/{worker.count}", f"bpr merge {shlex.quote(out)}"
            print(f"{shard} is finished; once all are: {merge}")
            return 0
        if args.cutout:
            write_cutout(args.cutout, photo or "", args.soft or out, soft=bool(args.soft))
        return int(report.failed)


def _show_nothing(done: int, total: int | None = None) -> None:
    """Progress that nobody sees: of a rank that is not the first, or of the other unit."""


def _photo_and_masks(args: argparse.Namespace) -> tuple[str | None, str]:
    """The image or the folder of the images, if it is named, and the masks.

    Raises:
        BadUsage: several paths that are not a photo and its mask.
    """
    *photos, masks = args.results
    if not photos:
        return args.img_dir, masks
    if args.img_dir:
        raise BadUsage(f"expected the photo once, got {photos[0]} before the mask and {args.img_dir} as --img-dir; leave one out")
    if len(photos) > 1 or not all(_is_picture(path) for path in args.results):
        got = " and ".join(args.results[:3])
        raise BadUsage(f"expected masks, or one photo and one mask, got {got}; name a folder of images by --img-dir")
    if not os.path.isfile(photos[0]):
        raise BPRError(f"{photos[0]}: no such file; expected a photo")
    return photos[0], masks


def _is_picture(path: str) -> bool:
    return not os.path.isdir(path) and PathKind.PICTURES.includes(Path(path))


def _file_in(out: str, masks: str) -> str:
    """The file to write: for one picture and a folder, which ends in a slash, a file of the picture's name in it."""
    if not _is_picture(masks) or not out.endswith(("/", os.sep)):
        return out
    name = Path(masks)
    return os.path.join(out, name.name if name.suffix.lower() in EXACT else f"{name.stem}.png")


def _check_cutout(args: argparse.Namespace, photo: str | None, masks: str, out: str) -> None:
    """Raise an error before the work if there is nothing to cut out, or it cannot be written."""
    if not args.cutout:
        return
    if not _is_picture(masks) or not photo or os.path.isdir(photo) or is_raster(Path(masks)):
        raise BadUsage("--cutout: expected one photo and one mask to cut out, got others; leave --cutout out")
    if os.path.abspath(args.cutout) == os.path.abspath(out):  # the file in the folder --out
        raise BadUsage(f"--cutout: expected another file than --out, got {args.cutout} twice")
    if args.soft and not _is_picture(args.soft):
        raise BadUsage(f"--cutout: expected a picture as --soft beside it, got {args.soft}; end its name in .png")
    check_mask_name(args.cutout)
    check_writable(args.cutout)
