"""``bpr convert``: masks from one format to another."""

from __future__ import annotations

import argparse
from pathlib import Path

from bpr.cli.options import print_problems

HELP = "write masks in another format"
EXAMPLE = "bpr convert results.segm.json --ann instances.json --to cityscapes --out results"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from bpr.formats.registry import FORMATS

    targets = [name for name, row in FORMATS.items() if row.target]
    names = "; ".join(f"{name}: {row.description}" for name, row in FORMATS.items())
    parser.add_argument("masks", help="masks: a JSON file, a PNG or a folder of any format")
    parser.add_argument("--format", choices=FORMATS, help=f"format of the masks (default: what their content says). {names}")
    parser.add_argument("--to", required=True, choices=targets, help="format to write")
    parser.add_argument("--ann", help="COCO file whose images list names the images and tells their sizes")
    parser.add_argument("--img-dir", help="folder of the images; YOLO labels alone need them")
    parser.add_argument("--out", required=True, help="file (coco, panoptic) or folder to write")
    parser.set_defaults(beside=_beside)


def _beside(args: argparse.Namespace) -> list[Path]:
    """The folder that the format writes beside ``--out``, which must not replace an input either."""
    from bpr.formats.registry import FORMATS

    target, out = FORMATS[args.to].target, Path(args.out)
    return [target.folder_beside(out)] if target and target.folder_beside and out.name else []


def run(args: argparse.Namespace) -> int:
    from bpr.formats.coco import read_images
    from bpr.formats.convert import convert
    from bpr.formats.recognise import open_source

    entries = read_images(args.ann) if args.ann else None
    source, _ = open_source(args.masks, args.format, args.img_dir, entries)
    written, notes = convert(source.records, args.to, Path(args.out), entries or source.entries or [])
    count = len(source.records) + sum(map(len, source.left_out.values()))
    left_out = [
        f"left out: {len(positions)} of {count} annotations, {kind} (first: annotation {positions[0]})"
        for kind, positions in source.left_out.items()
    ]
    print_problems([*left_out, *notes])
    print(f"{written} masks ({source.format}) -> {args.out}")
    return 0
