"""The images list of an annotation file: which of its images an ``image_id`` means, and how large that image is."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

from bpr.limits import frame_from, is_id, whole

CITYSCAPES_ENDING = "_leftImg8bit"
"""The end of the stem of every Cityscapes image, which other files about the same image do not repeat."""
SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"}
"""Endings of the files that are taken for images."""

NUMBER = re.compile(r"0|-?[1-9][0-9]*")
"""How a number is spelled: ``01`` is a name."""

Entry = dict[str, Any]
"""One image of the list: id, file_name (in LVIS coco_url), height, width."""


class NamedPhoto(Entry):
    """An image that an annotation tool names, and what is no part of its entry where that is written.

    Attributes:
        only_as_listed: no file is taken for it but the one that is listed, as others are called like it too.
        embedded: the tool's file holds the photo itself, which is not read.
    """

    def __init__(self, entry: Entry, only_as_listed: bool = False, embedded: bool = False) -> None:
        super().__init__(entry)
        self.only_as_listed, self.embedded = only_as_listed, embedded


class ImageList:
    """The one rule by which an ``image_id`` means an image of a list.

    An id of the list means itself. Another id can only be spelled differently: where every listed id is a number, a
    text means the number that it spells (``"1"``) or the file that has this name (``"sub/q.jpg"``, ``"q"``); where
    every listed id is a text, a number means the text that spells it. Nothing else is in the list, whatever files
    there are.

    Args:
        entries: the list.
        stems: the ids are the stems of files, as in folders of masks, so that they are compared with names first.

    >>> images = ImageList([{"id": 0, "file_name": "1.png"}, {"id": 1, "file_name": "sub/two.png"}])
    >>> [images.id_of(image_id) for image_id in (1, "1", "two", "sub/two.png", "2", 2, "01")]
    [1, 1, 1, 1, None, None, None]
    >>> ImageList(images.entries, stems=True).id_of("1")
    0
    """

    def __init__(self, entries: Iterable[Entry], stems: bool = False) -> None:
        self.entries = list(entries)
        self._by_id = {entry["id"]: entry for entry in self.entries}
        self._stems = stems

    def find(self, image_id: Any) -> Entry | None:
        """The image that an id means; None where the list has none."""
        if not is_id(image_id):
            return None
        if self._stems:
            return self._by_name.get(image_id) or self._by_id.get(image_id)
        if image_id in self._by_id:
            return self._by_id[image_id]
        is_text = isinstance(image_id, str)
        if is_text in self._texts:
            return None
        if is_text and not NUMBER.fullmatch(image_id):
            return self._by_name.get(image_id)
        return self._by_spelling.get(image_id if is_text else str(whole(image_id)))

    def id_of(self, image_id: Any) -> Any:
        """The listed id that an id means; None where the list has none."""
        entry = self.find(image_id)
        return None if entry is None else entry["id"]

    def frame(self, image_id: Any) -> tuple[int, int] | None:
        """(H, W) that the list states for an image; None where it states no size or one that no image has."""
        entry = self.find(image_id) or {}
        return frame_from(entry.get("height"), entry.get("width"))

    @cached_property
    def _texts(self) -> set[bool]:
        """Whether the listed ids are texts."""
        return {isinstance(image_id, str) for image_id in self._by_id}

    @cached_property
    def _by_spelling(self) -> dict[str, Entry]:
        return {key if isinstance(key, str) else str(whole(key)): entry for key, entry in self._by_id.items()}

    @cached_property
    def _by_name(self) -> dict[str, Entry]:
        """The images by all names that may mean them; names that several images share are left out."""
        owners: dict[str, list[Entry]] = {}
        for entry in self.entries:
            for name in names_of(file_name(entry)) if {"file_name", "coco_url"} & entry.keys() else ():
                owners.setdefault(name, []).append(entry)
        return {name: entries[0] for name, entries in owners.items() if len(entries) == 1}


def names_of(path: Any) -> set[str]:
    """The names by which an image's file is called: with its folder or without, with its ending or without.

    >>> sorted(names_of("ulm/a_leftImg8bit.png"))
    ['a', 'a_leftImg8bit', 'a_leftImg8bit.png', 'ulm/a_leftImg8bit', 'ulm/a_leftImg8bit.png']
    """
    file = PurePosixPath(path if isinstance(path, str) else "")
    if not file.name:
        return set()
    return {path, file.name, file.with_suffix("").as_posix(), file.stem, file.stem.removesuffix(CITYSCAPES_ENDING)}


def stem_of(name: str) -> str:
    """The name of an image's file without its ending; any other name as it is.

    >>> stem_of("sub/q.jpg"), stem_of("frame.0001"), stem_of("frame.0001.PNG")
    ('sub/q', 'frame.0001', 'frame.0001')
    """
    suffix = PurePosixPath(name).suffix
    return name.removesuffix(suffix) if suffix.lower() in SUFFIXES else name


def file_name(entry: Entry) -> Any:
    """The file name in an entry of an images list: ``file_name``, or the end of LVIS's ``coco_url``.

    >>> file_name({"id": 1, "coco_url": "http://images.cocodataset.org/val2017/000000397133.jpg"})
    'val2017/000000397133.jpg'
    """
    return entry["file_name"] if "file_name" in entry else "/".join(str(entry["coco_url"]).split("/")[-2:])


def spread(items: list[Any], most: int | None) -> list[Any]:
    """At most ``most`` of the items, evenly spread.

    >>> spread([0, 1, 2, 3, 4, 5], 3)
    [0, 2, 4]
    """
    if most is None or most >= len(items):
        return items
    return [items[index * len(items) // most] for index in range(most)]
