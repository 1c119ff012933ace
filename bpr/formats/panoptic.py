"""Panoptic results of COCO and Cityscapes: a JSON file of segments and one PNG per image.

The colour of a pixel is the id of its segment: id = R + 256 G + 65536 B, with 0 for pixels without a segment. In a grey
PNG the number of a pixel is the id.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from bpr.errors import BPRError, shown
from bpr.formats.coco import check_annotations
from bpr.formats.format import Format, PathKind, RecordSet, Target
from bpr.formats.labels import number_masks
from bpr.formats.source import Source, in_groups
from bpr.geometry.masks import BoxMask, masks_of_numbers
from bpr.geometry.rle import decode_mask, encode_mask
from bpr.io.files import content_of, inside, own_file, write_json
from bpr.io.folders import atomic_folder
from bpr.io.png import decode_colours, decode_labels, is_coloured, write_png
from bpr.io.record_file import Record
from bpr.limits import check_categories, is_id, whole

VOID = 0
"""The id of pixels that belong to no segment."""
SHIFTS = np.array([0, 8, 16], np.uint32)
"""Bits by which red, green and blue are shifted in an id."""
Image = dict[str, Any]
"""One of the JSON's annotations: image_id, file_name and segments_info."""


class PanopticFile(Source):
    """Segments that divide every image. A refined segment keeps its id; ``area`` and ``bbox`` are updated.

    The PNGs lie in the folder with the name of the JSON file (``panoptic_val2017.json``, ``panoptic_val2017/``) or,
    where there is no such folder, next to the JSON file, as detectron2 writes them.

    Attributes:
        images: the JSON's annotations, one per image.
    """

    def __init__(self, document: Any, path: Path) -> None:
        images = document.get("annotations") if isinstance(document, dict) else None
        if not isinstance(images, list):
            raise BPRError(f"{path}: expected panoptic JSON (an object with annotations), got a JSON {type(document).__name__}")
        check_categories(document, path)
        self.path, self._document, self.images, self.categories = path, document, images, document.get("categories")
        self.entries = check_annotations(document, path)["images"] if "images" in document else None
        self._folder = path.with_suffix("") if path.with_suffix("").is_dir() else path.parent
        self._frames: list[tuple[tuple[int, int], np.dtype[Any] | None]] = []
        self.records: list[Record] = []
        for index, image in enumerate(images):
            self.records += self._read(image, f"{path}: annotation {index}")

    def _read(self, image: Image, where: str) -> list[Record]:
        segments = image.get("segments_info") if isinstance(image, dict) else None
        if not isinstance(segments, list) or not {"image_id", "file_name"} <= image.keys():
            raise BPRError(f"{where}: expected image_id, file_name and segments_info, got {shown(image)}")
        ids, grey = self._ids(image, where)
        self._frames.append((ids.shape, grey))
        named = f"{where} ({image['file_name']})"
        for segment in segments:
            complete = isinstance(segment, dict) and is_id(segment.get("category_id"))
            if not complete or whole(segment.get("id")) is None:
                raise BPRError(f"{named}: expected segments with id and category_id, got {shown(segment)}")
        listed = {segment["id"] for segment in segments}
        if len(listed) < len(segments):
            raise BPRError(f"{named}: expected every segment id once, got one twice")
        if unknown := set(np.unique(ids).tolist()) - {VOID} - listed:
            raise BPRError(f"{named}: expected the pixels' ids in segments_info, got {min(unknown)} in the PNG alone")
        base = {"image_id": image["image_id"]}
        found, empty = masks_of_numbers(ids, void=-1), BoxMask.empty((ids.shape[0], ids.shape[1]))
        masks = [encode_mask(found.get(segment["id"], empty)) for segment in segments]
        return [{**base, **segment, "segmentation": mask} for segment, mask in zip(segments, masks, strict=True)]

    def ids(self, image: Image) -> np.ndarray:
        """(H, W) uint32: the segment id of every pixel of one of :attr:`images`, VOID for pixels without a segment."""
        return self._ids(image, "panoptic")[0]

    def _ids(self, image: Image, where: str) -> tuple[np.ndarray, np.dtype[Any] | None]:
        """The ids of an image, and the dtype of its PNG where that is grey and its numbers are the ids.

        A program that makes PNGs smaller may store colours as grey or with a palette, so the listed ids decide.
        """
        path = own_file(self._folder, inside(self._folder, image["file_name"], where))
        content = content_of(path, "the PNG")
        if is_coloured(content, path):
            return _of_colours(content, path), None
        numbers, palette = decode_labels(content, path)
        colours = _of_colours(content, path)
        listed = {VOID, *(segment.get("id") for segment in image["segments_info"] if isinstance(segment, dict))}
        if _all_in(numbers, listed) and (palette is None or not _all_in(colours, listed)):
            return numbers.astype(np.uint32), numbers.dtype
        return colours, None

    def folder(self, out: Path) -> Path | None:
        return png_folder(out)

    def write(self, refined: Iterable[Record], out: Path) -> None:
        """Write the PNGs to the folder with the name of the JSON file ``out``, and then the JSON file."""
        groups = in_groups(refined, [len(image["segments_info"]) for image in self.images])
        images = []
        with atomic_folder(png_folder(out), "bpr refine") as folder:
            for image, (frame, grey), records in zip(self.images, self._frames, groups, strict=True):
                ids = np.full(frame, VOID, np.uint32)
                for record in records:
                    decode_mask(record["segmentation"]).paint(ids, record["id"])
                write_png(folder / image["file_name"], _to_colours(ids) if grey is None else ids.astype(grey))
                pairs = zip(image["segments_info"], records, strict=True)
                images.append({**image, "segments_info": [_updated(segment, record) for segment, record in pairs]})
        write_json(out, {**self._document, "annotations": images})


