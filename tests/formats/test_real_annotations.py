"""Twenty annotations of COCO val, refined in every tool's format and read again without a line of this package."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import re
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from bpr.cli.main import main

PHOTOS, OF_EACH = 4, 5
SMALLEST = 1000
"""Pixels of the annotations that are chosen."""
Mask = np.ndarray
Ring = list[list[float]]


class Drawn(NamedTuple):
    """An annotation as a person may have drawn it: of one part."""

    name: str
    ring: Ring
    frame: tuple[int, int]

    @property
    def mask(self) -> Mask:
        return mask_of([self.ring], self.frame)

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, width and height."""
        x, y, width, height = cv2.boundingRect(self.mask.astype(np.uint8))
        return x, y, width, height


class Photo(NamedTuple):
    folder: Path
    entry: dict[str, Any]
    annotations: list[dict[str, Any]]
    drawn: list[Drawn]

    @property
    def frame(self) -> tuple[int, int]:
        return self.entry["height"], self.entry["width"]

    @property
    def stem(self) -> str:
        return Path(self.entry["file_name"]).stem


def mask_of(rings: list[Ring], frame: tuple[int, int]) -> Mask:
    """COCO's rule for polygons."""
    flat = [np.array(ring, float).ravel().tolist() for ring in rings]
    return coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(flat, *frame))).astype(bool)


@cache
def chosen(data: Path) -> tuple[list[Photo], dict[int, str]]:
    """The first photos with enough annotations of one part, and the names of the classes."""
    document = json.loads((data / "coco" / "annotations" / "instances_val2017.json").read_text())
    names = {category["id"]: category["name"] for category in document["categories"]}
    photos = []
    for entry in sorted(document["images"], key=lambda entry: entry["id"]):
        fit = [
            one
            for one in document["annotations"]
            if one["image_id"] == entry["id"] and not one["iscrowd"] and len(one["segmentation"]) == 1 and one["area"] > SMALLEST
        ][:OF_EACH]
        if len(fit) == OF_EACH and len(photos) < PHOTOS:
            frame = entry["height"], entry["width"]
            rings = [np.reshape(one["segmentation"][0], (-1, 2)).tolist() for one in fit]
            drawn = [Drawn(names[one["category_id"]], ring, frame) for one, ring in zip(fit, rings, strict=True)]
            photos.append(Photo(data / "coco" / "val2017", entry, fit, drawn))
    return photos, names


# What the tools write. Every second annotation of a photo is a mask where the format holds masks.


def coco(photos: list[Photo], names: dict[int, str], folder: Path) -> Path:
    return _coco(photos, names, folder, lambda index, drawn: [np.ravel(drawn.ring).tolist()])


def cvat_coco(photos: list[Photo], names: dict[int, str], folder: Path) -> Path:
    """CVAT's export: masks are runs, which it flags as crowds."""

    def segmentation(index: int, drawn: Drawn) -> Any:
        flat = drawn.mask.ravel(order="F")
        runs = np.diff([0, *(np.flatnonzero(flat[1:] != flat[:-1]) + 1), flat.size]).tolist()
        return {"counts": ([0] if flat[0] else []) + runs, "size": list(drawn.frame)} if index % 2 else [np.ravel(drawn.ring).tolist()]

    return _coco(photos, names, folder, segmentation)


def _coco(photos: list[Photo], names: dict[int, str], folder: Path, segmentation: Callable[[int, Drawn], Any]) -> Path:
    found = []
    for photo in photos:
        for index, (annotation, drawn) in enumerate(zip(photo.annotations, photo.drawn, strict=True)):
            new = segmentation(index, drawn)
            more = {"attributes": {"occluded": False, "note": "größer"}, "group_id": index, "iscrowd": int(isinstance(new, dict))}
            found.append({**annotation, **more, "segmentation": new})
    categories = [{"id": number, "name": name, "colour": "#fff"} for number, name in names.items()]
    document = {"info": {"year": 2017}, "images": [photo.entry for photo in photos], "annotations": found, "categories": categories}
    (folder / "instances.json").write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    return folder / "instances.json"


