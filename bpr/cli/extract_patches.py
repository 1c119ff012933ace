"""``bpr extract-patches``: cuts a patch store to train on from detections and ground truth."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from bpr.cli.options import add_workers, print_problems
from bpr.cli.paths import InputName, InputPath, OutputPath
from bpr.cli.sharing import add_sharing, is_resumed, shard_of
from bpr.configs import find_config
from bpr.errors import BPRError, amount

if TYPE_CHECKING:
    from bpr.geometry.options import PatchSpec, Placement

EXAMPLE = "bpr extract-patches results.segm.json --ann instances.json --img-dir images --out data/patches/train"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("results", type=InputPath, help="results of a detector: COCO JSON or a Cityscapes folder")
    add("--ann", type=InputPath, required=True, help="ground truth: COCO annotations or a gtFine folder")
    add("--img-dir", type=InputPath, required=True, help="folder of the images")
    add("--out", type=OutputPath, required=True, help="folder of the new patch store")
    add("--config", type=InputName, help="config whose refinement.patch and refinement.train say how patches are cut")
    add_workers(parser)
    add_sharing(parser)


def run(args: argparse.Namespace) -> int:
    from bpr.evaluation.matching import GroundTruth
    from bpr.evaluation.prepare import no_instances
    from bpr.formats.coco import read_annotations, read_results
    from bpr.io.files import digest_of
    from bpr.io.image_finder import ImageFolder
    from bpr.training.data.extraction import extract_patches

    shard, out = shard_of(args), Path(args.out)
    records, document = read_results(args.results), read_annotations(args.ann)
    images = ImageFolder(args.img_dir, document["images"])
    files = {"results": args.results, "annotations": args.ann}
    source = {role: {"file": Path(path).name, "sha256": digest_of(path)} for role, path in files.items()}
    inputs = records, GroundTruth(document), images, *_cut_with(args.config)
    print_problems(no_instances(document["annotations"]))
    if shard != (1, 1):
        out = out / f"{shard[0]}-of-{shard[1]}"
    count, built = extract_patches(*inputs, out, source, args.workers, is_resumed(args), shard)
    print(
        f"{amount(count, 'record')}: {built.matched} matched, {count - built.matched - built.unreadable} without a match, "
        f"{built.unreadable} unreadable -> {amount(built.rows, 'patch', 'patches')} in {out}"
    )
    return 0


def _cut_with(config: str | None) -> tuple[PatchSpec, Placement]:
    """How a config cuts training patches; without one the defaults."""
    from bpr.geometry.options import PatchSpec, Placement, from_config

    if config is None:
        return PatchSpec(), Placement()
    from mmengine.config import Config

    try:
        spec, options = from_config(Config.fromfile(find_config(config)).refinement, "train")
    except ValueError as error:
        raise BPRError(f"{config}: {error}") from error
    return spec, options.placement
