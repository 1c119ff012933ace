"""The interface between a format and the refinement: masks as records, and a way to write them back."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import count, islice
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np

from bpr.errors import amount
from bpr.formats.polygons import PolygonWriter
from bpr.io.folders import atomic_folder
from bpr.io.image_finder import ImageFinder
from bpr.io.kept_text import KeptText, Places, as_in
from bpr.io.record_file import Record, called

Item = TypeVar("Item")


class Source(ABC):
    """The masks of one file or folder.

    Attributes:
        format: the format's name, a key of :data:`bpr.formats.registry.FORMATS`, which whoever opens the source puts here.
        path: what was read, a file or a folder.
        records: one record per mask, in COCO's form: image_id, category_id, segmentation, score, and the format's own
            keys. A record may be read from the file each time it is asked for.
        left_out: positions, in the file's list, of the items that are not among the records, by the kind of item.
        entries: the format's own images list (id, file_name, ...); None where it has none.
        document: the masks as a COCO annotation file, where they are ground truth in a format of its own; else None.
        categories: the format's own list of classes (id, name, ...); None where it has none.
        notes: lines for the user about what is unusual in the file.
        image_ids: the ids of all images of a format without an images list, also of those without records.
        windows: the images of a format whose images are windows of one raster; None for all others.
        ranks: (N,) of such a format: an order of the records that does not depend on the windows.
        polygons: writes the masks that become polygons; whoever opens the source may put another one here.
    """

    format: str
    path: Path
    records: Sequence[Record]
    left_out: Mapping[str, Sequence[int]] = MappingProxyType({})
    entries: list[dict[str, Any]] | None = None
    document: dict[str, Any] | None = None
    categories: list[dict[str, Any]] | None = None
    notes: Sequence[str] = ()
    image_ids: Sequence[str] = ()
    windows: ImageFinder | None = None
    ranks: np.ndarray

    @property
    def left_out_lines(self) -> list[str]:
        """A line for each kind of item that is not among the records."""
        return left_out_lines(self.left_out, len(self.records) + sum(map(len, self.left_out.values())))

    def name_of(self, file: Path) -> str:
        """What the image of a file is called: the path below the folder without the ending, or the stem of a single file."""
        return file.stem if file == self.path else file.relative_to(self.path).with_suffix("").as_posix()

    @cached_property
    def polygons(self) -> PolygonWriter:
        return PolygonWriter()

    def folder(self, out: Path) -> Path | None:
        """The folder that :meth:`write` replaces, so that it can be checked before hours of work; None for a file."""
        return out if self.path.is_dir() else None

    @abstractmethod
    def write(self, refined: Iterable[Record], out: Path) -> None:
        """Write the masks to ``out`` in the format they came in.

        Args:
            refined: the records in their order, with their new masks; they are iterated once.
        """

    def put_back(self, earlier: Source, positions: Container[int], out: Path) -> None:
        """Write the masks to ``out``, some of them as they are in an earlier version of the same file or folder.

        Args:
            positions: which records these are.
        """
        pairs = enumerate(zip(self.records, earlier.records, strict=True))
        self.write((old if index in positions else new for index, (new, old) in pairs), out)

    @property
    def digest(self) -> str:
        """The SHA-256 of the masks, by which a later command knows them again."""
        found = hashlib.sha256()
        for record in self.records:
            found.update(json.dumps(record).encode())
        return found.hexdigest()


class TextSource(Source):
    """Masks in text files, in which only the places of changed masks are written anew.

    Attributes:
        texts: the files.
    """

    texts: Sequence[KeptText]

    @abstractmethod
    def change(self, position: int, refined: Record) -> Any:
        """The new value of the shape at a position among the records; None or empty where the shape is to stay."""

    @abstractmethod
    def places(self, values: Mapping[int, Any]) -> Iterable[Places]:
        """For each file where the shapes of some records stand.

        Args:
            values: their new values, by their positions; None where only the places are asked for.
        """

    def is_same(self, record: Record, refined: Record) -> bool:
        """Whether a shape is to stay, byte for byte, because its mask did not change."""
        return bool(record["segmentation"] == refined["segmentation"])

    def save_others(self, target: Callable[[Path], Path]) -> None:
        """Write the files of a folder that hold no masks.

        Args:
            target: as :func:`written_like` gives it.
        """

    def save(self, places: Iterable[Places], out: Path) -> None:
        """Write all files to ``out``, with other bytes in the places of each."""
        with written_like(self.path, out) as target:
            for text, of_text in zip(self.texts, places, strict=True):
                text.write(of_text, target(text.path))
            self.save_others(target)

    def write(self, refined: Iterable[Record], out: Path) -> None:
        """Write everything, byte for byte, but for the shapes of changed masks."""
        values = {}
        for position, (old, record) in enumerate(zip(self.records, refined, strict=True)):
            if not self.is_same(old, record) and (value := self.change(position, record)):
                values[position] = value
        self.save(self.places(values), out)

    def put_back(self, earlier: Source, positions: Container[int], out: Path) -> None:
        """As for every source; every shape has the bytes of one of the two versions."""
        assert isinstance(earlier, TextSource)
        chosen = dict.fromkeys(position for position in range(len(self.records)) if position in positions)
        found = zip(earlier.texts, earlier.places(chosen), self.places(chosen), strict=True)
        self.save((as_in(*of_text) for of_text in found), out)

    @property
    def digest(self) -> str:
        found = hashlib.sha256()
        for text in self.texts:
            found.update(hashlib.sha256(text.read()).digest())
        return found.hexdigest()


def left_out_lines(left_out: Mapping[str, Sequence[int]], count: int, items: Sequence[Record] = ()) -> list[str]:
    """A line for each kind of annotation that is left out, of ``count`` in all.

    Args:
        items: all annotations, which may have ids.

    >>> left_out_lines({"crowds": [3, 5]}, 9)
    ['left out: 2 of 9 annotations, crowds (first: annotation 3)']
    """
    return [
        f"left out: {len(positions)} of {amount(count, 'annotation')}, {kind} "
        f"(first: {called(items[positions[0]] if items else {}, positions[0], 'annotation')})"
        for kind, positions in left_out.items()
    ]


def in_groups(items: Iterable[Item], sizes: Iterable[int]) -> Iterator[list[Item]]:
    """What belongs to one file after the other: consecutive groups of ``sizes`` items each.

    >>> list(in_groups("abc", [2, 0, 1]))
    [['a', 'b'], [], ['c']]
    """
    rest = iter(items)
    return (list(islice(rest, size)) for size in sizes)


def in_each_file(values: Mapping[int, Item], sizes: Iterable[int]) -> Iterator[dict[int, Item]]:
    """The values of one file after the other by their positions in it; the files hold ``sizes`` items each.

    >>> list(in_each_file({0: "a", 3: "b"}, [2, 0, 2]))
    [{0: 'a'}, {}, {1: 'b'}]
    """
    groups = in_groups(count(), sizes)
    return ({place: values[index] for place, index in enumerate(group) if index in values} for group in groups)


@contextmanager
def written_like(path: Path, out: Path) -> Iterator[Callable[[Path], Path]]:
    """From a file to where its new version goes: a file becomes ``out``, a folder a folder ``out`` of the same names.

    Args:
        path: what was read: a file, or the folder of the files.
    """
    if path.is_dir():
        with atomic_folder(out, "bpr refine") as folder:
            yield lambda file: folder / file.relative_to(path)
    else:
        yield lambda file: out