def labelme(photos: list[Photo], names: dict[int, str], folder: Path) -> Path:
    return _labelme(photos, folder / "labelme", {"version": "5.5.0"}, {})


def x_anylabeling(photos: list[Photo], names: dict[int, str], folder: Path) -> Path:
    head = {"version": "2.5.4", "checked": False}
    return _labelme(photos, folder / "x", head, {"attributes": {"hue": "red"}, "difficult": True, "score": 0.91, "kie_linking": [[0, 1]]})


def _labelme(photos: list[Photo], folder: Path, head: dict[str, Any], more: dict[str, Any]) -> Path:
    folder.mkdir()
    for photo in photos:
        shapes = []
        for index, drawn in enumerate(photo.drawn):
            shape = {"label": drawn.name, "points": drawn.ring, "group_id": index, "shape_type": "polygon", "flags": {"cut": True}, **more}
            if index % 2:
                x, y, width, height = drawn.box
                png = cv2.imencode(".png", drawn.mask[y : y + height, x : x + width].astype(np.uint8))[1]
                corners = [[x, y], [x + width - 1, y + height - 1]]
                shape |= {"shape_type": "mask", "points": corners, "mask": base64.b64encode(png.tobytes()).decode()}
            shapes.append(shape)
        rest = {"imagePath": photo.entry["file_name"], "imageData": None, "imageHeight": photo.frame[0], "imageWidth": photo.frame[1]}
        text = json.dumps({**head, "flags": {}, "shapes": shapes, **rest}, ensure_ascii=False, indent=2)
        (folder / f"{photo.stem}.json").write_text(text, encoding="utf-8")
    return folder


def cvat(photos: list[Photo], names: dict[int, str], folder: Path) -> Path:
    lines = ['<?xml version="1.0" encoding="utf-8"?>', "<annotations>", "  <version>1.1</version>"]
    for number, photo in enumerate(photos):
        height, width = photo.frame
        lines.append(f'  <image id="{number}" name="{photo.entry["file_name"]}" width="{width}" height="{height}">')
        for index, drawn in enumerate(photo.drawn):
            shape = 'points="' + ";".join(f"{x:.2f},{y:.2f}" for x, y in drawn.ring) + '"'
            if index % 2:
                x, y, width, height = drawn.box
                pixels = drawn.mask[y : y + height, x : x + width].ravel()
                ends = np.flatnonzero(np.diff(pixels, prepend=False, append=~pixels[-1:]))
                runs = str(np.diff(ends, prepend=0).tolist())[1:-1]
                shape = f'rle="{runs}" left="{x}" top="{y}" width="{width}" height="{height}"'
            tag = "mask" if index % 2 else "polygon"
            lines.append(f'    <{tag} label="{drawn.name}" source="manual" occluded="0" {shape} z_order="0" group_id="{index}">')
            lines += ['      <attribute name="note">größer</attribute>', f"    </{tag}>"]
        lines.append("  </image>")
    (folder / "annotations.xml").write_text("\n".join([*lines, "</annotations>", ""]), encoding="utf-8")
    return folder / "annotations.xml"


def label_studio(photos: list[Photo], names: dict[int, str], folder: Path) -> Path:
    tasks = []
    for number, photo in enumerate(photos):
        height, width = photo.frame
        size = {"original_width": width, "original_height": height, "image_rotation": 0}
        results = []
        for index, drawn in enumerate(photo.drawn):
            points = [[100 * x / width, 100 * y / height] for x, y in drawn.ring]
            value: dict[str, Any] = {"points": points, "closed": True, "polygonlabels": [drawn.name]}
            if index % 2:
                value = {"format": "rle", "rle": packed(drawn.mask), "brushlabels": [drawn.name]}
            kind = "brushlabels" if index % 2 else "polygonlabels"
            results.append({**size, "id": f"r{index}", "type": kind, "to_name": "image", "value": value, "meta": {"text": ["größer"]}})
        upload = f"0a1b2c3{number}-{photo.entry['file_name']}"
        made = {"id": number, "result": results, "was_cancelled": False, "lead_time": 12.5}
        tasks.append({"id": 100 + number, "annotations": [made], "file_upload": upload, "data": {"image": f"/data/upload/1/{upload}"}})
    (folder / "project.json").write_text(json.dumps(tasks, ensure_ascii=False), encoding="utf-8")
    return folder / "project.json"


