"""Label PNGs: grey or palette PNGs whose numbers are the classes, the objects or the single mask of an image.

The single mask of an image may be any picture of :mod:`bpr.io.mask_picture`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np

from bpr.errors import BadMask, BPRError, amount, shown
from bpr.formats.format import Candidate, Format, PathKind, RecordSet, Target
from bpr.formats.source import Source, in_groups, written_like
from bpr.geometry.masks import BoxMask, masks_of_numbers
from bpr.geometry.rle import decode_mask, encode_mask
from bpr.io.files import files_below, inside, own_file
from bpr.io.folders import atomic_folder
from bpr.io.image_list import CITYSCAPES_ENDING, SUFFIXES
from bpr.io.mask_picture import EXACT, TIFF, check_mask_name, extent, read_mask_picture, write_mask_picture
from bpr.io.png import Palette, read_labels, write_png
from bpr.io.record_file import Record
from bpr.io.shown_object import is_soft
from bpr.limits import LONGEST_ROW

BACKGROUND, IGNORED = 0, 255
MOST_CLASSES = 64
"""Classes of one image beyond which a label map that looks like a soft mask is taken for one."""
ENDINGS = ("_labelIds", "_labelTrainIds", "_gtFine", "_pred", "_mask", CITYSCAPES_ENDING)
"""Ends of the stem of a label PNG that its image's stem lacks; they are removed in this order."""


def pictures(path: Path) -> list[Path]:
    """The picture that ``path`` names, or the PNGs in the folder and below; all other pictures where there is no PNG."""
    if path.is_file():
        return [path]
    found = files_below(path, SUFFIXES)
    return [file for file in found if file.suffix.lower() == ".png"] or found


class LabelPngs(Source):
    """A picture, or a folder of pictures, in which every number except ``void`` is one record's mask.

    A record's class is its number. Its image id is the path of the picture below the folder without the usual endings.
    """

    void: int

    def __init__(self, path: Path) -> None:
        self.path = path
        self._files = pictures(path)
        if not self._files and not path.is_dir():
            raise BPRError(f"{path}: no such file; expected a mask or a label map")
        if not self._files:
            raise BPRError(f"{path}: expected label PNGs, got a folder without any")
        of_files = [self._read(file) for file in self._files]
        self.records: list[Record] = [record for records in of_files for record in records]
        self._counts = [len(records) for records in of_files]

    def _read(self, file: Path) -> list[Record]:
        labels, _ = self._numbers(own_file(self.path, file))
        return self._records(labels, self._image_id(file))

    def _image_id(self, file: Path) -> str:
        name = self.name_of(file)
        for ending in ENDINGS:
            name = name.removesuffix(ending)
        return name

    @abstractmethod
    def _numbers(self, file: Path) -> tuple[np.ndarray, Palette | None]:
        """The (H, W) numbers of a picture, and its palette."""

    def _records(self, labels: np.ndarray, image_id: str) -> list[Record]:
        """The records of an (H, W) label map."""
        return [_record(image_id, *each) for each in sorted(masks_of_numbers(labels, self.void).items())]

    def folder(self, out: Path) -> Path | None:
        if self.path.is_dir():
            return out
        check_mask_name(out)
        most = max((record["category_id"] for record in self.records), default=0)
        if most > np.iinfo(np.uint16).max and out.suffix.lower() not in TIFF:
            raise BPRError(f"{out}: expected a .tif for numbers up to {most}, got a PNG, which holds 65535")
        return None

    def write(self, refined: Iterable[Record], out: Path) -> None:
        """Write a picture for a picture, and a folder of the same names for a folder; number types and palettes stay.

        In a folder a picture of a format that does not hold masks exactly, such as JPEG, becomes a PNG.
        """
        with written_like(self.path, out) as target:
            for file, records in zip(self._files, in_groups(refined, self._counts), strict=True):
                labels, palette = self._numbers(file)
                painted = np.full_like(labels, self.void)
                for record in records:
                    decode_mask(record["segmentation"]).paint(painted, record["category_id"])
                exact = file if file.suffix.lower() in EXACT else file.with_suffix(".png")
                write_mask_picture(target(exact), painted, palette)


class MaskPngs(LabelPngs):
    """Label maps of objects on a background of 0, or masks; a picture of background alone is one empty mask."""

    void = BACKGROUND

    def __init__(self, path: Path) -> None:
        self._whole: list[str] = []
        super().__init__(path)
        if self._whole:
            count = f"{len(self._whole)} of {len(self._files)} masks cover their whole image"
            self.notes = [f"{count} (first: {self._whole[0]}); is it a mask, with a background of 0?"]
        if path.is_dir() and self._files[0].suffix.lower() == ".png":
            photos = {record["image_id"] for record in self.records}
            others = [file for file in files_below(path, SUFFIXES - {".png"}) if self._image_id(file) not in photos]
            if others:
                first = others[0].relative_to(path)
                note = f"left out: {amount(len(others), 'picture')} beside {amount(len(self._files), 'PNG')} (first: {first})"
                self.notes = [*self.notes, note]

    def _numbers(self, file: Path) -> tuple[np.ndarray, Palette | None]:
        return read_mask_picture(file)

    def _records(self, labels: np.ndarray, image_id: str) -> list[Record]:
        height, width = labels.shape
        records = super()._records(labels, image_id)
        if len(records) == 1 and extent(labels != BACKGROUND):
            self._whole.append(image_id)
        return records or [_record(image_id, BACKGROUND, BoxMask.empty((height, width)))]


