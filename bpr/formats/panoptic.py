"""Panoptic results (COCO, Cityscapes) <-> records: a JSON of segments and one PNG per image, id = R + 256 G + 65536 B."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bpr.errors import BPRError, shown
from bpr.formats.coco import Record, check_annotations
from bpr.formats.labels import number_masks
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import decode_mask, encode_mask
from bpr.io.files import inside, own_file, write_json
from bpr.io.folders import atomic_folder
from bpr.io.png import read_colours, write_png
from bpr.limits import check_categories

VOID = 0
SHIFTS = np.array([0, 8, 16], np.uint32)
Image = dict[str, Any]


class PanopticFile:
    """Segments that share out every image; a refined segment keeps its id, ``area`` and ``bbox`` follow its pixels.

    ``images`` are the JSON's annotations: image_id, file_name and segments_info.

    The PNGs lie in the folder that is called as the JSON is (``panoptic_val2017.json``, ``panoptic_val2017/``), or,
    without one, beside it, as detectron2 writes them.
    """

    format = "panoptic"
    exclusive = True
    left_out: Mapping[str, Sequence[int]] = {}

    def __init__(self, document: Any, path: Path) -> None:
        images = document.get("annotations") if isinstance(document, dict) else None
        if not isinstance(images, list):
            raise BPRError(f"{path}: expected panoptic JSON (an object with annotations), got a JSON {type(document).__name__}")
        check_categories(document, path)
        self._document, self.images = document, images
        self.entries = check_annotations(document, path)["images"] if "images" in document else None
        self._folder = path.with_suffix("") if path.with_suffix("").is_dir() else path.parent
        self._frames: list[tuple[int, int]] = []
        self.records: list[Record] = []
        for index, image in enumerate(images):
            self.records += self._read(image, f"{path}: annotation {index}")

    def _read(self, image: Image, where: str) -> list[Record]:
        segments = image.get("segments_info") if isinstance(image, dict) else None
        if not isinstance(segments, list) or not {"image_id", "file_name"} <= image.keys():
            raise BPRError(f"{where}: expected image_id, file_name and segments_info, got {shown(image)}")
        ids = self.ids(image, where)
        self._frames.append(ids.shape)
        self._check(segments, ids, f"{where} ({image['file_name']})")
        base = {"image_id": image["image_id"]}
        return [{**base, **segment, "segmentation": encode_mask(BoxMask.from_frame(ids == segment["id"]))} for segment in segments]

    def ids(self, image: Image, where: str = "panoptic") -> np.ndarray:
        """(H, W) uint32: the segment id of every pixel of one of :attr:`images`, VOID where there is none."""
        colours = read_colours(own_file(self._folder, inside(self._folder, image["file_name"], where)))
        return (colours.astype(np.uint32) << SHIFTS).sum(axis=2, dtype=np.uint32)

    @staticmethod
    def _check(segments: list[Any], ids: np.ndarray, where: str) -> None:
        for segment in segments:
            if not isinstance(segment, dict) or not {"id", "category_id"} <= segment.keys() or type(segment["id"]) is not int:
                raise BPRError(f"{where}: expected segments with id and category_id, got {shown(segment)}")
        listed = [segment["id"] for segment in segments]
        if len(set(listed)) < len(listed):
            raise BPRError(f"{where}: expected every segment id once, got one twice")
        unknown = set(np.unique(ids).tolist()) - {VOID, *listed}
        if unknown:
            raise BPRError(f"{where}: expected the pixels' ids in segments_info, got {min(unknown)} in the PNG alone")

    def folder(self, out: Path) -> Path | None:
        return png_folder(out)

    def write(self, refined: Iterable[Record], out: Path) -> None:
        """Write the JSON ``out`` and, in the folder of its name, the PNGs; the JSON comes last."""
        left = iter(refined)
        images = []
        with atomic_folder(png_folder(out), "bpr refine") as folder:
            for image, frame in zip(self.images, self._frames, strict=True):
                own = [next(left) for _ in image["segments_info"]]
                _paint(own, frame, folder / image["file_name"])
                images.append({**image, "segments_info": [_segment(*pair) for pair in zip(image["segments_info"], own, strict=True)]})
        write_json(out, {**self._document, "annotations": images})


def write_new(images: Mapping[str, Sequence[Record]], out: Path) -> None:
    """Write the records of every image, by its stem, as panoptic JSON and PNGs; segment ids count from 1 in every image.

    Raises:
        BPRError: masks overlap.
    """
    annotations = []
    with atomic_folder(png_folder(out), "bpr convert") as folder:
        for stem, records in images.items():
            if records:
                png = inside(folder, f"{stem}.png", "image_id")
                write_png(png, _to_colours(number_masks(records, stem)))
                segments = [_new_segment(number, record) for number, record in enumerate(records, start=1)]
                annotations.append({"image_id": stem, "file_name": f"{stem}.png", "segments_info": segments})
    write_json(out, {"annotations": annotations})


def _new_segment(number: int, record: Record) -> dict[str, Any]:
    return _segment({"id": number, "category_id": record["category_id"], "iscrowd": 0, "area": 0, "bbox": []}, record)


def _to_colours(ids: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB of (H, W) uint32 ids."""
    return (ids[..., None] >> SHIFTS).astype(np.uint8)


def png_folder(out: Path) -> Path:
    """Where the PNGs of the JSON file ``out`` lie."""
    if out.suffix != ".json" or out.is_dir():
        raise BPRError(f"{out}: expected a .json file to write; the PNGs go to the folder of its name")
    return out.with_suffix("")


def _paint(segments: Sequence[Record], frame: tuple[int, int], path: Path) -> None:
    ids = np.full(frame, VOID, np.uint32)
    for segment in segments:
        ids[decode_mask(segment["segmentation"]).to_frame()] = segment["id"]
    write_png(path, _to_colours(ids))


def _segment(before: dict[str, Any], after: Record) -> dict[str, Any]:
    """What the JSON says of a segment: its own keys, with ``area`` and ``bbox`` as whole numbers where it has them."""
    mask = decode_mask(after["segmentation"])
    new = {"area": mask.area, "bbox": [int(side) for side in mask.bbox]}
    return {**before, **{key: value for key, value in new.items() if key in before}}