def roboflow(photos: list[Photo], names: dict[int, str], folder: Path) -> Path:
    return _export(photos, names, folder / "roboflow", "{split}/labels")


def ultralytics(photos: list[Photo], names: dict[int, str], folder: Path) -> Path:
    return _export(photos, names, folder / "ultralytics", "labels/{split}")


def _export(photos: list[Photo], names: dict[int, str], folder: Path, place: str) -> Path:
    listed = list(names.values())
    for photo, split in zip(photos, ("test", "train", "train", "val"), strict=True):
        labels = folder / place.format(split=split)
        images = folder / place.format(split=split).replace("labels", "images")
        for each in (labels, images):
            each.mkdir(parents=True, exist_ok=True)
        height, width = photo.frame
        (images / photo.entry["file_name"]).write_bytes((photo.folder / photo.entry["file_name"]).read_bytes())
        lines = []
        for drawn in photo.drawn:
            points = " ".join(f"{x / width:.6f} {y / height:.6f}" for x, y in drawn.ring)
            lines.append(f"{listed.index(drawn.name)} {points}\n")
        (labels / f"{photo.stem}.txt").write_text("".join(lines))
    (folder / "data.yaml").write_text(f"train: train\nnc: {len(listed)}\nnames: {json.dumps(listed)}\n")
    return folder


def packed(mask: Mask) -> list[int]:
    """Label Studio's brush runs: the bits of a count, a word size, four sizes of run lengths, and runs of RGBA values."""
    values = np.repeat(mask.ravel() * 255, 4)
    edges = [0, *(np.flatnonzero(np.diff(values)) + 1).tolist(), values.size]
    bits = [f"{values.size:032b}", f"{7:05b}", *(f"{size - 1:04b}" for size in (2, 4, 8, 16))]
    for start, end in pairwise(edges):
        for first in range(start, end, 2**16):
            bits.append(f"1{3:02b}{min(end - first, 2**16) - 1:016b}{int(values[start]):08b}")
    text = "".join(bits)
    text += "0" * (-len(text) % 8)
    return [int(text[place : place + 8], 2) for place in range(0, len(text), 8)]


# Readers of the formats: the masks in the order of the file.


def read_coco(path: Path, photos: list[Photo]) -> list[Mask]:
    with contextlib.redirect_stdout(io.StringIO()):
        document = COCO(str(path))
    return [document.annToMask(annotation).astype(bool) for annotation in document.dataset["annotations"]]


def read_labelme(path: Path, photos: list[Photo]) -> list[Mask]:
    found = []
    for photo in photos:
        for shape in json.loads((path / f"{photo.stem}.json").read_text(encoding="utf-8"))["shapes"]:
            if shape["shape_type"] == "polygon":
                found.append(mask_of([shape["points"]], photo.frame))
            elif shape["shape_type"] == "mask":
                (left, top), (right, bottom) = (map(int, point) for point in shape["points"])
                pixels = cv2.imdecode(np.frombuffer(base64.b64decode(shape["mask"]), np.uint8), cv2.IMREAD_UNCHANGED)
                mask = np.zeros(photo.frame, bool)
                mask[top : bottom + 1, left : right + 1] = pixels > 0
                found.append(mask)
    return found


def read_cvat(path: Path, photos: list[Photo]) -> list[Mask]:
    found = []
    for image in ElementTree.parse(path).getroot().iter("image"):
        frame = int(image.attrib["height"]), int(image.attrib["width"])
        for shape in image:
            if shape.tag == "polygon":
                found.append(mask_of([[[float(side) for side in point.split(",")] for point in shape.attrib["points"].split(";")]], frame))
            elif shape.tag == "mask":
                left, top, width, height = (int(shape.attrib[name]) for name in ("left", "top", "width", "height"))
                runs = [int(run) for run in shape.attrib["rle"].split(",")]
                mask = np.zeros(frame, bool)
                pixels = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
                mask[top : top + height, left : left + width] = pixels.reshape(height, width)
                found.append(mask)
    return found


