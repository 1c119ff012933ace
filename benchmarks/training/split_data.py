"""Split the training data of the starter models: nine tenths to learn from, one tenth to choose between models by.

    python -m benchmarks.training.split_data DATA --out data/starter
    python -m benchmarks.training.split_data DATA --out data/free --cleared

Writes NAME_{learn,choose}.{instances,segm}.json for coco, davis, crisp and davis16. Related images stay together: the
last DAVIS frames and two of davis16 are whole sequences, and iCoseg, whose photographs come in groups of one scene, is
only learned from. The validation splits of DAVIS and COCO are not touched. With ``--cleared``, only the images stay that
anyone may use (ledger.py), each on its side, and no detections: their detector learned from other images.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.inputs import on_images
from benchmarks.measuring import script_parser
from benchmarks.training.ledger import CLEARED, FILES
from bpr.formats.coco import read_annotations, read_results
from bpr.io.files import write_json

Image = dict[str, Any]
LAST_FRAMES = 18
HELD_OUT_SEQUENCES = ("rhino", "rollerblade")
SETS: dict[str, tuple[str, Callable[[Image, int, int], bool]]] = {
    "coco": ("coco_train2017", lambda image, index, count: index % 10 == 9),
    "davis": ("davis_train", lambda image, index, count: index >= count - LAST_FRAMES),
    "crisp": ("crisp", lambda image, index, count: image["set"] != "icoseg" and index % 10 == 9),
    "davis16": ("davis16", lambda image, index, count: image["sequence"] in HELD_OUT_SEQUENCES),
}
"""Detections, and whether an image (with its index and the number of images) is held out."""


def main() -> None:
    parser = script_parser(__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, default=Path("data/starter"))
    parser.add_argument("--cleared", action="store_true", help="only images that anyone may use")
    args = parser.parse_args()
    for name, (detections, is_held_out) in SETS.items():
        document = read_annotations(args.data / FILES[name])
        records = read_results(args.data / f"detections/{detections}.segm.json")
        images = document["images"]
        held_out = {image["id"] for index, image in enumerate(images) if is_held_out(image, index, len(images))}
        for part, ids in (("learn", {image["id"] for image in images} - held_out), ("choose", held_out)):
            if args.cleared:
                ids = {image["id"] for image in images if image["id"] in ids and CLEARED[name](image)}
            kept = on_images(document, [image for image in images if image["id"] in ids])
            write_json(args.out / f"{name}_{part}.instances.json", kept)
            if not args.cleared:
                write_json(args.out / f"{name}_{part}.segm.json", [one for one in records if one["image_id"] in ids])
            print(f"{name} {part}: {len(kept['images'])} images, {len(kept['annotations'])} annotations")


if __name__ == "__main__":
    main()
