"""``bpr convert``: masks from one format to another."""

from __future__ import annotations

import argparse
from pathlib import Path

from bpr.cli.options import FORMATS

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
    convert(source.records, args.to, Path(args.out), entries or source.entries or [])
    print(f"{len(source.records)} masks -> {args.out}")
    return 0