def read_label_studio(path: Path, photos: list[Photo]) -> list[Mask]:
    found = []
    for task in json.loads(path.read_text(encoding="utf-8")):
        for result in task["annotations"][0]["result"]:
            height, width = result["original_height"], result["original_width"]
            value = result["value"]
            if "rle" in value:
                found.append(unpacked(value["rle"]).reshape(height, width, 4)[..., 3] > 0)
            else:
                found.append(mask_of([[[x * width / 100, y * height / 100] for x, y in value["points"]]], (height, width)))
    return found


def unpacked(content: list[int]) -> np.ndarray:
    bits = "".join(f"{byte:08b}" for byte in content)
    place = 0

    def number(size: int) -> int:
        nonlocal place
        place += size
        return int(bits[place - size : place], 2)

    count, word = number(32), number(5) + 1
    sizes = [number(4) + 1 for _ in range(4)]
    values: list[np.ndarray] = []
    done = 0
    while done < count:
        repeats, length = number(1), number(sizes[number(2)]) + 1
        values.append(np.full(length, number(word)) if repeats else np.array([number(word) for _ in range(length)]))
        done += length
    return np.concatenate(values)


def read_export(path: Path, photos: list[Photo]) -> list[Mask]:
    found = []
    for photo in photos:
        (label,) = path.rglob(f"{photo.stem}.txt")
        for line in label.read_text().splitlines():
            fractions = np.array(line.split()[1:], float).reshape(-1, 2)
            found.append(mask_of([(fractions * photo.frame[::-1]).tolist()], photo.frame))
    return found


class Tool(NamedTuple):
    """A format: how it is written and read here, and what of its text a refined mask may change.

    Attributes:
        shape: the text of a mask; a part that follows another key begins with ``"mask"``.
        derived: other text that follows from a mask.
        score: that of every annotation, or of one without a score.
        holds_masks: every second annotation is a mask, which comes back bit for bit.
    """

    write: Callable[[list[Photo], dict[int, str], Path], Path]
    read: Callable[[Path, list[Photo]], list[Mask]]
    shape: str
    derived: str = r"(?!)"
    holds_masks: bool = True
    score: float = 1.0


JSON_POINTS = r'"points": \[[\[\]\d\s.,e+-]*\]'
SEGMENTATION = r'"segmentation": (?:\[\[.*?\]\]|\{.*?\})'
FRACTIONS = r"(?<= )[01]\.\d{6} [\d. ]+$"
OF_COCO = r'"area": [\d.]+|"bbox": \[[^\]]*\]|, "bpr": \{[^{}]*\}'
TOOLS = {
    "COCO with polygons": Tool(coco, read_coco, SEGMENTATION, OF_COCO, holds_masks=False),
    "CVAT's COCO export": Tool(cvat_coco, read_coco, SEGMENTATION, OF_COCO),
    "LabelMe": Tool(labelme, read_labelme, JSON_POINTS + r'|"mask": "[^"]*"'),
    "X-AnyLabeling": Tool(x_anylabeling, read_labelme, JSON_POINTS + r'|"mask": "[^"]*"', score=0.91),
    "CVAT for images": Tool(cvat, read_cvat, r'(?:points|rle)="[^"]*"(?: left="\d+" top="\d+" width="\d+" height="\d+")?'),
    "Label Studio": Tool(label_studio, read_label_studio, JSON_POINTS + r'|"rle": \[[\d\s,]*\]'),
    "Roboflow's folders": Tool(roboflow, read_export, FRACTIONS, holds_masks=False),
    "Ultralytics' folders": Tool(ultralytics, read_export, FRACTIONS, holds_masks=False),
}


