"""The soft edges of a run: a PNG for each refined mask in the folder of the run, and from there to their place."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from bpr.errors import BPRError
from bpr.formats.coco import Record
from bpr.geometry.alpha import trimap_of
from bpr.io.files import check_writable, inside
from bpr.io.folders import atomic_folder, check_replaceable
from bpr.io.image_list import SUFFIXES, stem_of
from bpr.io.mask_picture import check_mask_name, write_mask_picture
from bpr.io.png import read_labels, write_png

COMMAND = "bpr refine"


class AlphaFiles:
    """Alphas in a folder: ``IMAGE.png`` where an image has one record, else ``IMAGE/POSITION.png``.

    IMAGE is the id of the image, or the name of its file without ending; POSITION is that of the record in the results.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, record: Record, index: int, alone: bool, alpha: np.ndarray) -> None:
        """Write the alpha of a record.

        Args:
            index: the record's position in the results.
            alone: it is the only one of its image.
            alpha: (H, W) uint8.

        Raises:
            BPRError: the image's id would lead out of the folder.
        """
        stem = stem_of(str(record["image_id"]))
        path = inside(self.folder, f"{stem}.png" if alone else f"{stem}/{index}.png", "image_id")
        path.parent.mkdir(parents=True, exist_ok=True)
        write_png(path, alpha)

    def write(self, out: Path, as_trimaps: bool) -> None:
        """Copy all alphas to a folder, or the only one to a picture, or write their trimaps there."""
        files = sorted(self.folder.rglob("*.png"))
        if is_picture_name(out):
            for file in files:
                numbers = read_labels(file)[0]
                write_mask_picture(out, trimap_of(numbers) if as_trimaps else numbers)
            return
        with atomic_folder(out, COMMAND) as folder:
            for file in files:
                target = folder / file.relative_to(self.folder)
                target.parent.mkdir(parents=True, exist_ok=True)
                if as_trimaps:
                    write_png(target, trimap_of(read_labels(file)[0]))
                else:
                    shutil.copyfile(file, target)


def is_picture_name(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES


def check_place(option: str, path: Path, records: int) -> None:
    """Raise a BPRError, before the work, if the alphas of so many records could not be written there."""
    if not is_picture_name(path):
        check_replaceable(path, COMMAND)
        return
    if records != 1:
        raise BPRError(f"{option}: expected a folder for {records} masks, got the picture {path}; leave its ending out")
    check_mask_name(path)
    check_writable(path)
