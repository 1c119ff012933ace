"""From ``image_id`` to pixels: through an annotation file or an image folder."""

from __future__ import annotations

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
        return {entry["id"]: self.folder / entry["file_name"] for entry in entries}

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
            BadImage: unknown id.
        """
        try:
            return self._paths[image_id]
        except (KeyError, TypeError):
            raise BadImage(f"image_id {image_id!r}: not in the annotation file or image folder {self.folder}") from None


def read_image(path: str | Path) -> np.ndarray:
    """Decode an image file into (H, W, 3) uint8 RGB, turned as its EXIF tag says.

    Raises:
        BadImage: missing or undecodable.
    """
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise BadImage(f"{path}: cannot read the image ({error.strerror})") from None
    image = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB) if data.size else None
    if image is None:
        raise BadImage(f"{path}: not an image that OpenCV can decode")
    return image
