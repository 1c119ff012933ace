"""``bpr detect``: images through a detector of MMDetection and the refiner -> results files and pictures."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bpr.backends import DEFAULT_MODEL
from bpr.cli.numbers import finite
from bpr.cli.options import add_refine_options, import_detection, progress_bar, refine_options
from bpr.errors import BadImage, BPRError

if TYPE_CHECKING:
    import numpy as np

    from bpr.integrations.mmdetection.live import Found

HELP = "detect with a model of MMDetection and refine what it finds"
EXAMPLE = "bpr detect photo.jpg --det-config mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py --det-weights mask_rcnn.pth --out detected"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="image files, or folders of them")
    parser.add_argument("--det-config", required=True, help="config of the detector: a file, or mmdet::FOLDER/NAME.py")
    parser.add_argument("--det-weights", required=True, help="checkpoint of the detector; only tensors are read from it")
    parser.add_argument("--ann", help="COCO file that gives images and categories their ids (default: the file's stem; 1, 2, ...)")
    parser.add_argument("--min-score", type=finite, default=0.3, metavar="S", help="leave out detections below (default: %(default)s)")
    parser.add_argument("--model", default=DEFAULT_MODEL, help="refiner: model name, .onnx or .pth file, identity (default: %(default)s)")
    parser.add_argument("--config", help="config of a .pth model (default: the one beside it)")
    parser.add_argument("--out", required=True, help="folder to write")
    add_refine_options(parser)


def run(args: argparse.Namespace) -> int:
    from bpr.backends import load_refiner
    from bpr.io.folders import atomic_folder, check_replaceable
    from bpr.io.images import read_image

    import_detection()
    from bpr.integrations.mmdetection.live import LiveDetector

    check_replaceable(Path(args.out), "bpr detect")
    files, names = _files(args.images), _Names(args.ann)
    refiner = load_refiner(args.model, args.config, **refine_options(args))
    detector = LiveDetector(args.det_config, args.det_weights, refiner)
    ids, failed = names.category_ids(detector.classes), 0
    found: dict[Path, Found] = {}
    with atomic_folder(args.out, "bpr detect") as folder, progress_bar("detecting", len(files)) as advance:
        for done, file in enumerate(files, start=1):
            try:
                image = read_image(file)
                found[file] = detector(file, names.image_id(file), ids, args.min_score)
                _draw(folder / "pictures" / f"{file.stem}.png", image, found[file])
            except BadImage as error:
                failed += 1
                print(f"{error}; left out", file=sys.stderr)
            advance(done)
        _write(folder, found.values(), dict(zip(ids, detector.classes, strict=True)))
    count = sum(len(one.after) for one in found.values())
    print(f"{count} detections in {len(found)} of {len(files)} images -> {args.out}: coarse.segm.json, refined.segm.json, pictures")
    return 1 if failed and not found else 0


def _files(given: Sequence[str]) -> list[Path]:
    """The image files, those of a folder by name; their stems name results and pictures, so each comes once."""
    from bpr.io.images import SUFFIXES

    files: list[Path] = []
    for path in map(Path, given):
        files += sorted(one for one in path.iterdir() if one.suffix.lower() in SUFFIXES) if path.is_dir() else [path]
    stems = [file.stem for file in files]
    twice = next((stem for stem in stems if stems.count(stem) > 1), None)
    if twice is not None:
        raise BPRError(f"{twice}: expected every image name once, got it twice; run them in two folders")
    return files


class _Names:
    """Ids of images and categories: those of an annotation file, else stems, and labels counted from 1."""

    def __init__(self, ann: str | None) -> None:
        from bpr.formats.coco import read_annotations
        from bpr.io.images import file_name

        document = read_annotations(ann) if ann else {"images": []}
        self._ann = ann
        self._images = {Path(file_name(entry)).name: entry["id"] for entry in document["images"]}
        self._categories = {category["name"]: category["id"] for category in document.get("categories", [])}

    def image_id(self, file: Path) -> Any:
        return self._images.get(file.name, file.stem)

    def category_ids(self, classes: Sequence[str]) -> list[int]:
        if self._ann is None:
            return list(range(1, len(classes) + 1))
        unknown = [name for name in classes if name not in self._categories]
        if unknown:
            raise BPRError(f"{self._ann}: expected the detector's classes among its categories, got none called {unknown[0]!r}")
        return [self._categories[name] for name in classes]


def _draw(path: Path, image: np.ndarray, found: Found) -> None:
    import numpy as np

    from bpr.geometry.rle import decode_mask
    from bpr.report.draw import before_after, write_image

    sides = [[decode_mask(record["segmentation"]).to_frame() for record in records] for records in (found.before, found.after)]
    before, after = (np.array(masks, bool).reshape(-1, *image.shape[:2]) for masks in sides)
    write_image(path, before_after(image, before, after))


def _write(folder: Path, found: Collection[Found], categories: dict[int, str]) -> None:
    from bpr.io.files import write_json

    write_json(folder / "coarse.segm.json", [record for one in found for record in one.before])
    write_json(folder / "refined.segm.json", [record for one in found for record in one.after])
    write_json(folder / "categories.json", [{"id": number, "name": name} for number, name in categories.items()])
