"""``bpr convert``: masks from one format to another."""

from __future__ import annotations

import argparse
from pathlib import Path

from bpr.cli.options import add_polygons, print_problems
from bpr.cli.paths import InputPath, OutputPath, check_paths
from bpr.errors import amount
from bpr.formats.registry import FORMATS

EXAMPLE = "bpr convert results.segm.json --ann instances.json --to cityscapes --out results"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    targets = [name for name, row in FORMATS.items() if row.target]
    names = "; ".join(f"{name}: {row.description}" for name, row in FORMATS.items())
    add = parser.add_argument
    add("masks", type=InputPath, help="masks: a JSON or XML file, a PNG or a folder of any format")
    add("--format", choices=FORMATS, help=f"format of the masks (default: recognised by their content). {names}")
    add("--to", required=True, choices=targets, help="format to write")
    add("--ann", type=InputPath, help="COCO file whose lists name the images, with their sizes, and the classes")
    add("--img-dir", type=InputPath, help="folder of the images, which YOLO labels and --to annotations need")
    add_polygons(parser)
    add("--out", type=OutputPath, required=True, help="file (coco, annotations, panoptic) or folder to write")


def run(args: argparse.Namespace) -> int:
    from bpr.formats.coco import read_heading
    from bpr.formats.convert import convert
    from bpr.formats.format import RecordSet
    from bpr.formats.polygons import PolygonWriter
    from bpr.formats.recognise import open_source
    from bpr.io.files import write_json
    from bpr.io.folders import check_outside
    from bpr.io.image_list import ImageList

    target, out = FORMATS[args.to].target, Path(args.out)
    if target and target.folder_beside and out.name:
        check_paths(args, also_written=[target.folder_beside(out)])
    check_outside(out, args.masks)
    listed = read_heading(args.ann) if args.ann else {}
    source, find_images = open_source(args.masks, args.format, args.img_dir, listed.get("images"))
    if source.document is not None and args.to == "coco":
        write_json(out, source.document)
        count = f"{amount(len(source.document['annotations']), 'annotation')} of {amount(len(source.document['images']), 'image')}"
        print(f"{count} ({source.format}) -> {args.out}")
        return 0
    entries, stems = listed.get("images") or source.entries, FORMATS[source.format].ids_are_stems
    images, classes = None if entries is None else ImageList(entries, stems), listed.get("categories") or source.categories
    polygons = PolygonWriter(args.polygons)
    written, notes = convert(
        RecordSet(source.records, images, stems, source.image_ids, classes, find_images, polygons), args.to, out
    )
    print_problems([*source.left_out_lines, *source.notes, *notes])
    count = f", {amount(polygons.vertices, 'vertex', 'vertices')}" if polygons.vertices else ""
    print(f"{amount(written, 'mask')} ({source.format}){count} -> {args.out}")
    return 0
