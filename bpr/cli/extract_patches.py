"""``bpr extract-patches``: detections and ground truth -> a patch store to train on."""

from __future__ import annotations

import argparse
from pathlib import Path

from bpr.cli.options import add_patch_options, add_workers, patch_options
from bpr.cli.sharing import add_sharing, is_resumed, shard_of

HELP = "cut training patches out of detections matched to ground truth"
EXAMPLE = "bpr extract-patches results.segm.json --ann instances.json --img-dir images --out data/patches/train"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("results", help="COCO results JSON of a detector")
    parser.add_argument("--ann", required=True, help="COCO annotation file with the ground truth")
    parser.add_argument("--img-dir", required=True, help="folder of the images")
    parser.add_argument("--out", required=True, help="folder of the new patch store")
    add_patch_options(parser)
    add_workers(parser)
    add_sharing(parser)


def run(args: argparse.Namespace) -> int:
    from bpr.formats.coco import read_annotations, read_results
    from bpr.formats.ground_truth import GroundTruth
    from bpr.io.files import sha256_of
    from bpr.io.images import ImageFolder
    from bpr.training.data.extraction import extract_patches

    shard, out = shard_of(args), Path(args.out)
    document = read_annotations(args.ann)
    images = ImageFolder(args.img_dir, document["images"])
    source = {
        role: {"file": Path(path).name, "sha256": sha256_of(path)} for role, path in (("results", args.results), ("annotations", args.ann))
    }
    inputs = read_results(args.results), GroundTruth(document), images, *patch_options(args)
    if shard != (1, 1):
        out = out / f"{shard[0]}-of-{shard[1]}"
    counts = extract_patches(*inputs, out, source, args.workers, is_resumed(args), shard)
    print(
        f"{counts.records} records: {counts.matched} matched, {counts.unmatched} without a match, "
        f"{counts.unreadable} unreadable -> {counts.patches} patches in {out}"
    )
    return 0
