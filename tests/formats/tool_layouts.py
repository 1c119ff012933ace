"""What annotation tools write, in their exact layouts: the scenes of :mod:`tests.formats.layouts`."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import cv2
import numpy as np

from bpr.formats.brush_rle import encode_brush
from bpr.geometry.masks import BoxMask
from tests.formats.layouts import CAR, FRAME, MASKS, PERSON, STEMS

PHOTOS = {stem: f"leftImg8bit/val/{stem.split('_')[0]}/{stem}_leftImg8bit.png" for stem in STEMS}
"""Where :func:`photographs` puts them."""
NAMES = {CAR: "car", PERSON: "person"}


def ring_of(mask: np.ndarray, step: int = 3) -> list[list[float]]:
    """Every third point of a mask's outer contour, moved by a fraction: what a person may have clicked."""
    (contour, *_), _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return [[x + 0.53, y + 0.47] for x, y in contour[::step, 0].tolist()]


def labelme(folder: Path) -> Path:
    """LabelMe 5.5: indented by two, letters as they are; a polygon, a mask as a base64 PNG, and other shapes."""
    folder = folder / "labelme"
    folder.mkdir(parents=True)
    for stem, instances in MASKS.items():
        shapes: list[dict[str, object]] = []
        for index, (label, _, mask) in enumerate(instances):
            rest = {"description": "größer", "shape_type": "polygon", "flags": {"cut": False}, "mask": None}
            shape = {"label": NAMES[label], "points": ring_of(mask), "group_id": index or None, **rest}
            if index == 1:
                top, left, bottom, right = (int(edge) for edge in _box(mask))
                png = cv2.imencode(".png", mask[top : bottom + 1, left : right + 1].astype(np.uint8))[1]
                corners = [[float(left), float(top)], [float(right), float(bottom)]]
                shape |= {"points": corners, "shape_type": "mask", "mask": base64.b64encode(png).decode()}
            shapes.append(shape)
        for kind in ("rectangle", "circle", "point"):
            points = [[1.0, 2], [3e0, 4]][: 1 if kind == "point" else 2]
            shapes.append({"label": "x", "points": points, "shape_type": kind, "flags": {}})
        size = {"imageHeight": FRAME[0], "imageWidth": FRAME[1]}
        photo = {"imagePath": f"../{PHOTOS[stem]}", "imageData": None}
        document = {"version": "5.5.0", "flags": {}, "shapes": shapes, **photo, **size}
        (folder / f"{stem}.json").write_text(json.dumps(document, ensure_ascii=False, indent=2), encoding="utf-8")
    return folder


def x_anylabeling(folder: Path) -> Path:
    """X-AnyLabeling 2.5: more keys in a shape; here beside the photo, which is on Windows."""
    mask = MASKS[STEMS[0]][0][2]
    keys = {"group_id": 7, "description": "", "difficult": True, "shape_type": "polygon", "flags": {}}
    more = {"attributes": {"hue": "red"}, "kie_linking": [[0, 1]]}
    shape = {"label": "car", "score": 0.91, "points": ring_of(mask), **keys, **more}
    corners = [[1, 1], [9, 1], [9, 9], [1, 9]]
    turned = {"label": "car", "score": None, "points": corners, "shape_type": "rotation", "direction": 0.5}
    size = {"imageHeight": FRAME[0], "imageWidth": FRAME[1]}
    photo = f"C:\\scans\\{Path(PHOTOS[STEMS[0]]).name}"
    head = {"version": "2.5.4", "flags": {}, "checked": False}
    document = {**head, "shapes": [turned, shape], "imagePath": photo, "imageData": None}
    path = folder / "x_anylabeling.json"
    path.write_text(json.dumps({**document, **size}, ensure_ascii=False, indent=2), encoding="utf-8")
    return path


def _box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """The first and last row and column of a mask: top, left, bottom, right."""
    rows, columns = np.nonzero(mask)
    return rows.min(), columns.min(), rows.max(), columns.max()


