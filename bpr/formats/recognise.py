"""Open the masks of a path in any format."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bpr.errors import BPRError, shown
from bpr.formats.format import ANY_MASKS, Candidate, Format, PathKind
from bpr.formats.registry import FORMATS
from bpr.formats.source import Source
from bpr.io.files import files_below
from bpr.io.image_finder import ImageFinder, ImageFolder, OneImage
from bpr.io.image_list import ImageList
from bpr.raster.opening import is_raster

PICKLES = {".pkl", ".pickle", ".pth", ".pt"}
"""Endings of pickled results, which are refused because loading a pickle may run code."""


def open_source(
    path: str | Path,
    format_name: str | None = None,
    img_dir: str | Path | None = None,
    entries: list[dict[str, Any]] | None = None,
    crowds: bool = False,
    windows: bool = False,
) -> tuple[Source, Callable[[], ImageFinder]]:
    """Read the masks of ``path``.

    Args:
        format_name: a key of :data:`bpr.formats.registry.FORMATS`; by default the format is recognised by the content.
        img_dir: folder of the images, or one image; by default where users of the format keep them.
        entries: the images list of an annotation file; by default that of the format, if it has one.
        crowds: crowds of an annotation file count as instances.
        windows: the caller also knows formats whose images are windows of one raster.

    Returns:
        The masks (``format`` names the format that was recognised), and a function that gives access to their images.
        The function raises a BPRError where no folder of images is known.

    Raises:
        BPRError: the path holds no known format, or could hold several.
    """
    path = Path(path)
    if path.suffix.lower() in PICKLES:
        raise BPRError(
            f"{path}: expected JSON, got a pickle, which may run code; let MMDetection write JSON with "
            "test_evaluator.outfile_prefix=results test_evaluator.format_only=True"
        )
    if path.suffix.lower() == ".zip":
        raise BPRError(f"{path}: expected {ANY_MASKS}, got an archive; unpack it and give the file or folder in it")
    candidate = Candidate(path, crowds)
    row = FORMATS[format_name] if format_name else recognise(candidate, windows)
    if row.by_window and not windows:
        raise BPRError(f"{path}: expected masks of whole images, got --format {row.name}, which only bpr refine reads")
    if not row.path_kind.includes(path):
        raise BPRError(f"{path}: expected {row.path_kind.value} for --format {row.name}, got something else")

    def images(listed: list[dict[str, Any]] | None) -> ImageFinder:
        if img_dir and (Path(img_dir).is_file() or is_raster(Path(img_dir))):
            return OneImage(Path(img_dir), None if listed is None else ImageList(listed, row.ids_are_stems))
        folder = img_dir or (row.images_beside(path) if row.images_beside else None)
        if not folder:
            if row.path_kind is PathKind.PICTURES and path.is_file():
                raise BPRError(f"{path}: expected a photo with the mask, got none; bpr refine PHOTO {shlex.quote(path.name)} names it")
            raise BPRError(f"{path}: expected --img-dir with the folder of the images, got none; the {row.name} format does not name it")
        return ImageFolder(folder, listed, row.ids_are_stems)

    source = row.read(candidate, lambda: images(entries))
    source.format = row.name
    return source, lambda: source.windows or images(source.entries if entries is None else entries)


def recognise(candidate: Candidate, windows: bool = False) -> Format:
    """The format of a path, by its content.

    Args:
        windows: as for :func:`open_source`.

    Raises:
        BPRError: no format recognises the path, or several of the same precedence do.
    """
    path = candidate.path
    rows = [row for row in FORMATS.values() if row.path_kind.includes(path) and (windows or not row.by_window)]
    # To recognise a path a format may read many files, so lower precedences are tried only where no higher one fits.
    for precedence in sorted({row.precedence for row in rows}, reverse=True):
        matching = [row for row in rows if row.precedence == precedence and row.recognises(candidate)]
        if len(matching) > 1:
            names = " or ".join(row.name for row in matching)
            raise BPRError(f"{path}: expected masks of one format, got what may be {names}; choose one with --format")
        if matching:
            return matching[0]
    *others, last = dict.fromkeys(row.signature for row in rows)
    wanted = f"{', '.join(others)} or {last}" if others else last
    if PathKind.JSON_FILE.includes(path):
        got = shown(candidate.document)
        raise BPRError(f"{path}: expected {wanted}, got {got}; give results as the list alone")
    if path.is_file():
        raise BPRError(f"{path}: expected {wanted}, got another file")
    if not path.is_dir():
        raise BPRError(f"{path}: no such file; expected {ANY_MASKS}")
    files = files_below(path, (".json",))
    remedy = f"; a file of all images, such as {files[0].relative_to(path)}, is given by itself" if files else ""
    raise BPRError(f"{path}: expected {wanted} in the folder, got none of them{remedy}")
