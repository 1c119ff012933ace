"""Label PNGs <-> records: one image's classes, objects or single mask as the numbers of a grey or palette PNG."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from bpr.errors import BPRError
from bpr.formats.coco import Record
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import decode_mask, encode_mask
from bpr.io.files import inside, own_file
from bpr.io.folders import atomic_folder
from bpr.io.png import read_labels, write_png

BACKGROUND, IGNORED = 0, 255
ENDINGS = ("_labelIds", "_labelTrainIds", "_gtFine", "_pred", "_mask", "_leftImg8bit")


class LabelPngs:
    """A PNG, or a folder of them, whose every number is a class (or object) and one number, ``void``, is none.

    Semantic maps have void 255; masks have void 0: one object per number, and a PNG without any is one empty mask. The
    image's id is the file's path in the folder without the usual endings (``_labelIds``, ``_mask``, ...).
    """

    exclusive = True
    left_out: Mapping[str, Sequence[int]] = {}
    entries = None

    def __init__(self, path: Path, void: int) -> None:
        self._path, self._void = path, void
        self.format = "masks" if void == BACKGROUND else "semantic"
        self._files = sorted(path.rglob("*.png")) if path.is_dir() else [path]
        if not self._files:
            raise BPRError(f"{path}: expected label PNGs, got a folder without any")
        self.records: list[Record] = []
        self._counts = []
        for file in self._files:
            records = self._read(file)
            self.records += records
            self._counts.append(len(records))

    def _read(self, file: Path) -> list[Record]:
        labels, _ = read_labels(own_file(self._path, file) if file != self._path else file)
        numbers = [number for number in np.unique(labels).tolist() if number != self._void]
        if self._void == BACKGROUND and not numbers:
            return [self._record(file, BACKGROUND, np.zeros(labels.shape, bool))]
        return [self._record(file, number, labels == number) for number in numbers]

    def _record(self, file: Path, number: int, mask: np.ndarray) -> Record:
        image_id = file.stem if file == self._path else file.relative_to(self._path).with_suffix("").as_posix()
        for ending in ENDINGS:
            image_id = image_id.removesuffix(ending)
        return {"image_id": image_id, "category_id": number, "segmentation": encode_mask(BoxMask.from_frame(mask))}

    def folder(self, out: Path) -> Path | None:
        return out if self._path.is_dir() else None

    def write(self, refined: Iterable[Record], out: Path) -> None:
        """Write a PNG for a PNG, a folder with the same names for a folder; type and palette stay."""
        if self._path.is_dir():
            with atomic_folder(out, "bpr refine") as folder:
                self._write_all(refined, [folder / file.relative_to(self._path) for file in self._files])
        else:
            self._write_all(refined, [out])

    def _write_all(self, refined: Iterable[Record], targets: Sequence[Path]) -> None:
        left = iter(refined)
        for file, target, count in zip(self._files, targets, self._counts, strict=True):
            labels, palette = read_labels(file)
            painted = np.full_like(labels, self._void)
            for record in islice(left, count):
                painted[decode_mask(record["segmentation"]).to_frame()] = record["category_id"]
            write_png(target, painted, palette)


def write_new(images: Mapping[str, Sequence[Record]], out: Path) -> None:
    """Write the records of every image, by its stem, as one PNG of 1 for the first, 2 for the second, ...; 0 is background.

    Empty masks get no number; where all are empty, the PNG is 0.

    Raises:
        BPRError: masks overlap, or are of different sizes.
    """
    with atomic_folder(out, "bpr convert") as folder:
        for stem, records in images.items():
            if records:
                numbers = number_masks([record for record in records if decode_mask(record["segmentation"]).area] or records, stem)
                write_png(inside(folder, f"{stem}.png", "image_id"), numbers.astype(np.uint8 if len(records) < 256 else np.uint16))


def number_masks(records: Sequence[Record], image: str) -> np.ndarray:
    """(H, W) uint32: 1 where the first of one or more masks lies, 2 where the second does, ..., 0 elsewhere.

    Raises:
        BPRError: masks overlap, or are of different sizes.
    """
    masks = [decode_mask(record["segmentation"]).to_frame() for record in records]
    numbers = np.zeros(masks[0].shape, np.uint32)
    for number, mask in enumerate(masks, start=1):
        if mask.shape != numbers.shape:
            sizes = " and ".join(f"{height}x{width}" for height, width in (numbers.shape, mask.shape))
            raise BPRError(f"image {image}: expected masks of one size, got {sizes} (height x width); mend one or give --ann with the size")
        if numbers[mask].any():
            raise BPRError(f"image {image}: expected masks without overlap for this format, got some that overlap; convert to coco")
        numbers[mask] = number
    return numbers
