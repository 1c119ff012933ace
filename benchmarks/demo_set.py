"""Write painted scenes as a small data set in COCO's form, so that every command of the docs has something of ours to run on.

python benchmarks/demo_set.py runs/demo
"""

from __future__ import annotations

import sys
from pathlib import Path

from bpr.formats.coco import Record
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import encode_mask
from bpr.io.files import write_json
from bpr.report.draw import write_image
from bpr.scenes import CoarseKind, coarse_masks, paint_scene

SCENES = 24
KINDS: tuple[CoarseKind, ...] = ("mask_head", "prototype")
FIRST_SEED = 100


def record(mask: BoxMask, image_id: int) -> Record:
    """What truth and detection share."""
    return {"image_id": image_id, "category_id": 1, "segmentation": encode_mask(mask), "bbox": mask.bbox, "area": mask.area}


def write_set(folder: Path, scenes: int = SCENES, frame: tuple[int, int] = (480, 640)) -> int:
    """``images/``, ``instances.json`` and ``coarse.segm.json``; returns the number of masks."""
    images: list[Record] = []
    annotations: list[Record] = []
    results: list[Record] = []
    for image_id in range(scenes):
        seed = FIRST_SEED + image_id
        scene = paint_scene(seed, frame)
        write_image(folder / "images" / f"{image_id}.png", scene.image)
        images.append({"id": image_id, "file_name": f"{image_id}.png", "height": frame[0], "width": frame[1]})
        for truth, coarse in zip(scene.masks, coarse_masks(scene, KINDS[image_id % 2], seed), strict=True):
            annotations.append({**record(truth, image_id), "id": len(annotations) + 1, "iscrowd": 0})
            results.append({**record(coarse, image_id), "score": 0.9})
    categories = [{"id": 1, "name": "shape"}]
    write_json(folder / "instances.json", {"images": images, "annotations": annotations, "categories": categories})
    write_json(folder / "coarse.segm.json", results)
    return len(results)


def main() -> None:
    folder = Path(sys.argv[1])
    print(f"{write_set(folder)} masks in {SCENES} scenes -> {folder}")


if __name__ == "__main__":
    main()
