"""The facts of a results format: one :class:`Format` per format, built in the format's own module.

A new format is one such module and one entry of :data:`bpr.formats.registry.FORMATS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from bpr.errors import BPRError, shown
from bpr.formats.polygons import PolygonWriter
from bpr.formats.source import Source
from bpr.io.files import json_errors, open_regular, read_json
from bpr.io.image_finder import ImageFinder
from bpr.io.image_list import SUFFIXES, ImageList, file_name, stem_of
from bpr.io.json_stream import JsonStream
from bpr.io.mask_picture import TIFF
from bpr.io.record_file import Record, called
from bpr.limits import category_name
from bpr.raster.zarr_store import is_zarr

ANY_MASKS = "masks in JSON or XML, a PNG, or a folder"
"""The name of the input of a command in error messages."""


class PathKind(Enum):
    """The kind of path that holds the masks of a format; its value is its name in error messages."""

    JSON_FILE = "a JSON file"
    JSONS = "a JSON file or a folder of JSON files"
    XML_FILE = "an XML file"
    FOLDER = "a folder"
    PICTURES = "a picture or a folder of pictures"
    RASTER = "a TIFF or a Zarr folder"

    def includes(self, path: Path) -> bool:
        """Whether ``path`` is of this kind. A file without the ending of a picture or of XML counts as JSON."""
        if self is PathKind.RASTER:
            return is_zarr(path) or path.suffix.lower() in TIFF
        if path.is_dir():
            return self in (PathKind.FOLDER, PathKind.PICTURES, PathKind.JSONS)
        suffix = path.suffix.lower()
        if suffix in SUFFIXES:
            return self is PathKind.PICTURES
        return self is PathKind.XML_FILE if suffix == ".xml" else self in (PathKind.JSON_FILE, PathKind.JSONS)


@dataclass(frozen=True, eq=False)
class Candidate:
    """A path whose format is to be recognised; content that several formats look at is read only once.

    Attributes:
        crowds: crowds of an annotation file count as instances.
    """

    path: Path
    crowds: bool = False

    @cached_property
    def is_json_list(self) -> bool:
        """Whether the JSON is a list, by its first character: a list of results may be too large to be parsed."""
        with json_errors(self.path, ANY_MASKS), open_regular(self.path) as file:
            return JsonStream(file, self.path).peek() == "["

    @cached_property
    def first_of_list(self) -> Any:
        """The first element of the JSON list; None where the JSON is something else, or empty."""
        if not self.is_json_list:
            return None
        with json_errors(self.path, ANY_MASKS), open_regular(self.path) as file:
            return next(JsonStream(file, self.path).elements(), None)

    @cached_property
    def document(self) -> Any:
        """The parsed JSON."""
        return read_json(self.path, ANY_MASKS)

    @property
    def json_object(self) -> dict[str, Any]:
        """The parsed JSON object; empty where the JSON is something else."""
        return self.document if not self.is_json_list and isinstance(self.document, dict) else {}


def str_last(number: Any) -> tuple[bool, Any]:
    """The key that sorts numbers before texts."""
    return isinstance(number, str), number


@dataclass(frozen=True)
class RecordSet:
    """The records that ``bpr convert`` writes in another format; a target gets them with RLE masks and what it needs.

    Attributes:
        records: in the order of the input.
        images: the images list, with the names, ids and sizes of the images. Listed images without records are written
            too. None where there is no list: then an image's id is its name.
        ids_are_stems: as in :class:`Format`, of the format that the records come from.
        image_ids: the ids of all images where there is no list, as far as the input names images without records.
        categories: the classes (id, name, ...); None where the input does not list them.
        find_images: gives access to the images; it raises a BPRError where no folder of images is known.
        polygons: writes the masks of formats that hold polygons.
    """

    records: Sequence[Record]
    images: ImageList | None = None
    ids_are_stems: bool = False
    image_ids: Sequence[str] = ()
    categories: Sequence[Mapping[str, Any]] | None = None
    find_images: Callable[[], ImageFinder] | None = None
    polygons: PolygonWriter = field(default_factory=PolygonWriter)

    @cached_property
    def classes(self) -> dict[Any, str]:
        """The name of every class by its id, in the order of the list; classes that are not listed follow."""
        listed = {category["id"]: category_name(category) for category in self.categories or ()}
        used = {record["category_id"] for record in self.records if "category_id" in record}
        return listed | {number: str(number) for number in sorted(used - listed.keys(), key=str_last)}

    def by_stem(self) -> dict[str, list[Record]]:
        """The records of every image that is listed or has a record, by its stem.

        The id of an image without a list is its stem, or its file's name.

        Raises:
            BPRError: the list does not hold the image of a record, or two images have the same stem, so that their
                masks would lie in one file.
        """
        owners: dict[str, Any] = {}
        files = {entry["id"]: Path(str(file_name(entry))) for entry in (self.images.entries if self.images else ())}
        stems = {image_id: file.with_suffix("").as_posix() if file.name else "" for image_id, file in files.items()}
        images: dict[str, list[Record]] = {stem: [] for stem in (stems.values() if self.images else self.image_ids)}
        for index, record in enumerate(self.records):
            image_id = self._listed_id(record["image_id"])
            stem = stems.get(image_id)
            if stem is None and self.images and not self.ids_are_stems:
                raise not_listed(called(record, index), image_id)
            if stem is None:
                stem = str(image_id) if self.ids_are_stems else stem_of(str(image_id).replace("\\", "/"))
                if not stem.strip(" ."):
                    where = called(record, index)
                    raise BPRError(f"{where}: image_id: expected an id or the name of an image, got {shown(image_id)}")
            if owners.setdefault(stem, image_id) != image_id:
                ids = f"{shown(owners[stem])} and {shown(image_id)}"
                raise BPRError(f"images {ids}: expected names that differ without their ending, got {shown(stem)} twice; rename one")
            images.setdefault(stem, []).append(record)
        return images

    def with_listed_ids(self) -> list[Record]:
        """The records with the ids of the images list, where the list holds their image."""
        return [{**record, "image_id": self._listed_id(record["image_id"])} for record in self.records]

    def _listed_id(self, image_id: Any) -> Any:
        """The listed id of an image; the id itself where the list does not hold it."""
        entry = self.images.find(image_id) if self.images else None
        return image_id if entry is None else entry["id"]


def not_listed(where: str, image_id: Any) -> BPRError:
    """The error to raise for the record ``where``, whose image the images list does not hold."""
    wanted, remedy = "expected an image of the images list", "add the image to it or leave the record out"
    return BPRError(f"{where}: image_id: {wanted}, got {shown(image_id)}; {remedy}")


@dataclass(frozen=True)
class Target:
    """How ``bpr convert`` writes a format, and its requirements for every record.

    Attributes:
        write: writes the records to a new file or folder.
        category: whether a class must be a whole number or may also be a string; None where no class is written.
        score: whether every record needs a score or may have one; None where no score is written.
        empty: whether a mask without foreground can be written; where not, it is left out and counted.
        folder_beside: the folder that is replaced together with the output file; None if there is none.
    """

    write: Callable[[RecordSet, Path], None]
    category: Literal["number", "number or text"] | None = "number"
    score: Literal["needed", "possible"] | None = None
    empty: bool = True
    folder_beside: Callable[[Path], Path] | None = None


@dataclass(frozen=True)
class Format:
    """Everything that the package knows about one results format.

    Attributes:
        name: the value of ``--format`` and ``--to``.
        description: one line that describes the format in help and documentation.
        path_kind: the kind of path that holds the masks.
        signature: how an error message describes the content by which the format is recognised.
        recognises: whether a path of this kind holds the format.
        read: the masks of a path; the second argument gives the images, for formats that need their sizes.
        precedence: of several formats that recognise a path, those of the highest precedence remain; the order of
            the registry does not matter.
        images_beside: the folder in which users of this format keep the images, found from the path of the masks;
            None where the path does not tell.
        exclusive: the masks of an image do not overlap, and must not after refinement.
        guessed: the format is only inferred from the masks themselves, so the user is told which one was chosen.
        ids_are_stems: the image ids are the stems of files, and not the ids of an images list.
        polygons: masks can be written as polygons, so that ``--polygons`` has a meaning.
        by_window: its images are windows of one raster (:mod:`bpr.raster`), which only refining knows.
        certain_without_score: ``bpr report`` takes a record without a score as certain; else it refuses the record.
        target: how ``bpr convert`` writes the format; None if it cannot.
    """

    name: str
    description: str
    path_kind: PathKind
    signature: str
    recognises: Callable[[Candidate], bool]
    read: Callable[[Candidate, Callable[[], ImageFinder]], Source]
    precedence: int = 0
    images_beside: Callable[[Path], Path | None] | None = None
    exclusive: bool = False
    guessed: bool = False
    ids_are_stems: bool = True
    polygons: bool = False
    by_window: bool = False
    certain_without_score: bool = True
    target: Target | None = None
