"""``bpr convert``: masks from one format to another."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from bpr.cli.options import FORMATS, print_problems

if TYPE_CHECKING:
    from bpr.formats.source import Source

HELP = "write masks in another format"
EXAMPLE = "bpr convert results.segm.json --ann instances.json --to cityscapes --out results"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("masks", help="masks: a JSON file, a PNG or a folder of any format")
    parser.add_argument("--format", choices=FORMATS, help="format of the masks (default: what their content says)")
    parser.add_argument("--to", required=True, choices=("coco", "cityscapes", "panoptic", "yolo", "masks"), help="format to write")
    parser.add_argument("--ann", help="COCO file whose images list names the images and tells their sizes")
    parser.add_argument("--img-dir", help="folder of the images; YOLO labels alone need them")
    parser.add_argument("--out", required=True, help="file (coco, panoptic) or folder to write")
    parser.set_defaults(beside=_beside)


def _beside(args: argparse.Namespace) -> list[Path]:
    """The folder of the PNGs of a panoptic file."""
    return [Path(args.out).with_suffix("")] if args.to == "panoptic" and Path(args.out).name else []


def run(args: argparse.Namespace) -> int:
    from bpr.formats.coco import read_images
    from bpr.formats.convert import convert
    from bpr.formats.recognise import open_source

    entries = read_images(args.ann) if args.ann else None
    source, _ = open_source(args.masks, args.format, args.img_dir, entries)
    written, notes = convert(source.records, args.to, Path(args.out), entries or source.entries or [])
    print_problems([*_left_out(source), *notes])
    print(f"{written} masks ({source.format}) -> {args.out}")
    return 0


def _left_out(source: Source) -> list[str]:
    """What the file lists and no format of masks can hold, a line for each kind."""
    count = len(source.records) + sum(map(len, source.left_out.values()))
    return [
        f"left out: {len(places)} of {count} annotations, {kind} (first: annotation {places[0]})"
        for kind, places in source.left_out.items()
    ]
