"""From ``image_id`` to pixels: through an annotation file or an image folder."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from bpr.errors import BadImage, BPRError, shown
from bpr.io.files import inside, own_file, read_whole
from bpr.io.image_header import stated_frame
from bpr.limits import LARGEST_FRAME, is_frame, is_full, is_id

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"}


class ImageFinder(Protocol):
    """Knows the image file of an ``image_id``."""

    def path(self, image_id: Any) -> Path:
        """The file; a :class:`BadImage` says that there is none."""
        ...


@dataclass(frozen=True)
class OneImage:
    """The finder of a run on a single image, whatever its id."""

    file: Path

    def path(self, image_id: Any) -> Path:
        return self.file


class ImageFolder:
    """Finds the file of an ``image_id``.

    With the ``images`` list of an annotation file the id names an entry, whose ``file_name`` lies in the folder (LVIS
    names it by the end of ``coco_url``). Without one, or when that file is missing and the id is a text, the id is a
    file's stem: as it stands, as the number that the stem spells (``139`` finds ``000000000139.jpg``), as the path from
    the folder (``bear/00000``), or without Cityscapes' ending (``_leftImg8bit``), wherever below the folder the file lies;
    two such files are ambiguous, but where one of them lies at the top.

    Raises:
        BPRError: the folder does not exist, or a file name leads out of it.
    """

    def __init__(self, folder: str | Path, entries: list[dict[str, Any]] | None = None) -> None:
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise BPRError(f"{folder}: no such folder; expected the folder of the images (--img-dir)")
        self._listed = entries is not None
        self._entries = {entry["id"]: entry for entry in entries or []}
        for entry in self._entries.values():
            inside(self.folder, file_name(entry), "images list")

    def _entry_path(self, entry: dict[str, Any]) -> Path:
        path = inside(self.folder, file_name(entry), "images list")
        return path if "file_name" in entry or path.is_file() else self.folder / path.name

    @cached_property
    def _stems(self) -> dict[Any, list[Path]]:
        """Files by stem, those nearest to the top first; several where it cannot be told which of them is meant."""
        found: dict[Any, list[Path]] = {}
        images = [path for path in self.folder.rglob("*") if path.suffix.lower() in SUFFIXES]
        for path in sorted(images, key=lambda path: (len(path.parts), path)):
            below = path.relative_to(self.folder).with_suffix("").as_posix()
            names = {below, path.stem, path.stem.removesuffix("_leftImg8bit")}
            numbers = {int(name) for name in names if name.isascii() and name.isdigit()}
            for name in names | numbers:
                files = found.setdefault(name, [])
                if not files or path.parent == self.folder or files[0].parent != self.folder:
                    files.append(path)
        return found

    def path(self, image_id: Any) -> Path:
        """The file of an image.

        Raises:
            BadImage: unknown id, the name of several files, or a link out of the folder.
        """
        path = self._known(image_id) if is_id(image_id) else None
        if path is None:
            raise BadImage(f"image_id {shown(image_id)}: not in the annotation file or image folder {self.folder}")
        try:
            return own_file(self.folder, path)
        except BPRError as error:
            raise BadImage(str(error)) from None

    def _known(self, image_id: Any) -> Path | None:
        path = self._entry_path(self._entries[image_id]) if image_id in self._entries else None
        by_stem = isinstance(image_id, str) or not self._listed
        return self._by_stem(image_id) or path if by_stem and not (path and path.is_file()) else path

    def _by_stem(self, image_id: Any) -> Path | None:
        files = self._stems.get(image_id, [])
        if len(files) > 1:
            names = f"{files[0]} and {files[1]}"
            raise BadImage(f"image_id {shown(image_id)}: expected one file of that name, got {names}; which is meant cannot be told")
        return files[0] if files else None


def file_name(entry: dict[str, Any]) -> Any:
    """What an entry of an images list calls its file: ``file_name``, or the end of LVIS's ``coco_url``.

    >>> file_name({"id": 1, "coco_url": "http://images.cocodataset.org/val2017/000000397133.jpg"})
    'val2017/000000397133.jpg'
    """
    return entry["file_name"] if "file_name" in entry else "/".join(str(entry["coco_url"]).split("/")[-2:])


def read_image(path: str | Path, frame: tuple[int, int] | None = None) -> np.ndarray:
    """Decode an image file into (H, W, 3) uint8 RGB.

    A photo is turned as its EXIF tag says, as viewers and most detectors do. 16 bits become 8 by dividing by 256, grey
    and CMYK become RGB, transparency is dropped.

    Args:
        frame: (H, W) of its masks. Where only the photo as it is stored has this size, its detector did not turn it,
            and neither do we.

    Raises:
        BadImage: missing, undecodable, or beyond the limits of :mod:`bpr.limits`.
    """
    try:
        content = read_whole(path)
    except OSError as error:
        raise BadImage(f"{path}: cannot read the image ({error.strerror})") from None
    return decode_image(content, path, frame)


def decode_image(content: bytes, path: str | Path, frame: tuple[int, int] | None = None) -> np.ndarray:
    """:func:`read_image` of a file's bytes; ``path`` is what errors call it."""
    check_size(content, path)
    data = np.frombuffer(content, np.uint8)
    image = _decoded(data)
    if image is None:
        raise BadImage(f"{path}: not an image that OpenCV can decode")
    if frame is not None and image.shape[:2] != tuple(frame) == image.shape[1::-1]:
        stored = _decoded(data, cv2.IMREAD_IGNORE_ORIENTATION)
        return stored if stored is not None and stored.shape[:2] == tuple(frame) else image
    return image


def check_size(content: bytes, path: str | Path) -> None:
    """Raise a BadImage where a file says that it holds more pixels than anybody has, or than its bytes can spell."""
    size = stated_frame(content)
    if size is None:
        raise BadImage(f"{path}: not an image that OpenCV can decode; expected PNG, JPEG, WebP, BMP or TIFF")
    if not is_frame(*size):
        raise BadImage(f"{path}: expected an image of 1..{LARGEST_FRAME} pixels, got {size[1]}x{size[0]}; cut it into tiles")
    if not is_full(*size, len(content)):
        raise BadImage(f"{path}: expected an image of {size[1]}x{size[0]} pixels, got {len(content)} bytes, which cannot hold it")


def _decoded(data: np.ndarray, flags: int = 0) -> np.ndarray | None:
    try:
        return cv2.imdecode(data, cv2.IMREAD_COLOR_RGB | flags)
    except cv2.error:  # what is larger than OpenCV's limits raises, what is broken does not
        return None
