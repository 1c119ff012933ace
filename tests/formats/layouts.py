"""Masks on disk in the exact layouts that other projects write."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import encode_mask

STEMS = ("aachen_000000_000019", "aachen_000001_000019", "ulm_000002_000019")
FRAME = (90, 130)
CAR, PERSON = 26, 24


def disk(x: int, y: int, radius: int) -> np.ndarray:
    return cv2.circle(np.zeros(FRAME, np.uint8), (x, y), radius, 1, -1) > 0


MASKS: dict[str, list[tuple[int, float, np.ndarray]]] = {
    STEMS[0]: [(CAR, 0.9876, disk(25, 40, 16)), (PERSON, 0.5, disk(70, 45, 12) & ~disk(70, 45, 4)), (CAR, 0.25, disk(110, 70, 9))],
    STEMS[1]: [(PERSON, 0.75, disk(20, 20, 14) | disk(100, 60, 11))],
    STEMS[2]: [],
}
"""(class, score, mask) by image: separate masks, one of them with a hole; a mask of two parts; no mask."""


def photographs(folder: Path) -> Path:
    """The image folder of Cityscapes, with a subfolder per city."""
    rng = np.random.default_rng(0)
    for stem, instances in MASKS.items():
        pixels = rng.integers(0, 90, (*FRAME, 3), dtype=np.uint8)
        for _, _, mask in instances:
            pixels[cv2.dilate(mask.astype(np.uint8), np.ones((3, 3))) > 0] += 120
        city = folder / "leftImg8bit" / "val" / stem.split("_")[0]
        city.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(city / f"{stem}_leftImg8bit.png"), pixels)
    return folder / "leftImg8bit" / "val"


def coco_results(folder: Path) -> Path:
    """``<prefix>.segm.json`` of MMDetection and ``coco_instances_results.json`` of detectron2."""
    records = [
        {"image_id": stem, "category_id": label, "score": score, "segmentation": encode_mask(BoxMask.from_frame(mask))}
        for stem, instances in MASKS.items()
        for label, score, mask in instances
    ]
    return _json(folder / "results.segm.json", records)


def _cityscapes(folder: Path, list_name: str, png_name: str, value: int) -> Path:
    """A folder of instance lists; names are templates of ``stem``, ``index`` and ``label``, the name of the class."""
    for stem in STEMS:
        lines = []
        for index, (label, score, mask) in enumerate(MASKS[stem]):
            name = png_name.format(stem=stem, index=index, label={CAR: "car", PERSON: "person"}[label])
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / name), mask.astype(np.uint8) * value)
            lines.append(f"{name} {label} {score}\n")
        (folder / list_name.format(stem=stem)).write_text("".join(lines))
    return folder


def mmdetection(folder: Path) -> Path:
    """CityScapesMetric: masks of 0/1, the image's whole stem."""
    png = "{stem}_leftImg8bit_{index}_{label}.png"
    return _cityscapes(folder / "mmdet", "{stem}_leftImg8bit_pred.txt", png, value=1)


def detectron2(folder: Path) -> Path:
    """CityscapesInstanceEvaluator, which PointRend uses too: masks of 0/255, the image's whole stem."""
    png = "{stem}_leftImg8bit_{index}_{label}.png"
    return _cityscapes(folder / "pointrend", "{stem}_leftImg8bit_pred.txt", png, value=255)


def polytransform(folder: Path) -> Path:
    """A submission to the benchmark: lists at the top, masks in a folder below."""
    return _cityscapes(folder / "polytransform", "{stem}_pred.txt", "masks/{stem}_{index}.png", value=255)


def segfix(folder: Path) -> Path:
    """SegFix names the list ``_index.txt``."""
    return _cityscapes(folder / "segfix", "{stem}_index.txt", "{stem}_{index}.png", value=255)