def texts_of(path: Path) -> str:
    """All text of a file or a folder, with the names of its files."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    texts = [file for file in files if file.suffix in (".json", ".xml", ".txt", ".yaml")]
    return "\n".join(f"{file.relative_to(path)}\n{file.read_bytes().decode()}" for file in texts)


def taken_apart(text: str, tool: Tool) -> tuple[list[str], str]:
    """The text of every mask, and that of everything else."""
    shape = re.compile(tool.shape, re.MULTILINE)
    pieces: list[str] = []
    for piece in shape.findall(text):
        if piece.startswith('"mask"'):
            pieces[-1] += piece
        else:
            pieces.append(piece)
    return pieces, re.sub(tool.derived, "", shape.sub("", text))


def refine(masks: Path, data: Path, out: Path, *options: str) -> Path:
    images = [] if (masks / "data.yaml").is_file() else ["--img-dir", str(data / "coco" / "val2017")]
    assert main(["refine", str(masks), *images, "--model", "starter-fast", "--caution", "0", "--out", str(out), "--strict", *options]) == 0
    return out


def by_rle(masks: list[Mask], score: float, photos: list[Photo], data: Path, folder: Path) -> list[Mask]:
    """The refined masks of COCO results with RLE."""
    results = []
    for number, mask in enumerate(masks):
        rle = coco_mask.encode(np.asfortranarray(mask, np.uint8))
        image_id = photos[number // OF_EACH].entry["id"]
        segmentation = {"size": rle["size"], "counts": rle["counts"].decode()}
        results.append({"image_id": image_id, "category_id": 1, "score": score, "segmentation": segmentation})
    (folder / "listed.json").write_text(json.dumps({"images": [photo.entry for photo in photos]}))
    (folder / "results.json").write_text(json.dumps(results))
    out = refine(folder / "results.json", data, folder / "refined.json", "--ann", str(folder / "listed.json"))
    return [coco_mask.decode(record["segmentation"]).astype(bool) for record in json.loads(out.read_text())]


@pytest.mark.parametrize("name", TOOLS)
def test_twenty_annotations_come_back_in_their_format(shared_data: Path, tmp_path: Path, name: str) -> None:
    """Exact polygons give the masks of the RLE path bit for bit, and those of few vertices nearly."""
    tool = TOOLS[name]
    photos, names = chosen(shared_data)
    source = tool.write(photos, names, tmp_path)
    # CVAT flags masks as crowds, and --polygons would turn them into polygons.
    settings = {"few": ["--crowds", "refine"]} if tool.write is cvat_coco else {"exact": ["--polygons", "0"], "few": []}
    before = tool.read(source, photos)
    assert len(before) == PHOTOS * OF_EACH
    labels = [drawn.name for photo in photos for drawn in photo.drawn]
    only = sorted(set(labels))[::2]
    refined = by_rle(before, tool.score, photos, shared_data, tmp_path)
    expected = [new if label in only else old for label, old, new in zip(labels, before, refined, strict=True)]
    stays = [np.array_equal(old, new) for old, new in zip(before, expected, strict=True)]
    old_shapes, old_rest = taken_apart(texts_of(source), tool)
    worst = 1.0
    for setting, options in settings.items():
        out = refine(source, shared_data, tmp_path / f"{setting}{source.suffix}", "--only", *only, *options)
        shapes, rest = taken_apart(texts_of(out), tool)
        assert rest == old_rest, "classes, ids, attributes, groups, unknown keys, spaces"
        assert [old == new for old, new in zip(old_shapes, shapes, strict=True)] == stays
        for number, (mask, wanted) in enumerate(zip(tool.read(out, photos), expected, strict=True)):
            is_mask = tool.holds_masks and number % OF_EACH % 2
            agreement = np.sum(mask & wanted) / np.sum(mask | wanted)
            assert agreement == 1 or (setting == "few" and not is_mask)
            worst = min(worst, agreement)
    assert worst >= 0.995
    print(f"{name}: {len(before)} annotations, {stays.count(False)} changed, {stays.count(True)} byte-equal, worst IoU {worst:.4f}")
