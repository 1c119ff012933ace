"""Part the training data of the starter models: what they learn from, and a tenth to choose by.

    python benchmarks/hold_out.py DATA --out data/starter

Writes NAME_{learn,choose}.{instances,segm}.json for coco, davis, crisp and, where DATA has it, davis16. Neighbours stay
together: the last DAVIS frames are whole sequences, as are the two of davis16, and iCoseg, whose photographs come in groups
of one scene, is only learned from. The validation splits of DAVIS and COCO are not touched.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bpr.formats.coco import read_annotations, read_results
from bpr.io.files import write_json

Image = dict[str, Any]
LAST_DAVIS_FRAMES = 18
HELD_OUT_SEQUENCES = ("rhino", "rollerblade")


def every_tenth(image: Image, place: int, count: int) -> bool:
    return place % 10 == 9


def last_frames(image: Image, place: int, count: int) -> bool:
    return place >= count - LAST_DAVIS_FRAMES


def every_tenth_single(image: Image, place: int, count: int) -> bool:
    return image["set"] != "icoseg" and place % 10 == 9


def two_sequences(image: Image, place: int, count: int) -> bool:
    return image["sequence"] in HELD_OUT_SEQUENCES


SETS: dict[str, tuple[str, str, Callable[[Image, int, int], bool]]] = {
    "coco": ("coco/annotations/instances_train2017.json", "detections/coco_train2017.segm.json", every_tenth),
    "davis": ("davis/annotations/instances_train.json", "detections/davis_train.segm.json", last_frames),
    "crisp": ("crisp/instances.json", "detections/crisp.segm.json", every_tenth_single),
    "davis16": ("davis16/instances.json", "detections/davis16.segm.json", two_sequences),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, default=Path("data/starter"))
    args = parser.parse_args()
    present = {name: row for name, row in SETS.items() if name != "davis16" or (args.data / row[0]).is_file()}
    for name, (ann, detections, held_out) in present.items():
        document, records = read_annotations(args.data / ann), read_results(args.data / detections)
        images = document["images"]
        chosen = {image["id"] for place, image in enumerate(images) if held_out(image, place, len(images))}
        for part in ("learn", "choose"):
            ids = chosen if part == "choose" else {image["id"] for image in images} - chosen
            of = lambda rows, key, ids=ids: [row for row in rows if row[key] in ids]  # noqa: E731
            kept = {**document, "images": of(images, "id"), "annotations": of(document["annotations"], "image_id")}
            write_json(args.out / f"{name}_{part}.instances.json", kept)
            write_json(args.out / f"{name}_{part}.segm.json", of(records, "image_id"))
            print(f"{name} {part}: {len(kept['images'])} images, {len(kept['annotations'])} annotations")


if __name__ == "__main__":
    main()
