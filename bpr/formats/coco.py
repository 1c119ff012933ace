"""COCO results and annotation files. A record is the JSON object of the file, so unknown keys are kept.

Where a command reads COCO files, it also reads the folders of Cityscapes: results and ground truth.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bpr.errors import BadMask, BPRError, shown
from bpr.formats.cityscapes import CityscapesFolder, CityscapesTruth, truth_heading
from bpr.formats.format import Format, PathKind, RecordSet, Target, not_listed
from bpr.formats.polygons import PolygonWriter
from bpr.formats.source import Source, TextSource, left_out_lines
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import decode_mask, encode_mask, has_mask
from bpr.io.files import json_errors, open_regular, read_json, write_json, write_json_list
from bpr.io.image_finder import ImageFolder
from bpr.io.image_list import ImageList
from bpr.io.images import read_image
from bpr.io.json_stream import JsonStream
from bpr.io.kept_text import Changes, KeptText, Places, json_places
from bpr.io.record_file import RESULTS, Record, RecordFile, called, stream_records
from bpr.limits import check_categories, is_id

ANNOTATIONS = "a COCO annotation file"
"""How an error message names such a file."""
INSTANCES, CROWDS, MASKLESS = "instances", "crowds", "without a mask"
"""Kinds of annotations; only instances are refined. The names are shown to the user."""
CROWD_FLAGS = {None: False, 0: False, 1: True, "0": False, "1": True, "false": False, "true": True}
"""What ``iscrowd`` may be, by its lower-case text or number; JSON's true and false are 1 and 0 in Python."""
CERTAIN = 1.0
"""The score of a record that has none and needs one: annotated instances certainly exist."""
ALL_FLAGGED = (
    "every RLE of the file is flagged as a crowd, as CVAT flags single objects; "
    "if they are single objects, refine them with --crowds refine"
)
"""What the user is told about such a file: COCO flags regions of many objects, CVAT all masks that are no polygons."""
ENTRY = ("id", "file_name", "height", "width")
"""The keys of an entry of an images list that this package uses."""


def read_results(path: str | Path) -> list[Record]:
    """The detections of a COCO results file or a Cityscapes folder, in its order, as a list in memory.

    Raises:
        BPRError: the file is not a list of objects with ``image_id`` and ``segmentation``; the folder has no lists.
    """
    if Path(path).is_dir():
        return CityscapesFolder(Path(path)).records
    with json_errors(path, RESULTS), open_regular(path) as file:
        return list(stream_records(JsonStream(file, path), path))


def read_annotations(path: str | Path) -> dict[str, Any]:
    """A parsed COCO annotation file with its ``images``, ``annotations`` and ``categories`` lists.

    A ``gtFine`` folder of Cityscapes is read into the same form.

    Raises:
        BPRError: a list is missing or malformed, an image lacks a valid id or a file name (``coco_url`` in LVIS), or
            the folder has no ground truth.
    """
    if Path(path).is_dir():
        return CityscapesTruth(Path(path)).document
    return check_annotations(read_json(path, ANNOTATIONS), path)


def read_heading(path: str | Path) -> dict[str, Any]:
    """A COCO annotation file without annotations: ``images``, with the keys that this package uses, and ``categories``.

    The annotations, which may take gigabytes, are skipped one by one.

    Raises:
        BPRError: as for :func:`read_annotations`.
    """
    if Path(path).is_dir():
        return truth_heading(Path(path))
    with json_errors(path, ANNOTATIONS), open_regular(path) as file:
        stream = JsonStream(file, path)
        if stream.peek() != "{":
            return check_annotations(stream.skip(), path)
        document = {}
        for key in stream.names():
            if key == "images" and stream.peek() == "[":
                document[key] = [_entry(image, path) for image in stream.elements()]
            else:
                document[key] = stream.value() if key == "categories" else stream.skip()
        stream.end()
    return check_annotations(document, path)


def _entry(image: Any, path: str | Path) -> dict[str, Any]:
    check_image(image, path)
    keys = ENTRY if "file_name" in image else ("coco_url", *ENTRY)
    return {key: image[key] for key in keys if key in image}


def check_annotations(document: Any, path: str | Path) -> dict[str, Any]:
    """Check a parsed annotation file, and add an empty ``annotations`` list where there is none.

    Returns:
        The same ``document``.

    Raises:
        BPRError: as for :func:`read_annotations`.
    """
    if not isinstance(document, dict) or not isinstance(document.get("images"), list):
        remedy = "results go first on the line" if isinstance(document, list) else "give the file that names the images"
        raise BPRError(f"{path}: expected a COCO annotation file with an images list, got none; {remedy}")
    for image in document["images"]:
        check_image(image, path)
    counts = Counter(image["id"] for image in document["images"])
    repeated = next((image_id for image_id, count in counts.items() if count > 1), None)
    if repeated is not None:
        raise BPRError(f"{path}: images: expected every id once, got id {shown(repeated)} twice; it is not clear which file is meant")
    if not isinstance(document.setdefault("annotations", []), list):
        raise BPRError(f"{path}: expected annotations to be a list, got {shown(document['annotations'])}")
    check_categories(document, path)
    return document