class SemanticPngs(LabelPngs):
    """Label PNGs of classes; 255 marks pixels without a class."""

    void = IGNORED

    def _numbers(self, file: Path) -> tuple[np.ndarray, Palette | None]:
        labels, palette = read_labels(file)
        if len(np.unique(labels)) > MOST_CLASSES and is_soft(labels):
            raise BPRError(f"{file}: expected a label map, got a soft mask of {len(np.unique(labels))} grey values; say --format masks")
        return labels, palette


def _record(image_id: str, number: int, mask: BoxMask) -> Record:
    return {"image_id": image_id, "category_id": number, "segmentation": encode_mask(mask)}


@lru_cache(maxsize=1)  # both formats ask, and all pictures may have to be read
def _format_of_pictures(candidate: Candidate) -> Literal["masks", "semantic"] | None:
    """The format of label maps and masks by their numbers; None where there are no pictures, or photos with labels.

    One picture that can only be a label map decides for all of them.

    Raises:
        BPRError: a picture may be either, and no other picture decides, or it cannot be a mask.
    """
    found = pictures(candidate.path)
    if not found:
        return None
    label_files = files_below(candidate.path, (".json", ".txt")) if candidate.path.is_dir() else []
    stems = {picture.stem for picture in found}
    if any(path.stem in stems and _holds_labels(path) for path in label_files):
        return None
    unclear = None
    for picture in found:
        try:
            numbers = set(np.unique(read_mask_picture(picture)[0]).tolist())
        except BadMask:
            if label_files:
                return None
            raise
        format_name = _format_of_numbers(numbers)
        if format_name == "semantic":
            return format_name
        if format_name is None and unclear is None:
            got = f"a PNG of {shown(sorted(numbers))}, which may be either"
            unclear = f"{picture}: expected masks or a label map, got {got}"
    if unclear:
        raise BPRError(f"{unclear}; say --format masks (0 is background) or --format semantic (0 is a class, 255 is none)")
    return "masks"


def _holds_labels(path: Path) -> bool:
    """Whether a file is JSON, or a text that is empty or begins with numbers."""
    if path.suffix.lower() == ".json":
        return True
    with path.open("rb") as file:
        words = file.readline(LONGEST_ROW).decode("utf-8-sig", "replace").split()
    return all(word.strip("+-").replace(".", "", 1)[:1].isdigit() for word in words)


def _format_of_numbers(numbers: set[int]) -> Literal["masks", "semantic"] | None:
    """The format of one PNG by the numbers in it; None where it may be either.

    A mask of one object has a background of 0. Label maps have no background, or mark void pixels by 255. Several
    numbers besides 0 may be objects or classes.

    >>> _format_of_numbers({0, 255}), _format_of_numbers({1}), _format_of_numbers({0, 26})
    ('masks', 'masks', 'masks')
    >>> _format_of_numbers({0, 1, 255}), _format_of_numbers({7, 23})
    ('semantic', 'semantic')
    >>> _format_of_numbers({0, 1, 2}), _format_of_numbers({0, 1, 3}), _format_of_numbers({7})
    (None, None, None)
    """
    objects = numbers - {BACKGROUND}
    if len(objects) <= 1:
        return "masks" if BACKGROUND in numbers or objects <= {1, IGNORED} else None
    if len(objects) > MOST_CLASSES:
        return None
    return None if BACKGROUND in numbers and IGNORED not in numbers else "semantic"


def _write_new(record_set: RecordSet, out: Path) -> None:
    """Write one PNG per image: 1 for its first record, 2 for the second, ...; 0 is background.

    Empty masks get no number; where all masks of an image are empty, the PNG is 0 everywhere.

    Raises:
        BPRError: masks overlap, or have different sizes.
    """
    images = record_set.by_stem()
    with atomic_folder(out, "bpr convert") as folder:
        for stem, records in images.items():
            if records:
                filled = [record for record in records if decode_mask(record["segmentation"]).area]
                numbers = number_masks(filled or records, stem)
                png = inside(folder, f"{stem}.png", "image_id")
                write_png(png, numbers.astype(np.uint8 if len(records) < 256 else np.uint16))


def number_masks(records: Sequence[Record], image: str) -> np.ndarray:
    """(H, W) uint32: 1 in the mask of the first record, 2 in that of the second, ..., 0 elsewhere.

    Args:
        records: one or more records of an image.
        image: names the image in errors.

    Raises:
        BPRError: masks overlap, or have different sizes.
    """
    masks = [decode_mask(record["segmentation"]).to_frame() for record in records]
    numbers = np.zeros(masks[0].shape, np.uint32)
    for number, mask in enumerate(masks, start=1):
        if mask.shape != numbers.shape:
            sizes = " and ".join(f"{height}x{width}" for height, width in (numbers.shape, mask.shape))
            wanted = "expected masks of one size"
            raise BPRError(f"image {image}: {wanted}, got {sizes} (height x width); correct one or give --ann with the size")
        if numbers[mask].any():
            wanted = "expected masks without overlap for this format"
            raise BPRError(f"image {image}: {wanted}, got some that overlap; convert to coco")
        numbers[mask] = number
    return numbers


MASKS = Format(
    name="masks",
    description="mask PNGs, one number per object, 0 is background",
    path_kind=PathKind.PICTURES,
    signature="label PNGs",
    recognises=lambda candidate: _format_of_pictures(candidate) == "masks",
    precedence=1,  # the folder may also hold text files
    read=lambda candidate, images: MaskPngs(candidate.path),
    exclusive=True,
    guessed=True,
    target=Target(_write_new, category=None, empty=False),
)
SEMANTIC = replace(
    MASKS,
    name="semantic",
    description="label PNGs, one number per class, 255 is no class",
    recognises=lambda candidate: _format_of_pictures(candidate) == "semantic",
    read=lambda candidate, images: SemanticPngs(candidate.path),
    target=None,
)
