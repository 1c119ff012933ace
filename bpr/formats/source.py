"""What every format gives the refinement: masks in, masks back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from bpr.formats.coco import Record


class Source(Protocol):
    """The masks of one file or folder, in whatever format.

    Attributes:
        format: the format's name, one of ``READERS`` of :mod:`bpr.formats.recognise`.
        exclusive: the masks of an image do not overlap, and must not after refinement.
    """

    format: str
    exclusive: bool

    @property
    def records(self) -> Sequence[Record]:
        """One per mask, in COCO's form: image_id, category_id, segmentation, score and what else the format has.

        Each may be read from the file when it is asked for, and again when it is asked for again.
        """
        ...

    @property
    def left_out(self) -> Mapping[str, Sequence[int]]:
        """What the file lists and is not among the records, by kind: the places in its list."""
        ...

    @property
    def entries(self) -> list[dict[str, Any]] | None:
        """The format's own list of images (id, file_name, ...); None where it has none."""
        ...

    def folder(self, out: Path) -> Path | None:
        """The folder that :meth:`write` replaces; None when it writes one file. To be checked before hours of work."""
        ...

    def write(self, refined: Iterable[Record], out: Path) -> None:
        """Write ``refined`` (the records, in their order, with their new masks; drawn once) to ``out`` in the format they came in."""
        ...