def gtfine(folder: Path) -> Path:
    """The ground truth of a Cityscapes download: four files for each image, in a folder per city."""
    for stem in STEMS:
        ids = np.full(FRAME, 7, np.uint16)
        ids[:30] = 23
        ids[80:, :20] = CAR  # a group of cars
        for number, (label, _, mask) in enumerate(MASKS[stem]):
            ids[mask] = label * 1000 + number
        city = folder / "gtFine" / "val" / stem.split("_")[0]
        city.mkdir(parents=True, exist_ok=True)
        labels = np.where(ids >= 1000, ids // 1000, ids).astype(np.uint8)
        colours = np.dstack([labels, labels, labels, np.full(FRAME, 255, np.uint8)])
        for name, pixels in (("instanceIds", ids), ("labelIds", labels), ("color", colours)):
            cv2.imwrite(str(city / f"{stem}_gtFine_{name}.png"), pixels)
        (city / f"{stem}_gtFine_polygons.json").write_text("{}")
    return folder / "gtFine" / "val"


def panoptic_deeplab(folder: Path) -> Path:
    """``predictions.json`` and ``predictions/``: segment id = class * 1000 + number, no area, no box."""
    return _panoptic(folder / "predictions.json", area=False)


def coco_panoptic(folder: Path) -> Path:
    """``panoptic_val2017.json`` and ``panoptic_val2017/``, with areas and boxes."""
    return _panoptic(folder / "panoptic_val2017.json", area=True)


def cityscapes_panoptic(folder: Path) -> Path:
    """createPanopticImgs: its images list names files that do not exist, so images are found by their ids."""
    source = _panoptic(folder / "cityscapes_panoptic_val.json", area=True)
    document = json.loads(source.read_text())
    document["images"] = [{"id": stem, "file_name": f"{stem}_gtFine_leftImg8bit.png", "height": 90, "width": 130} for stem in STEMS]
    for image in document["annotations"]:
        name = f"{image['image_id']}_gtFine_panoptic.png"
        (source.with_suffix("") / image["file_name"]).rename(source.with_suffix("") / name)
        image["file_name"] = name
    return _json(source, document)


def _panoptic(path: Path, area: bool) -> Path:
    pngs = _new(path.with_suffix(""))
    annotations = []
    for stem, instances in MASKS.items():
        ids, segments = np.zeros(FRAME, np.int64), []
        for index, (label, _, mask) in enumerate(instances):
            ids[mask] = label * 1000 + index
            box = [int(side) for side in BoxMask.from_frame(mask).bbox]
            numbers = {"area": int(mask.sum()), "bbox": box, "iscrowd": 0} if area else {}
            segments.append({"id": label * 1000 + index, "category_id": label, **numbers})
        cv2.imwrite(str(pngs / f"{stem}.png"), np.stack([ids >> 16, ids >> 8 & 255, ids & 255], axis=2).astype(np.uint8))
        annotations.append({"image_id": stem, "file_name": f"{stem}.png", "segments_info": segments})
    return _json(path, {"annotations": annotations, "info": {"note": "stays"}})


def semantic(folder: Path) -> Path:
    """Grey PNGs of label ids, 255 for pixels without a label."""
    folder = _new(folder / "semantic")
    for stem in STEMS:
        labels = np.full(FRAME, 7, np.uint8)
        labels[:30] = 23
        for label, _, mask in MASKS[stem]:
            labels[mask] = label
        labels[-4:] = 255
        cv2.imwrite(str(folder / f"{stem}.png"), labels)
    return folder


def masks(folder: Path) -> Path:
    """One mask PNG per image, 0/255."""
    folder = _new(folder / "masks")
    for stem in STEMS[:2]:
        cv2.imwrite(str(folder / f"{stem}.png"), np.any([mask for *_, mask in MASKS[stem]], axis=0).astype(np.uint8) * 255)
    return folder


def yolo(folder: Path) -> Path:
    """``labels/`` beside ``images/``; polygons in fractions."""
    folder = _new(folder / "labels")
    for stem, instances in MASKS.items():
        lines = []
        for label, _, mask in instances:
            (contour, *_), _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
            points = (contour[:, 0] / (FRAME[1], FRAME[0])).ravel().tolist()
            lines.append(" ".join([str(label), *(f"{value:.6g}" for value in points)]) + "\n")
        (folder / f"{stem}.txt").write_text("".join(lines))
    return folder


def _sam_masks(stem: str) -> list[dict[str, object]]:
    found = []
    for _, score, mask in MASKS[stem]:
        box = BoxMask.from_frame(mask)
        x, y, width, height = box.bbox
        prompts = {"predicted_iou": score, "point_coords": [[x, y]], "stability_score": 0.97, "crop_box": [0, 0, 130, 90]}
        # Segment Anything's boxes are one pixel narrower than COCO's.
        sizes = {"area": box.area, "bbox": [int(x), int(y), int(width) - 1, int(height) - 1]}
        found.append({"segmentation": encode_mask(box), **sizes, **prompts})
    return found


def sam_lists(folder: Path) -> Path:
    """The generator's script with RLE: a JSON list per image, called like the image."""
    folder = _new(folder / "sam")
    for stem in STEMS:
        _json(folder / f"{stem}_leftImg8bit.json", _sam_masks(stem))
    return folder


def sa_1b(folder: Path) -> Path:
    """Files of SA-1B, which name their images."""
    folder = _new(folder / "sa1b")
    for number, stem in enumerate(STEMS, start=7):
        name = f"{stem.split('_')[0]}/{stem}_leftImg8bit.png"
        image = {"image_id": number, "width": 130, "height": 90, "file_name": name}
        masks = [{**mask, "id": 100 * number + index} for index, mask in enumerate(_sam_masks(stem))]
        _json(folder / f"sa_{number}.json", {"image": image, "annotations": masks})
    return folder


def annotations(folder: Path) -> Path:
    """An annotation file with RLE, a polygon, a crowd, and unknown keys."""
    instances = [(stem, label, mask) for stem in STEMS for label, _, mask in MASKS[stem]]
    found = [
        {"id": n, "image_id": STEMS.index(stem), "category_id": label, "iscrowd": 0, "area": 1.5, "bbox": [0, 0, 1, 1]}
        | {"segmentation": encode_mask(BoxMask.from_frame(mask)), "attributes": {"by": n}}
        for n, (stem, label, mask) in enumerate(instances)
    ]
    found[0]["segmentation"] = [[10.5, 10, 60, 10, 60, 50.25, 10, 50]]
    found[1]["iscrowd"] = 1
    found.append({"id": 99, "image_id": 0, "category_id": 1, "keypoints": [1, 2, 2]})
    names = [f"{stem.split('_')[0]}/{stem}_leftImg8bit.png" for stem in STEMS]
    images = [{"id": n, "file_name": name, "height": 90, "width": 130} for n, name in enumerate(names)]
    categories = [{"id": CAR, "name": "car"}]
    return _json(folder / "instances.json", {"info": {"year": 2026}, "images": images, "annotations": found, "categories": categories})


def _new(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def _json(path: Path, value: object) -> Path:
    path.write_text(json.dumps(value))
    return path