def _all_in(ids: np.ndarray, listed: set[Any]) -> bool:
    return set(np.unique(ids).tolist()) <= listed


def _of_colours(content: bytes, path: Path) -> np.ndarray:
    """(H, W) uint32 ids of the colours of a PNG."""
    return (decode_colours(content, path).astype(np.uint32) << SHIFTS).sum(axis=2, dtype=np.uint32)


def _to_colours(ids: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB of (H, W) uint32 ids."""
    return (ids[..., None] >> SHIFTS).astype(np.uint8)


def _updated(segment: dict[str, Any], record: Record) -> dict[str, Any]:
    """The segment with the area and the box, in whole numbers, of the record's mask; only keys it has are updated."""
    mask = decode_mask(record["segmentation"])
    new = {"area": mask.area, "bbox": [int(side) for side in mask.bbox]}
    return {**segment, **{key: value for key, value in new.items() if key in segment}}


def png_folder(out: Path) -> Path:
    """The folder of the PNGs that belong to the JSON file ``out``."""
    if out.suffix != ".json" or out.is_dir():
        raise BPRError(f"{out}: expected a .json file to write; the PNGs go to the folder of its name")
    return out.with_suffix("")


def is_panoptic(document: Any) -> bool:
    """Whether parsed JSON is of the panoptic format."""
    annotations = document.get("annotations") if isinstance(document, dict) else None
    if not isinstance(annotations, list):
        return False
    return any(isinstance(annotation, dict) and "segments_info" in annotation for annotation in annotations)


def _write_new(record_set: RecordSet, out: Path) -> None:
    """Write panoptic JSON and PNGs; the segment ids of every image count from 1.

    Raises:
        BPRError: masks overlap.
    """
    images = record_set.by_stem()
    annotations = []
    with atomic_folder(png_folder(out), "bpr convert") as folder:
        for stem, records in images.items():
            if records:
                png = inside(folder, f"{stem}.png", "image_id")
                write_png(png, _to_colours(number_masks(records, stem)))
                segments = []
                for number, record in enumerate(records, start=1):
                    base = {"id": number, "category_id": record["category_id"], "iscrowd": 0, "area": 0, "bbox": []}
                    segments.append(_updated(base, record))
                annotations.append({"image_id": stem, "file_name": f"{stem}.png", "segments_info": segments})
    write_json(out, {"annotations": annotations})


PANOPTIC = Format(
    name="panoptic",
    description="COCO and Cityscapes panoptic segmentation",
    path_kind=PathKind.JSON_FILE,
    signature="panoptic JSON (annotations with segments_info)",
    recognises=lambda candidate: is_panoptic(candidate.json_object),
    precedence=1,  # the JSON is also an object with annotations
    read=lambda candidate, images: PanopticFile(candidate.document, candidate.path),
    exclusive=True,
    ids_are_stems=False,
    certain_without_score=False,
    target=Target(_write_new, folder_beside=lambda out: out.with_suffix("")),
)
