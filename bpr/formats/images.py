"""From ``image_id`` to pixels: through an annotation file or an image folder."""

from __future__ import annotations

import os.path
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from bpr.errors import BadImage, BPRError

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"}


class ImageFolder:
    """Finds the file of an ``image_id``.

    With the ``images`` list of an annotation file the id names an entry, whose ``file_name`` lies in the folder.
    Without one, the id is a file's stem: as it stands, or as the number that the stem spells
    (``139`` finds ``000000000139.jpg``).

    Raises:
        BPRError: the folder does not exist.
    """

    def __init__(self, folder: str | Path, entries: list[dict[str, Any]] | None = None) -> None:
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise BPRError(f"{folder}: no such folder; expected the folder of the images (--img-dir)")
        self._paths = self._from_folder() if entries is None else self._from_entries(entries)

    def _from_entries(self, entries: list[dict[str, Any]]) -> dict[Any, Path]:
        paths: dict[Any, Path] = {}
        for entry in entries:
            path = self.folder / entry["file_name"]
            if paths.setdefault(entry["id"], path) != path:
                raise BPRError(f"images: id {entry['id']!r} names both {paths[entry['id']]} and {path}; give every image an id of its own")
        return paths

    def _from_folder(self) -> dict[Any, Path]:
        paths: dict[Any, Path] = {}
        for path in sorted(self.folder.iterdir()):
            if path.suffix.lower() in SUFFIXES:
                paths.setdefault(path.stem, path)
                if path.stem.isascii() and path.stem.isdigit():
                    paths.setdefault(int(path.stem), path)
        return paths

    def path(self, image_id: Any) -> Path:
        """The file of an image.

        Raises:
            BadImage: unknown id, or a file name that leads out of the folder.
        """
        try:
            path = self._paths[image_id]
        except (KeyError, TypeError):
            raise BadImage(f"image_id {image_id!r}: not in the annotation file or image folder {self.folder}") from None
        if Path(os.path.relpath(path, self.folder)).parts[:1] == (os.pardir,):
            raise BadImage(f"{path}: expected a file inside {self.folder}, got a name that leads out of it; mend its file_name")
        return path


def read_image(path: str | Path, frame: tuple[int, int] | None = None) -> np.ndarray:
    """Decode an image file into (H, W, 3) uint8 RGB.

    A photo is turned as its EXIF tag says, as viewers and most detectors do. 16 bits become 8 by dividing by 256, grey
    and CMYK become RGB, transparency is dropped.

    Args:
        frame: (H, W) of its masks. Where only the photo as it is stored has this size, its detector did not turn it,
            and neither do we.

    Raises:
        BadImage: missing or undecodable.
    """
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise BadImage(f"{path}: cannot read the image ({error.strerror})") from None
    image = _decoded(data)
    if image is None:
        raise BadImage(f"{path}: not an image that OpenCV can decode")
    if frame is not None and image.shape[:2] != tuple(frame) == image.shape[1::-1]:
        stored = _decoded(data, cv2.IMREAD_IGNORE_ORIENTATION)
        return stored if stored is not None and stored.shape[:2] == tuple(frame) else image
    return image


def _decoded(data: np.ndarray, flags: int = 0) -> np.ndarray | None:
    try:
        return cv2.imdecode(data, cv2.IMREAD_COLOR_RGB | flags) if data.size else None
    except cv2.error:  # what is larger than OpenCV's limits raises, what is broken does not
        return None
