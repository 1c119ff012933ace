"""The JSON of Segment Anything: lists of its automatic generator, and the files of SA-1B, one per image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bpr.errors import BPRError, shown
from bpr.formats.coco import same_mask
from bpr.formats.format import Candidate, Format, PathKind
from bpr.formats.source import Source, in_groups, written_like
from bpr.io.files import files_below, own_file, read_json, write_json
from bpr.io.record_file import Record
from bpr.limits import is_id, is_score

OBJECT = 1
"""The class of all masks, for formats that need one."""
PROMPTS = {"predicted_iou", "stability_score", "point_coords", "crop_box"}
"""Keys by which the masks of the generator differ from results that lack their image's id."""
MASK_KEYS = ("segmentation", "area", "bbox")
WANTED = "expected masks of Segment Anything (a list of objects with segmentation, or an object with image and annotations)"


class SamFiles(Source):
    """A JSON file, or a folder of such files. Everything except the masks, their area and their box stays as it is.

    The image of a list is called like its file; a file of SA-1B names its image. The records' scores are those that
    the model predicts (``predicted_iou``).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._files = files_below(path, (".json",)) if path.is_dir() else [path]
        if not self._files:
            raise BPRError(f"{path}: {WANTED}, got a folder without JSON")
        self._documents = [self._read(file) for file in self._files]
        self._masks = [one["annotations"] if isinstance(one, dict) else one for one in self._documents]
        named = [document["image"] for document in self._documents if isinstance(document, dict)]
        self.entries = [{**image, "id": image["image_id"]} for image in named] or None
        self.categories = [{"id": OBJECT, "name": "object"}]
        of_files = zip(self._files, self._documents, strict=True)
        ids = [one["image"]["image_id"] if isinstance(one, dict) else self.name_of(file) for file, one in of_files]
        for image_id, count in Counter(ids).items():
            if count > 1:
                raise BPRError(f"{path}: expected every image once, got {shown(image_id)} twice")
        self.image_ids = [] if self.entries else ids
        self.records: list[Record] = []
        for image_id, masks in zip(ids, self._masks, strict=True):
            for mask in masks:
                score = {"score": mask["predicted_iou"]} if is_score(mask.get("predicted_iou")) else {}
                self.records.append({"category_id": OBJECT, **score, **mask, "image_id": image_id})

    def _read(self, file: Path) -> Any:
        document = read_json(own_file(self.path, file), "JSON of Segment Anything")
        masks = document.get("annotations") if isinstance(document, dict) else document
        whole = isinstance(masks, list) and all(isinstance(mask, dict) and "segmentation" in mask for mask in masks)
        if not whole or (isinstance(document, dict) and not _is_image(document.get("image"))):
            raise BPRError(f"{file}: {WANTED}, got {shown(document)}")
        return document

    def write(self, refined: Iterable[Record], out: Path) -> None:
        """Write a file for a file, and a folder of the same names for a folder."""
        groups = in_groups(refined, map(len, self._masks))
        with written_like(self.path, out) as target:
            for file, document, masks, records in zip(self._files, self._documents, self._masks, groups, strict=True):
                new = [
                    mask if same_mask(mask, record) else {**mask, **{key: record[key] for key in MASK_KEYS if key in mask}}
                    for mask, record in zip(masks, records, strict=True)
                ]
                write_json(target(file), {**document, "annotations": new} if isinstance(document, dict) else new)


def _is_image(image: Any) -> bool:
    return isinstance(image, dict) and is_id(image.get("image_id")) and isinstance(image.get("file_name"), str)


def _recognises(candidate: Candidate) -> bool:
    if candidate.path.is_dir():
        files = files_below(candidate.path, (".json",))
        return bool(files) and _recognises(Candidate(files[0]))
    if candidate.is_json_list:
        first = candidate.first_of_list
        return isinstance(first, dict) and "image_id" not in first and not PROMPTS.isdisjoint(first)
    document = candidate.json_object
    return isinstance(document.get("annotations"), list) and _is_image(document.get("image"))


SAM = Format(
    name="sam",
    description="JSON of Segment Anything: lists of its generator, files of SA-1B",
    path_kind=PathKind.JSONS,
    signature="JSON of Segment Anything (masks without image_id)",
    recognises=_recognises,
    precedence=1,  # the JSON is also a list, or an object with annotations
    read=lambda candidate, images: SamFiles(candidate.path),
    images_beside=lambda path: path if path.is_dir() else path.parent,
)
