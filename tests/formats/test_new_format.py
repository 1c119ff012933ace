"""A new results format needs one row and one small module: this file. Everything else works without a change."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from bpr.cli.main import main
from bpr.formats.format import Format, PathKind, RecordSet, Target
from bpr.formats.recognise import open_source
from bpr.formats.registry import FORMATS
from bpr.formats.source import Source, in_groups
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import decode_mask, encode_mask
from bpr.io.files import atomic_open, read_rows
from bpr.io.folders import MARK, atomic_folder
from bpr.io.image_finder import ImageFinder
from bpr.io.images import read_image
from bpr.io.png import write_png
from bpr.io.record_file import Record

FRAME = (40, 50)
FILES = {"a": "3 5 6 25 30\n7 30 2 48 20\n", "b": "", "c": "1 0 0 50 40\n"}


class BoxFolder(Source):
    """``<stem>.box``: a line ``class x0 y0 x1 y1`` per instance, whose mask is the box."""

    def __init__(self, folder: Path, images: ImageFinder) -> None:
        self._files = sorted(folder.glob("*.box"))
        rows = [read_rows(file) for file in self._files]
        self._counts = [len(lines) for lines in rows]
        self.records: list[Record] = []
        for file, lines in zip(self._files, rows, strict=True):
            for line in lines:
                label, *box = map(int, line.split())
                height, width, _ = read_image(images.path(file.stem)).shape
                segmentation = encode_mask(box_mask(box, (height, width)))
                self.records.append({"image_id": file.stem, "category_id": label, "segmentation": segmentation})

    def folder(self, out: Path) -> Path | None:
        return out

    def write(self, refined: Iterable[Record], out: Path) -> None:
        with atomic_folder(out) as folder:
            for file, records in zip(self._files, in_groups(refined, self._counts), strict=True):
                write_boxes(folder / file.name, records)


def box_mask(box: list[int], frame: tuple[int, int]) -> BoxMask:
    x0, y0, x1, y1 = box
    return BoxMask(np.ones((y1 - y0, x1 - x0), bool), x0, y0, frame)


def write_boxes(path: Path, records: Iterable[Record]) -> None:
    with atomic_open(path) as file:
        for record in records:
            box = decode_mask(record["segmentation"]).box
            file.write(" ".join(map(str, (record["category_id"], *box))) + "\n")


def write_new(record_set: RecordSet, out: Path) -> None:
    with atomic_folder(out) as folder:
        for stem, records in record_set.by_stem().items():
            write_boxes(folder / f"{stem}.box", records)


BOXES = Format(
    name="boxes",
    description="boxes in text files",
    path_kind=PathKind.FOLDER,
    signature="boxes (*.box)",
    recognises=lambda candidate: any(candidate.path.glob("*.box")),
    read=lambda candidate, images: BoxFolder(candidate.path, images()),
    images_beside=lambda path: path.parent / "photographs",
    target=Target(write_new),
)


@pytest.fixture
def boxes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of boxes with its images; the format is registered until the end of the test."""
    monkeypatch.setitem(FORMATS, BOXES.name, BOXES)
    for stem, text in FILES.items():
        write_png(tmp_path / "photographs" / f"{stem}.png", np.zeros((*FRAME, 3), np.uint8))
        with atomic_open(tmp_path / "boxes" / f"{stem}.box") as file:
            file.write(text)
    return tmp_path / "boxes"


def contents(folder: Path) -> dict[str, str]:
    return {path.stem: path.read_text() for path in folder.iterdir() if path.name != MARK}


def test_it_is_recognised(boxes: Path) -> None:
    source, images = open_source(boxes)
    assert source.format == "boxes"
    assert [record["category_id"] for record in source.records] == [3, 7, 1]
    assert images().path("b") == boxes.parent / "photographs" / "b.png"


@pytest.mark.parametrize("options", [[], ["--format", "boxes"]])
def test_it_is_refined(boxes: Path, tmp_path: Path, options: list[str]) -> None:
    out = tmp_path / "out"
    assert main(["refine", str(boxes), "--model", "identity", "--strict", "--out", str(out), *options]) == 0
    assert contents(out) == FILES


def test_it_is_converted_to_and_from(boxes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entries = [{"id": number, "file_name": f"{stem}.png"} for number, stem in enumerate(FILES)]
    (tmp_path / "list.json").write_text(json.dumps({"images": entries}))
    results, again, listed = tmp_path / "results.json", tmp_path / "again", ["--ann", str(tmp_path / "list.json")]
    assert main(["convert", str(boxes), "--to", "coco", "--out", str(results), *listed]) == 0
    assert capsys.readouterr().out == f"3 masks (boxes) -> {results}\n"
    assert [record["image_id"] for record in json.loads(results.read_text())] == [0, 0, 2]
    assert main(["convert", str(results), "--to", "boxes", "--out", str(again), *listed]) == 0
    assert contents(again) == FILES


def test_an_unknown_folder_is_told_of_it(boxes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    assert main(["convert", str(tmp_path / "empty"), "--to", "coco", "--out", str(tmp_path / "out.json")]) == 1
    assert "or boxes (*.box) in the folder, got none of them" in capsys.readouterr().err


@pytest.mark.usefixtures("boxes")
@pytest.mark.parametrize("command", ["refine", "convert", "report"])
def test_help_offers_it(capsys: pytest.CaptureFixture[str], command: str) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    printed = "".join(capsys.readouterr().out.split())
    assert ",boxes}" in printed
    assert ("boxes:boxesintextfiles" in printed) == (command == "convert")
