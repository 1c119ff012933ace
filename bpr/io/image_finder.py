"""From an ``image_id`` to the image's file."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol
from unicodedata import normalize
from urllib.parse import unquote

from bpr.errors import BadImage, BPRError, shown
from bpr.io.files import files_below, inside, own_file
from bpr.io.image_list import CITYSCAPES_ENDING, SUFFIXES, ImageList, NamedPhoto, file_name, names_of
from bpr.limits import is_id


class ImageFinder(Protocol):
    """Finds the image of an ``image_id``."""

    def path(self, image_id: Any) -> Path:
        """The file of an image.

        Raises:
            BadImage: there is none, it is not clear which one, or it is a link out of the folder.
        """
        ...

    def frame(self, image_id: Any) -> tuple[int, int] | None:
        """(H, W) of the image for which its polygons were drawn, where an images list states it."""
        ...


@dataclass(frozen=True)
class OneImage:
    """The finder of a run on a single image; every id means this image.

    Attributes:
        images: the images list, which may state the size of the image; None where there is none.
    """

    file: Path
    images: ImageList | None = None

    def path(self, image_id: Any) -> Path:
        return self.file

    def frame(self, image_id: Any) -> tuple[int, int] | None:
        return self.images.frame(image_id) if self.images else None


class ImageFolder:
    """Finds the file of an ``image_id``.

    With the ``images`` list of an annotation file, the list alone decides (:class:`~bpr.io.image_list.ImageList`), and
    its entry names the file (``file_name``; in LVIS the end of ``coco_url``).

    Without a list, the id is compared with the names of all image files in the folder and below. It may be the stem
    itself, the number that the stem spells (``139`` finds ``000000000139.jpg``), the path below the folder
    (``bear/00000``), the stem without Cityscapes' ending ``_leftImg8bit``, or one of them with the file's ending. Where
    several files match, the one that lies directly in the folder is meant; if none does, or several do, the id is
    ambiguous.

    With a list, such a comparison takes place only where an id is a stem for certain: in formats whose ids are stems,
    and where the listed file is missing and is called so.

    Args:
        entries: the ``images`` list; None where there is none. An empty list means that no number is a known image.
        stems: the ids are the stems of files.

    Raises:
        BPRError: the folder does not exist, or a file name leads out of it.
    """

    def __init__(self, folder: str | Path, entries: Iterable[dict[str, Any]] | None = None, stems: bool = False) -> None:
        self.folder = Path(folder)
        if not self.folder.is_dir():
            got = "a file" if self.folder.exists() else "no such folder"
            raise BPRError(f"{folder}: expected the folder of the images (--img-dir), got {got}")
        self.images = None if entries is None else ImageList(entries, stems)
        self._stems = stems
        for entry in self.images.entries if self.images else []:
            inside(self.folder, file_name(entry), "images list")

    @cached_property
    def _files(self) -> dict[Any, list[Path]]:
        """Image files by everything an id may call them; several files under one name mean that it is ambiguous."""
        found: dict[Any, list[Path]] = {}
        for path in sorted(files_below(self.folder, SUFFIXES), key=lambda path: (len(path.parts), path)):
            names = names_of(path.relative_to(self.folder).as_posix())
            numbers = {int(name) for name in names if name.isascii() and name.isdigit()}
            for name in {normalize("NFC", name) for name in names} | numbers:
                files = found.setdefault(name, [])
                if not files or path.parent == self.folder or files[0].parent != self.folder:
                    files.append(path)
        return found

    def path(self, image_id: Any) -> Path:
        path = self._find(image_id) if is_id(image_id) else None
        if path is None:
            raise BadImage(f"image_id {shown(image_id)}: not in the annotation file or image folder {self.folder}{self._links}")
        if not path.exists():
            entry = self.images.find(image_id) if self.images else None
            if isinstance(entry, NamedPhoto) and entry.embedded:
                got = "got only imageData, which is not read"
                raise BadImage(f"{path}: expected the photo as a file, {got}; save it there, or give --img-dir")
            if path.is_symlink():
                raise BadImage(f"{path}: expected an image, got a link to a missing file; mend the link or copy the file")
        try:
            return own_file(self.folder, path)
        except BPRError as error:
            raise BadImage(str(error)) from None

    def frame(self, image_id: Any) -> tuple[int, int] | None:
        return self.images.frame(image_id) if self.images else None

    def _find(self, image_id: Any) -> Path | None:
        """The file that the list names, or else the one that has the id as its name; None if there is neither."""
        entry = self.images.find(image_id) if self.images else None
        listed = None if entry is None else self._listed(entry)
        if listed is not None and listed.is_file():
            return listed
        if self.images and (not self._is_stem(image_id, listed) or (isinstance(entry, NamedPhoto) and entry.only_as_listed)):
            return listed
        names = spellings(image_id) if isinstance(image_id, str) else [image_id]
        files = next((self._files[name] for name in names if name in self._files), [])
        if len(files) > 1:
            wanted = f"expected one file of that name, got {files[0]} and {files[1]}"
            raise BadImage(f"image_id {shown(image_id)}: {wanted}; it is not clear which one is meant")
        return files[0] if files else listed

    def _listed(self, entry: dict[str, Any]) -> Path:
        """The file that an entry of the list names, whether it exists or not."""
        name = file_name(entry)
        listed = inside(self.folder, name, "images list")
        for spelling in spellings(name) if not listed.is_file() else ():
            with suppress(BPRError):  # a spelling may lead out of the folder
                other = inside(self.folder, spelling, "images list")
                if other.is_file():
                    listed = other
                    break
        bare = "file_name" not in entry and not listed.is_file()
        return self.folder / listed.name if bare else listed

    @cached_property
    def _links(self) -> str:
        """The end of a message about a missing image, where links may be the reason."""
        for root, folders, _ in os.walk(self.folder):
            for name in sorted(folders):
                link = Path(root, name)
                if link.is_symlink():
                    return f"; {link} is a link to a folder, which is not followed: name the folder or copy it"
        return ""

    def _is_stem(self, image_id: Any, listed: Path | None) -> bool:
        """Whether an id is the stem of its file, although the list does not name an existing one.

        In Cityscapes' panoptic files, the listed names hold the id and an ending that no photo has.
        """
        if listed is None or self._stems:
            return self._stems
        return listed.stem.removesuffix(CITYSCAPES_ENDING).removesuffix("_gtFine") == image_id


def spellings(name: str) -> list[str]:
    """How a file may be called if not as it is written: with the separators of Windows, with escapes of an address, and
    with accents as code points of their own or not.

    >>> spellings("set\\\\my%20photo.jpg")
    ['set\\\\my%20photo.jpg', 'set/my%20photo.jpg', 'set\\\\my photo.jpg', 'set/my photo.jpg']
    """
    plain = [name, name.replace("\\", "/")]
    plain += [unquote(one) for one in plain]
    return list(dict.fromkeys([*plain, *(normalize(form, one) for form in ("NFC", "NFD") for one in plain)]))


def existing(path: Path) -> Path:
    """The file of a listed image, which has to exist.

    Raises:
        BadImage: there is no such file.
    """
    if not path.exists():
        raise BadImage(f"{path}: no such image; file names of the images list begin in the folder of --img-dir")
    return path
