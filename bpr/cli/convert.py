"""``bpr convert``: masks from one format to another."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from bpr.cli.options import print_problems
from bpr.cli.paths import InputPath, OutputPath, check_paths
from bpr.formats.convert import TARGETS, convert
from bpr.formats.recognise import READERS

if TYPE_CHECKING:
    from bpr.formats.source import Source

EXAMPLE = "bpr convert results.segm.json --ann instances.json --to cityscapes --out results"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("masks", type=InputPath, help="masks: a JSON file, a PNG or a folder of any format")
    parser.add_argument("--format", choices=READERS, help="format of the masks (default: what their content says)")
    parser.add_argument("--to", required=True, choices=TARGETS, help="format to write")
    parser.add_argument(
        "--ann", type=InputPath, help="COCO file whose images list names the images and tells their sizes"
    )
    parser.add_argument("--img-dir", type=InputPath, help="folder of the images; YOLO labels alone need them")
    parser.add_argument("--out", type=OutputPath, required=True, help="file (coco, panoptic) or folder to write")


def run(args: argparse.Namespace) -> int:
    from bpr.formats.coco import read_images
    from bpr.formats.recognise import open_source

    if args.to == "panoptic" and Path(args.out).name:
        check_paths(args, also_written=[Path(args.out).with_suffix("")])  # the folder of the PNGs
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