def check_image(image: Any, path: str | Path) -> None:
    """Raise a BPRError unless ``image`` is an entry of an images list."""
    if not isinstance(image, dict) or "id" not in image or not {"file_name", "coco_url"} & image.keys():
        raise BPRError(f"{path}: images: expected objects with id and file_name, got {shown(image)}")
    if not is_id(image["id"]):
        raise BPRError(f"{path}: images: expected an id that is a number or a string, got {shown(image['id'])}")


def certain(record: Record) -> Record:
    """The record, with the score CERTAIN if it has none."""
    return record if "score" in record else {**record, "score": CERTAIN}


def is_crowd(annotation: Record, where: str) -> bool:
    """Whether an annotation is flagged as a crowd: a region of many objects, which is neither refined nor a miss.

    Args:
        where: names the annotation in errors.

    Raises:
        BPRError: ``iscrowd`` is neither 0 nor 1, as a number, a bool or a text.
    """
    flag = annotation.get("iscrowd")
    key = flag.lower() if isinstance(flag, str) else flag
    if not isinstance(key, Hashable) or key not in CROWD_FLAGS:
        raise BPRError(f"{where}: iscrowd: expected 0 or 1, got {shown(flag)}")
    return CROWD_FLAGS[key]


def positions_by_kind(annotations: Sequence[Record], name: str = "", crowds: bool = False) -> dict[str, list[int]]:
    """The positions of INSTANCES, CROWDS and MASKLESS annotations; kinds that do not occur are left out.

    Args:
        name: precedes the number of an annotation in errors.
        crowds: crowds count as instances.

    Raises:
        BPRError: as for :func:`is_crowd`.
    """
    positions: dict[str, list[int]] = {}
    for index, annotation in enumerate(annotations):
        is_instance = crowds or not is_crowd(annotation, f"{name}{called(annotation, index, 'annotation')}")
        kind = CROWDS if not is_instance else INSTANCES if has_mask(annotation.get("segmentation")) else MASKLESS
        positions.setdefault(kind, []).append(index)
    return positions


def with_mask(record: Record, mask: BoxMask, segmentation: Any = None) -> Record:
    """A copy of ``record`` with ``mask``; ``bbox`` and ``area`` are updated where it has them.

    Args:
        segmentation: the mask in another form than RLE.
    """
    changed = {**record, "segmentation": encode_mask(mask) if segmentation is None else segmentation}
    if "bbox" in record:
        changed["bbox"] = mask.bbox
    if "area" in record:
        changed["area"] = mask.area
    return changed


class ResultsFile(Source):
    """COCO and LVIS results: a list of detections of any length, which may overlap."""

    def __init__(self, path: Path) -> None:
        self.path, self.records = path, RecordFile(path)

    def write(self, refined: Iterable[Record], out: Path) -> None:
        """Write the refined records to the JSON file ``out``, one by one."""
        wanted = self.polygons.wanted
        write_json_list(out, (as_polygons(record, record, self.polygons) if wanted else record for record in refined))


class AnnotationFile(TextSource):
    """The annotations of a data set (COCO, LVIS). Everything except the masks of instances stays as it is.

    A changed annotation gets the verdict, where there is one.

    Args:
        crowds: crowds count as instances.

    A mask that did not change stays as it is, byte for byte. A changed one keeps its form: polygons come back as
    polygons, an RLE as an RLE, which holds every mask exactly.
    """

    def __init__(self, document: Any, path: Path, crowds: bool = False) -> None:
        lists_images_only = isinstance(document, dict) and "annotations" not in document
        check_annotations(document, path)
        if lists_images_only:
            remedy = "an images list alone only names files, with --ann"
            raise BPRError(f"{path}: expected a COCO annotation file with an annotations list, got none; {remedy}")
        self.path, self.texts = path, [KeptText(path)]
        self.entries, self.categories = document["images"], document.get("categories")
        annotations = document["annotations"]
        for index, annotation in enumerate(annotations):
            if not isinstance(annotation, dict) or "image_id" not in annotation:
                raise BPRError(f"{path}: annotation {index}: expected an object with image_id, got {shown(annotation)}")
        positions = positions_by_kind(annotations, f"{path}: ", crowds)
        self._positions = positions.pop(INSTANCES, [])
        self.left_out, self._annotations = positions, annotations
        self.records: list[Record] = [annotations[index] for index in self._positions]
        flagged = [annotations[index] for index in positions.get(CROWDS, ())]
        of_cvat = not self.records or any("attributes" in annotation for annotation in flagged)  # COCO's have none
        if of_cvat and any(map(_is_rle, flagged)) and not any(map(_is_rle, self.records)):
            self.notes = [ALL_FLAGGED]

    @property
    def left_out_lines(self) -> list[str]:
        return left_out_lines(self.left_out, len(self._annotations), self._annotations)

    def places(self, values: Mapping[int, Changes | None]) -> list[Places]:
        return [json_places(Changes({self._positions[index]: value for index, value in values.items()}), "annotations")]

    def is_same(self, record: Record, refined: Record) -> bool:
        is_polygon = isinstance(record["segmentation"], list)
        return same_mask(record, refined) and (is_polygon or not self.polygons.wanted)

    def change(self, position: int, refined: Record) -> Changes:
        old = self.records[position]
        is_polygon = isinstance(old["segmentation"], list)
        new = as_polygons(old, refined, self.polygons) if is_polygon or self.polygons.wanted else refined
        return Changes((key, value) for key, value in new.items() if value != old.get(key))