def cvat(folder: Path) -> Path:
    """CVAT for images 1.1: numbers of two decimals, runs along the rows of a mask's box, attributes, tags, boxes."""
    lines = ['<?xml version="1.0" encoding="utf-8"?>', "<annotations>", "  <version>1.1</version>", "  <meta>"]
    lines += ["    <task>", "      <id>7</id>", "      <name>größe &amp; form</name>", "      <labels>"]
    for name in (*NAMES.values(), "night"):
        lines += ["        <label>", f"          <name>{name}</name>", "          <type>any</type>", "          <attributes>"]
        lines += ["            <attribute>", "              <name>note</name>", "              <input_type>text</input_type>"]
        lines += ["            </attribute>", "          </attributes>", "        </label>"]
    lines += ["      </labels>", "    </task>", "  </meta>"]
    for number, (stem, instances) in enumerate(MASKS.items()):
        lines.append(f'  <image id="{number}" name="{PHOTOS[stem]}" width="{FRAME[1]}" height="{FRAME[0]}">')
        for index, (label, _, mask) in enumerate(instances):
            points = ";".join(f"{x:.2f},{y:.2f}" for x, y in ring_of(mask))
            kind, shape = "polygon", f'points="{points}"'
            if index == 1:
                top, left, bottom, right = _box(mask)
                box = mask[top : bottom + 1, left : right + 1]
                ends = np.flatnonzero(np.diff(box.ravel(), prepend=False, append=~box[-1, -1]))
                runs = np.diff(ends, prepend=0).tolist()
                sides = f'left="{left}" top="{top}" width="{box.shape[1]}" height="{box.shape[0]}"'
                kind, shape = "mask", f'rle="{str(runs)[1:-1]}" {sides}'
            group = f'group_id="{index}" ' if index else ""
            label_of = f'label="{NAMES[label]}" source="manual" occluded="0"'
            lines.append(f'    <{kind} {label_of} {shape} {group}z_order="{index}">')
            lines += ['      <attribute name="note">5 &gt; 3</attribute>', f"    </{kind}>"]
        sides = 'xtl="1.00" ytl="2.00" xbr="9.00" ybr="9.00"'
        lines += [f'    <box label="car" source="manual" occluded="0" {sides} z_order="0">', "    </box>"]
        lines += ['    <tag label="night" source="manual">', "    </tag>", "  </image>"]
    path = folder / "annotations.xml"
    path.write_text("\n".join([*lines, "</annotations>", ""]), encoding="utf-8")
    return path


def cvat_coco(folder: Path) -> Path:
    """CVAT's COCO 1.0: polygons, masks as uncompressed runs that are called crowds, attributes, no spaces."""
    found = []
    for number, stem in enumerate(STEMS):
        for index, (label, _, mask) in enumerate(MASKS[stem]):
            flat = mask.ravel(order="F")
            runs = np.diff([0, *(np.flatnonzero(flat[1:] != flat[:-1]) + 1), flat.size]).tolist()
            polygon = [value for point in ring_of(mask) for value in point]
            is_mask = index == 1
            segmentation = {"counts": runs, "size": list(FRAME)} if is_mask else [polygon]
            base = {"id": len(found) + 1, "image_id": number + 1, "category_id": list(NAMES).index(label) + 1}
            rest = {"area": float(mask.sum()), "bbox": BoxMask.from_frame(mask).bbox, "iscrowd": int(is_mask)}
            found.append({**base, "segmentation": segmentation, **rest, "attributes": {"occluded": False, "note": "a"}})
    rest = {"license": 0, "flickr_url": "", "coco_url": "", "date_captured": 0}
    size = {"width": FRAME[1], "height": FRAME[0]}
    names = [PHOTOS[stem].removeprefix("leftImg8bit/val/") for stem in STEMS]
    images = [{"id": number, **size, "file_name": name, **rest} for number, name in enumerate(names, start=1)]
    categories = [{"id": number + 1, "name": name, "supercategory": ""} for number, name in enumerate(NAMES.values())]
    document = {"licenses": [{"name": "", "id": 0, "url": ""}], "info": {"contributor": ""}, "categories": categories}
    path = folder / "instances_default.json"
    path.write_text(json.dumps({**document, "images": images, "annotations": found}, separators=(",", ":")))
    return path


