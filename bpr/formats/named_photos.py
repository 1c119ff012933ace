"""The photos that annotation tools name: by paths on another machine, by addresses, with prefixes of an upload."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from bpr.errors import BadImage
from bpr.io.files import files_below
from bpr.io.image_finder import ImageFinder, ImageFolder
from bpr.io.image_header import Frame
from bpr.io.image_list import SUFFIXES, NamedPhoto
from bpr.io.images import read_image
from bpr.limits import frame_from


class Photos:
    """The images list of a tool's file, made of the names that it holds.

    An image's id is its file below the folder of the images, without the ending; with it where that is not unique.

    Args:
        images: gives access to the folder of the images.
    """

    def __init__(self, images: Callable[[], ImageFinder]) -> None:
        self._finder = images()
        self._folder = self._finder.folder if isinstance(self._finder, ImageFolder) else None
        self._images: dict[tuple[str, str], NamedPhoto] = {}
        self._ids: set[str] = set()
        self._read_frame = cache(self._frame_of_photo)

    def add(self, names: Iterable[str], height: object, width: object, embedded: bool = False) -> tuple[str, Frame | None]:
        """Add an image to the list, and return its id and the size of its masks.

        Args:
            names: what the image may be called, the best first. The end of a name that leads to a file counts: of
                ``C:/scans/monday/a.jpg`` the folder of the images may hold ``monday/a.jpg`` or ``a.jpg``.
            height, width: what the file states. Where these are no sides of an image, the photo is read; where it
                cannot be, the size is None, and the run reports the photo when it comes to this image.
            embedded: the tool's file holds the photo itself.
        """
        listed = [_inner_parts(name) for name in names]
        file = self._find(listed)
        frame = frame_from(height, width) or self._read_frame(file)
        # A name that the file's whole path ends with is the file's own; any other is a guess, and an image of its own.
        name = "" if self._is_own(file, listed[0] if listed else []) else "/".join(listed[0])
        if (file, name) not in self._images:
            stem = Path(file).with_suffix("").as_posix()
            image_id = next(free for free in (stem, file, name, f"{file} of {name}") if free not in self._ids)
            self._ids.add(image_id)
            size = {"height": frame[0], "width": frame[1]} if frame else {}
            self._images[file, name] = NamedPhoto({"id": image_id, "file_name": file, **size}, embedded=embedded)
        return self._images[file, name]["id"], frame

    @property
    def entries(self) -> list[dict[str, Any]]:
        """The images list: id, file_name, and height and width where they are known.

        Of several names that lead to one file only its own keeps it. The other images keep their names, which no file has.
        """
        names: dict[str, list[str]] = {}
        for file, name in self._images:
            names.setdefault(file, []).append(name)
        return [
            NamedPhoto({**entry, "file_name": name}, only_as_listed=True, embedded=entry.embedded)
            if name and len(names[file]) > 1
            else entry
            for (file, name), entry in self._images.items()
        ]

    def _is_own(self, file: str, parts: list[str]) -> bool:
        """Whether the whole path of a file ends with these parts; a single image is that of every name."""
        if self._folder is None:
            return True
        whole = self._folder.absolute().joinpath(file).parts
        return not parts or whole[-len(parts) :] == tuple(parts)

    def _frame_of_photo(self, file: str) -> Frame | None:
        try:
            height, width, _ = read_image(self._folder / file if self._folder else self._finder.path(file)).shape
        except BadImage:
            return None
        return height, width

    def _find(self, names: list[list[str]]) -> str:
        """The file below the folder of the images, or the last part of the first name where there is none."""
        if self._folder:
            for parts in names:
                for start in range(len(parts)):
                    if os.path.isfile(self._folder.joinpath(*parts[start:])):  # Path.is_file refuses a name that is too long
                        return "/".join(parts[start:])
            for parts in names:
                files = self._by_name.get(parts[-1], []) if parts else []
                if len(files) == 1:
                    return files[0]
        return next((parts[-1] for parts in names if parts), "unnamed")

    @cached_property
    def _by_name(self) -> dict[str, list[str]]:
        """All images of the folder and below by their name alone."""
        found: dict[str, list[str]] = {}
        if self._folder:
            for path in files_below(self._folder, SUFFIXES):
                found.setdefault(path.name, []).append(path.relative_to(self._folder).as_posix())
        return found


def _inner_parts(name: str) -> list[str]:
    """The parts of a path that cannot lead out of a folder.

    >>> _inner_parts("../images/a.jpg"), _inner_parts("C:/data/a.jpg")
    (['images', 'a.jpg'], ['data', 'a.jpg'])
    """
    parts = name.replace("\\", "/").replace("\0", "").split("/")
    return [part for part in parts if part not in ("", ".", "..") and not part.endswith(":")]
