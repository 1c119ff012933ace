"""Small made-up data under the names that the pages use, so that their commands run as written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import encode_mask
from bpr.scenes import coarse_masks, paint_scene
from tests.conftest import ROOT
from tests.formats import layouts

FRAME = (120, 160)
SEEDS = (1, 2)
SEEDS_TO_CALIBRATE = range(1, 9)
CATEGORY = {"id": 1, "name": "person"}


def set_up(page: Path, folder: Path) -> None:
    """Write everything that the blocks of a page read into ``folder``."""
    shutil.copytree(ROOT / "configs", folder / "configs")
    (folder / "tools").symlink_to(ROOT / "tools")
    for part in SETTINGS.get(page.name, (detections,)):
        part(folder)


def detections(folder: Path, seeds: Sequence[int] = SEEDS) -> None:
    """Painted scenes with ground truth, coarse and refined results; a photo with its mask."""
    document: dict[str, Any] = {"images": [], "annotations": [], "categories": [CATEGORY]}
    results = []
    for seed in seeds:
        scene = paint_scene(seed, FRAME)
        write_picture(folder / "images" / f"{seed}.png", scene.image)
        document["images"].append({"id": seed, "file_name": f"{seed}.png", "height": FRAME[0], "width": FRAME[1]})
        for truth, coarse in zip(scene.masks, coarse_masks(scene, "mask_head", seed), strict=True):
            document["annotations"].append({**record(truth, seed), "id": len(results) + 1, "iscrowd": 0})
            results.append({**record(coarse, seed), "score": 0.9})
    write(folder / "instances.json", document)
    write(folder / "results.segm.json", results)
    pairs = zip(results, document["annotations"], strict=True)
    write(folder / "refined.segm.json", [{**coarse, "segmentation": truth["segmentation"]} for coarse, truth in pairs])
    write_picture(folder / "photo.jpg", scene.image)
    cv2.imwrite(str(folder / "mask.png"), coarse.to_frame().astype(np.uint8) * 255)


def own_data(folder: Path) -> None:
    """The folders of docs/training.md; training and validation are the same here."""
    detections(folder)
    shutil.copytree(folder / "images", folder / "data" / "own" / "images")
    for part in ("train", "val"):
        shutil.copy(folder / "instances.json", folder / "data" / "own" / f"{part}.json")


def learning_data(folder: Path) -> None:
    """The files that benchmarks/training/split_data.py would write."""
    detections(folder, SEEDS_TO_CALIBRATE)
    shutil.copytree(folder / "images", folder / "data" / "starter" / "images" / "coco")
    for name, source in (
        ("coco_learn.segm.json", "results.segm.json"),
        ("coco_learn.instances.json", "instances.json"),
    ):
        shutil.copy(folder / source, folder / "data" / "starter" / name)


def every_format(folder: Path) -> None:
    from tests.formats.test_round_trips import FOLDERS, JSON

    layouts.photographs(folder)
    for layout in (*FOLDERS, *JSON, layouts.gtfine):
        layout(folder)


def annotation_tools(folder: Path) -> None:
    from tests.formats.test_documentation import tools_files

    tools_files(folder)


def cityscapes_and_panoptic(folder: Path) -> None:
    """Results before and after, and ground truth: Cityscapes folders and panoptic files."""
    layouts.mmdetection(folder).rename(folder / "cityscapes")
    layouts.mmdetection(folder).rename(folder / "cityscapes_refined")
    layouts.gtfine(folder)
    layouts.coco_panoptic(folder)
    source = layouts.panoptic_deeplab(folder)
    shutil.copy(source, folder / "refined_panoptic.json")
    shutil.copytree(source.with_suffix(""), folder / "refined_panoptic")


def detector(folder: Path) -> None:
    """An untrained Mask R-CNN, and the scenes in the folders where MMDetection's configs expect COCO."""
    import bpr.integrations.mmdetection  # noqa: F401, I001  (first: MMDetection then loads with mmcv-lite)
    import torch
    from mmdet.datasets import CocoDataset
    from mmdet.registry import MODELS
    from mmengine.hub import get_config
    from mmengine.registry import init_default_scope

    init_default_scope("mmdet")
    config = get_config("mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py").model
    config.backbone.init_cfg = None
    torch.manual_seed(0)
    torch.save({"state_dict": MODELS.build(config).state_dict()}, folder / "mask_rcnn.pth")
    document = json.loads((folder / "instances.json").read_text())
    document["categories"] = [
        {"id": number, "name": name} for number, name in enumerate(CocoDataset.METAINFO["classes"], start=1)
    ]
    write(folder / "data" / "coco" / "annotations" / "instances_val2017.json", document)
    write(folder / "instances_train.json", document)
    for name in ("data/coco/val2017", "train2017"):
        shutil.copytree(folder / "images", folder / name)


def record(mask: BoxMask, image_id: int) -> dict[str, Any]:
    return {
        "image_id": image_id,
        "category_id": 1,
        "segmentation": encode_mask(mask),
        "bbox": mask.bbox,
        "area": mask.area,
    }


def write(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def write_picture(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))


SETTINGS: dict[str, tuple[Callable[[Path], None], ...]] = {
    "formats.md": (every_format,),
    **dict.fromkeys(("cvat.md", "label-studio.md", "labelme.md", "ultralytics.md"), (annotation_tools,)),
    "sam.md": (detections, every_format),
    "evaluation.md": (detections, cityscapes_and_panoptic),
    "training.md": (own_data,),
    "training-at-scale.md": (own_data,),
    "speed.md": (learning_data,),
    "mmdetection.md": (detections, detector),
}
"""The data of each page; all other pages get ``detections``."""