def label_studio(folder: Path) -> Path:
    """Label Studio's JSON: per cent, brush runs, an upload's name; regions of persons and of a model."""
    tasks: list[dict[str, object]] = []
    size = {"original_width": FRAME[1], "original_height": FRAME[0], "image_rotation": 0}
    for number, (stem, instances) in enumerate(MASKS.items()):
        results: list[dict[str, object]] = []
        for index, (label, score, mask) in enumerate(instances):
            base = {**size, "id": f"r{index}", "to_name": "image", "origin": "manual"}
            points = [[100 * x / FRAME[1], 100 * y / FRAME[0]] for x, y in ring_of(mask)]
            if index == 1:
                rle = encode_brush(BoxMask.from_frame(mask))
                value: dict[str, object] = {"format": "rle", "rle": rle, "brushlabels": [NAMES[label]]}
                results.append({**base, "value": value, "from_name": "brush", "type": "brushlabels", "score": score})
            elif index == 2:  # a tag for the shape and one for the label
                shape = {"points": points, "closed": True}
                results.append({**base, "value": shape, "from_name": "shape", "type": "polygon"})
                value = {**shape, "labels": [NAMES[label]]}
                results.append({**base, "value": value, "from_name": "label", "type": "labels"})
            else:
                value = {"points": points, "closed": True, "polygonlabels": [NAMES[label]]}
                kind = {"from_name": "polygon", "type": "polygonlabels", "meta": {"text": ["größer"]}}
                results.append({**base, "value": value, **kind})
        box = {"x": 1.5, "y": 2, "width": 3, "height": 4, "rotation": 0, "rectanglelabels": ["car"]}
        kind = {"from_name": "box", "to_name": "image", "type": "rectanglelabels"}
        results.append({**size, "id": "box", "value": box, **kind})
        kind = {"from_name": "light", "to_name": "image", "type": "choices"}
        results.append({"id": "choice", "value": {"choices": ["night"]}, **kind})
        upload = f"0a1b2c{number}d-{Path(PHOTOS[stem]).name}"
        made = {"id": number, "completed_by": 1, "result": results, "was_cancelled": False, "lead_time": 12.5}
        guess = {"id": 50 + number, "model_version": "m", "score": 0.5, "result": results[:1]}
        task = {"id": 100 + number, "annotations": [made], "file_upload": upload, "drafts": [], "predictions": [guess]}
        tasks.append({**task, "data": {"image": f"/data/upload/1/{upload}"}, "meta": {}, "total_annotations": 1})
    path = folder / "project-1-at-2026-11-29.json"
    path.write_text(json.dumps(tasks, ensure_ascii=False), encoding="utf-8")
    return path


def roboflow(folder: Path) -> Path:
    """Roboflow's "YOLOv8 segmentation": train, valid and test beside data.yaml and two READMEs."""
    splits = {"train": STEMS[0], "valid": STEMS[1], "test": STEMS[2]}
    folders = {stem: (f"{split}/images", f"{split}/labels") for split, stem in splits.items()}
    folder = _export(folder / "roboflow", folders)
    paths = "train: ../train/images\nval: ../valid/images\ntest: ../test/images\n"
    (folder / "data.yaml").write_text(f"{paths}\nnc: 2\nnames: ['car', 'person']\n")
    (folder / "README.roboflow.txt").write_text("Exported\n")
    (folder / "README.dataset.txt").write_text("Cars\n")
    return folder


def ultralytics(folder: Path) -> Path:
    """Ultralytics' own data sets, such as coco8-seg."""
    splits = {"train": STEMS[0], "val": STEMS[1]}
    folders = {stem: (f"images/{split}", f"labels/{split}") for split, stem in splits.items()}
    folder = _export(folder / "coco8-seg", folders)
    names = "names:\n  0: car\n  1: person\n"
    (folder / "data.yaml").write_text(f"path: .\ntrain: images/train\nval: images/val\n{names}")
    return folder


def _export(folder: Path, splits: dict[str, tuple[str, str]]) -> Path:
    """The images and labels of the scenes, in the folders of images and of labels by stem."""
    for stem, (images, labels) in splits.items():
        pixels = np.random.default_rng(1).integers(0, 90, (*FRAME, 3), dtype=np.uint8)
        lines = []
        for label, _, mask in MASKS[stem]:
            pixels[mask] += 120
            points = " ".join(f"{x / FRAME[1]:.8g} {y / FRAME[0]:.8g}" for x, y in ring_of(mask))
            lines.append(f"{list(NAMES).index(label)} {points}")
        (folder / images).mkdir(parents=True)
        (folder / labels).mkdir(parents=True)
        cv2.imwrite(str(folder / images / f"{stem}.png"), pixels)
        (folder / labels / f"{stem}.txt").write_text("\n".join(lines))
    return folder
