"""``bpr detect``: runs a detector of MMDetection and the refiner on images; writes results files and pictures."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bpr.backends import DEFAULT_MODEL
from bpr.cli.options import extra, finite, progress_bar
from bpr.cli.paths import InputName, InputPath, OutputPath
from bpr.errors import BadImage, BPRError, amount

if TYPE_CHECKING:
    import numpy as np

    from bpr.formats.coco import Record

EXAMPLE = (
    "bpr detect photo.jpg --det-config mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py "
    "--det-weights mask_rcnn.pth --out detected"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("images", type=InputPath, nargs="+", metavar="IMAGE", help="image files, or folders of them")
    config = "config of the detector: a file, or mmdet::FOLDER/NAME.py"
    parser.add_argument("--det-config", type=InputPath, required=True, help=config)
    weights = "checkpoint of the detector; only tensors are read from it"
    parser.add_argument("--det-weights", type=InputPath, required=True, help=weights)
    ann = "COCO file with the ids of images and categories (default: file stems for images, 1, 2, ... for categories)"
    parser.add_argument("--ann", type=InputPath, help=ann)
    score = "leave out detections of a lower score (default: %(default)s)"
    parser.add_argument("--min-score", type=finite, default=0.3, metavar="S", help=score)
    model = "refiner: model name, .onnx or .pth file, identity (default: %(default)s)"
    parser.add_argument("--model", type=InputName, default=DEFAULT_MODEL, help=model)
    parser.add_argument("--out", type=OutputPath, required=True, help="folder to write")


def run(args: argparse.Namespace) -> int:
    from bpr.backends import load_refiner
    from bpr.formats.coco import read_annotations
    from bpr.io.files import write_json
    from bpr.io.folders import atomic_folder, check_replaceable
    from bpr.io.image_list import file_name
    from bpr.io.images import read_image

    with extra("mmdet"):
        from bpr.integrations.mmdetection.live import LiveDetector
    check_replaceable(Path(args.out), "bpr detect")
    files = _image_files(args.images)
    document = read_annotations(args.ann) if args.ann else {"images": []}
    image_ids = {Path(file_name(entry)).name: entry["id"] for entry in document["images"]}
    refiner = load_refiner(args.model)
    detector = LiveDetector(args.det_config, args.det_weights, refiner)
    category_ids = _category_ids(detector.classes, document, args.ann)
    coarse: list[Record] = []
    refined: list[Record] = []
    failed = 0
    with atomic_folder(args.out, "bpr detect") as folder, progress_bar("detecting", len(files)) as advance:
        for done, file in enumerate(files, start=1):
            try:
                image = read_image(file)
                before, after = detector(file, image_ids.get(file.name, file.stem), category_ids, args.min_score)
                _draw(folder / "pictures" / f"{file.stem}.png", image, before, after)
                coarse += before
                refined += after
            except BadImage as error:
                failed += 1
                print(f"{error}; left out", file=sys.stderr)
            advance(done)
        write_json(folder / "coarse.segm.json", coarse)
        write_json(folder / "refined.segm.json", refined)
        pairs = zip(category_ids, detector.classes, strict=True)
        write_json(folder / "categories.json", [{"id": number, "name": name} for number, name in pairs])
    print(
        f"{amount(len(refined), 'detection')} in {len(files) - failed} of {amount(len(files), 'image')} -> {args.out}: "
        "coarse.segm.json, refined.segm.json, pictures"
    )
    return 1 if failed == len(files) else 0


def _image_files(paths: Sequence[str]) -> list[Path]:
    """The image files, those of a folder by name. Stems name results and pictures, so each may occur only once."""
    from bpr.io.image_list import SUFFIXES

    files: list[Path] = []
    for path in map(Path, paths):
        files += sorted(one for one in path.iterdir() if one.suffix.lower() in SUFFIXES) if path.is_dir() else [path]
    if not files:
        raise BPRError(f"{paths[0]}: expected a folder with image files, got none; name one that holds some")
    stems = [file.stem for file in files]
    twice = next((stem for stem in stems if stems.count(stem) > 1), None)
    if twice is not None:
        raise BPRError(f"{twice}: expected every image name once, got it twice; run them in two folders")
    return files


def _category_ids(classes: Sequence[str], document: dict[str, Any], ann: str | None) -> list[int]:
    """The ids of the detector's classes in the annotation file; without one 1, 2, ..."""
    if ann is None:
        return list(range(1, len(classes) + 1))
    ids = {category["name"]: category["id"] for category in document.get("categories", [])}
    unknown = [name for name in classes if name not in ids]
    if unknown:
        raise BPRError(f"{ann}: expected the detector's classes among its categories, got none called {unknown[0]!r}")
    return [ids[name] for name in classes]


def _draw(path: Path, image: np.ndarray, before: list[Record], after: list[Record]) -> None:
    import numpy as np

    from bpr.geometry.rle import decode_mask
    from bpr.report.draw import before_after, write_image

    def frames(records: list[Record]) -> np.ndarray:
        masks = [decode_mask(record["segmentation"]).to_frame() for record in records]
        return np.array(masks, bool).reshape(-1, *image.shape[:2])

    write_image(path, before_after(image, frames(before), frames(after)))