def _is_rle(annotation: Record) -> bool:
    return isinstance(annotation.get("segmentation"), dict)


def same_mask(record: Record, refined: Record) -> bool:
    """Whether two records have the same pixels; a mask that cannot be read is equal to itself."""
    if refined["segmentation"] == record["segmentation"]:
        return True
    mask = decode_mask(refined["segmentation"])
    return decode_mask(record["segmentation"], mask.frame).equals(mask)


def as_polygons(old: Record, refined: Record, writer: PolygonWriter) -> Record:
    """The refined record with polygons; ``old`` where its mask cannot be read or is empty."""
    try:
        mask = decode_mask(refined["segmentation"])
    except BadMask:
        return old
    polygons = [part.ravel().tolist() for part in writer.parts(mask)]
    return with_mask(refined, decode_mask(polygons, mask.frame), polygons) if polygons else old


def _write_new(record_set: RecordSet, out: Path) -> None:
    """Write the records as COCO results, with polygons where these are wanted."""
    records, writer = record_set.with_listed_ids(), record_set.polygons
    write_json(out, [as_polygons(record, record, writer) for record in records] if writer.wanted else records)


def _write_annotations(record_set: RecordSet, out: Path) -> None:
    """Write the records as a whole annotation file: images, annotations and categories."""
    listed = record_set.images or ImageList(_new_entries(record_set), stems=True)
    ids = [record.get("id") for record in record_set.records]
    are_ids = all(type(number) is int for number in ids) and len(set(ids)) == len(ids)
    annotations, writer = [], record_set.polygons
    for index, record in enumerate(record_set.records):
        image_id = listed.id_of(record["image_id"])
        if image_id is None:
            raise not_listed(called(record, index), record["image_id"])
        number = record["id"] if are_ids else index + 1
        whole_record = {"iscrowd": 0, **record, "area": 0, "bbox": [], "id": number, "image_id": image_id}
        annotation = with_mask(whole_record, decode_mask(record["segmentation"]))
        annotations.append(as_polygons(annotation, annotation, writer) if writer.wanted else annotation)
    named = {category["id"]: category for category in record_set.categories or ()}
    categories = [{**named.get(number, {}), "id": number, "name": name} for number, name in record_set.classes.items()]
    write_json(out, {"images": listed.entries, "annotations": annotations, "categories": categories})


def _new_entries(record_set: RecordSet) -> list[dict[str, Any]]:
    """An images list for records without one. Images get numbers, except where all their ids are numbers.

    Raises:
        BPRError: no folder of images is known, or an image is not in it.
    """
    frames: dict[Any, tuple[int, int] | None] = dict.fromkeys(record_set.image_ids)
    for record in record_set.records:
        height, width = record["segmentation"]["size"]
        frames[record["image_id"]] = height, width
    find = record_set.find_images and record_set.find_images()
    if find is None:
        raise BPRError("expected --img-dir with the images, which the new file names, got none")
    numbered = all(type(image_id) is int for image_id in frames)
    entries = []
    for number, (image_id, frame) in enumerate(frames.items(), start=1):
        path = find.path(image_id)
        height, width = frame or read_image(path).shape[:2]
        name = path.relative_to(find.folder).as_posix() if isinstance(find, ImageFolder) else path.name
        entries.append({"id": image_id if numbered else number, "file_name": name, "height": height, "width": width})
    return entries


COCO = Format(
    name="coco",
    description="COCO and LVIS results",
    path_kind=PathKind.JSON_FILE,
    signature="COCO results (a JSON list of records)",
    recognises=lambda candidate: candidate.is_json_list,
    read=lambda candidate, images: ResultsFile(candidate.path),
    ids_are_stems=False,
    polygons=True,
    certain_without_score=False,
    target=Target(_write_new, category="number or text", score="needed"),
)
COCO_ANNOTATIONS = Format(
    name="annotations",
    description="COCO and LVIS annotations",
    path_kind=PathKind.JSON_FILE,
    signature="a COCO annotation file (an object with images and annotations)",
    recognises=lambda candidate: bool({"images", "annotations"} & candidate.json_object.keys()),
    read=lambda candidate, images: AnnotationFile(candidate.document, candidate.path, candidate.crowds),
    images_beside=lambda path: path.parent,
    ids_are_stems=False,
    polygons=True,
    target=Target(_write_annotations),
)
