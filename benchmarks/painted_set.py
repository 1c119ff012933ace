"""Write painted scenes as a small data set in COCO's form, on which every command of the docs can run.

python -m benchmarks.painted_set runs/demo
"""

from __future__ import annotations

import sys
from pathlib import Path

from bpr.formats.coco import Record
from bpr.geometry.rle import encode_mask
from bpr.io.files import write_json
from bpr.report.draw import write_image
from bpr.scenes import CoarseKind, coarse_masks, paint_scene

SCENES, FRAME, FIRST_SEED = 24, (480, 640), 100
KINDS: dict[CoarseKind, str] = {"mask_head": "mask head", "prototype": "prototype"}
"""The kinds of coarse masks, which take turns from scene to scene, and the class that each kind gets."""


def write_set(folder: Path, scenes: int = SCENES, frame: tuple[int, int] = FRAME, first_seed: int = FIRST_SEED) -> int:
    """Write ``images/``, ``instances.json`` and ``coarse.segm.json``; return the number of masks."""
    images: list[Record] = []
    annotations: list[Record] = []
    results: list[Record] = []
    for number in range(scenes):
        seed, category = first_seed + number, 1 + number % len(KINDS)
        scene = paint_scene(seed, frame)
        write_image(folder / "images" / f"{number}.png", scene.image)
        images.append({"id": number, "file_name": f"{number}.png", "height": frame[0], "width": frame[1]})
        for truth, coarse in zip(scene.masks, coarse_masks(scene, list(KINDS)[category - 1], seed), strict=True):
            for mask, rows in ((truth, annotations), (coarse, results)):
                shape = {"segmentation": encode_mask(mask), "bbox": mask.bbox}
                rows.append({"image_id": number, "category_id": category, **shape})
            annotations[-1].update(area=truth.area, id=len(annotations), iscrowd=0)
            results[-1]["score"] = 0.9
    categories = [{"id": number, "name": name} for number, name in enumerate(KINDS.values(), start=1)]
    document = {"images": images, "annotations": annotations, "categories": categories}
    write_json(folder / "instances.json", document)
    write_json(folder / "coarse.segm.json", results)
    return len(results)


if __name__ == "__main__":
    print(f"{write_set(Path(sys.argv[1]))} masks in {SCENES} scenes -> {sys.argv[1]}")
