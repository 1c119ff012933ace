"""Results files of any size: the records equal those of the file, and memory does not hold them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from bpr.cli.main import main
from bpr.errors import BPRError
from bpr.formats.coco import read_annotations, read_heading, read_results
from bpr.io.files import write_json, write_json_list
from bpr.io.record_file import Record, RecordFile
from tests.conftest import ROOT, SmallSet

RECORDS: list[Record] = [
    {"image_id": image_id, "segmentation": [[0, number, 1e5, 2.5]], "note": {"by": ["né", "🚗\n"]}}
    for number, image_id in enumerate((7, "7", 7.0, 3, None, [1], "東", 3, -1))
]


def written(folder: Path, content: Any, **layout: Any) -> Path:
    path = folder / "results.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content, **layout), encoding="utf-8")
    return path


@pytest.mark.parametrize("layout", [{}, {"indent": 3}, {"ensure_ascii": False, "separators": (",", ":")}])
@pytest.mark.parametrize("chunk", [1, 50, 300, 2**22])
def test_records_are_those_of_the_file(tmp_path: Path, layout: dict[str, Any], chunk: int) -> None:
    records = RecordFile(written(tmp_path, RECORDS, **layout), chunk)
    assert len(records) == len(RECORDS)
    assert list(records) == list(records) == RECORDS
    assert [records[index] for index in range(-len(RECORDS), len(RECORDS))] == RECORDS * 2
    assert records[1:7:2] == RECORDS[1:7:2]
    with pytest.raises(IndexError):
        records[len(RECORDS)]


def test_real_results(shared_data: Path) -> None:
    path = shared_data / "detections" / "davis_val.segm.json"
    expected = json.loads(path.read_text())
    assert list(RecordFile(path, 10_000)) == read_results(path) == expected


def test_a_file_that_an_editor_on_windows_saved(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text(json.dumps(RECORDS), encoding="utf-8-sig")
    records = RecordFile(path)
    assert list(records) == [records[index] for index in range(len(RECORDS))] == read_results(path) == RECORDS


def test_an_empty_list_has_no_records(tmp_path: Path) -> None:
    records = RecordFile(written(tmp_path, " [ ] "))
    assert list(records) == records[:] == []


BAD = {
    "[{": "not valid JSON (Expecting property name enclosed in double quotes: line 1 column 3 (char 2))",
    '[{"image_id": 1, "segmentation": []}, 3]': "record 1: expected an object with image_id and segmentation, got 3",
    '{"images": [1], "annotations": [{}]}': "got a JSON dict; annotation files go to --ann",
    '"x"': "got a JSON str",
    "[] 1": "not valid JSON (Extra data: line 1 column 4 (char 3))",
    "": "not valid JSON (Expecting value: line 1 column 1 (char 0))",
}


@pytest.mark.parametrize("content", BAD)
@pytest.mark.parametrize("read", [RecordFile, read_results])
def test_a_wrong_file_is_one_line(tmp_path: Path, content: str, read: Callable[[Path], Any]) -> None:
    with pytest.raises(BPRError) as error:
        read(written(tmp_path, content))
    assert BAD[content] in str(error.value)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(BPRError, match="cannot read it \\(not a regular file\\); expected COCO results"):
        RecordFile(tmp_path / "pipe.json")


CHANGES: dict[str, Callable[[Path], object]] = {
    "longer": lambda path: path.write_text(path.read_text() + " "),
    "cut": lambda path: os.truncate(path, 40),
    "another": lambda path: os.utime(path, ns=(0, 0)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_reading_a_changed_file_is_an_error(tmp_path: Path, change: str) -> None:
    path = written(tmp_path, RECORDS)
    records = RecordFile(path)
    CHANGES[change](path)
    for read in (lambda: records[3], lambda: list(records)):
        with pytest.raises(BPRError, match=r"results\.json: the file changed while it was read; start again when it stays as it is"):
            read()


def test_a_replaced_file_can_still_be_read(tmp_path: Path) -> None:
    path = written(tmp_path, RECORDS)
    records = RecordFile(path)
    write_json(path, [])
    assert list(records) == RECORDS


def test_threads_read_at_once(tmp_path: Path) -> None:
    many = [{"image_id": number, "segmentation": "x" * (number % 90)} for number in range(2000)]
    records = RecordFile(written(tmp_path, many), 1000)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(records.__getitem__, range(2000))) == many
        assert all(read == many for read in pool.map(lambda _: list(records), range(4)))


GROWTH = """
import sys
from bpr.io.record_file import RecordFile
def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) / 1024
def walked(path):
    records = RecordFile(path, 2**20)
    assert sum(len(record["segmentation"]["counts"]) for record in records) == 900 * len(records)
    return peak()
before = walked(sys.argv[1])
print(walked(sys.argv[2]) - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc for the peak of memory")
def test_memory_does_not_hold_the_records(tmp_path: Path) -> None:
    record = json.dumps({"image_id": 1, "segmentation": {"size": [480, 640], "counts": "0" * 900}})
    small, large = tmp_path / "small.json", tmp_path / "large.json"
    for path, count in ((small, 6_000), (large, 24_000)):
        path.write_text(f"[{', '.join([record] * count)}]")
    ran = subprocess.run([sys.executable, "-c", GROWTH, small, large], cwd=ROOT, capture_output=True, text=True, check=True)
    assert float(ran.stdout) < 8, "MiB beyond what a quarter of the file took; its records would take 30"


LISTS: tuple[list[Any], ...] = ([], [1], [{"a": "é🚗\ud800", "b": [1e-9, float("nan"), float("inf"), None]}, "x", []])


@pytest.mark.parametrize("value", LISTS)
def test_a_list_is_written_as_json_writes_it(tmp_path: Path, value: list[Any]) -> None:
    write_json_list(tmp_path / "list.json", iter(value))
    assert (tmp_path / "list.json").read_text() == json.dumps(value)


def test_an_error_between_records_leaves_the_old_file(tmp_path: Path) -> None:
    path = written(tmp_path, RECORDS)
    with pytest.raises(ZeroDivisionError):
        write_json_list(path, (1 // (3 - number) for number in range(9)))
    assert read_results(path) == RECORDS
    assert os.listdir(tmp_path) == ["results.json"]


IMAGE = {"id": 1, "file_name": "a.png", "height": 4, "width": 5, "license": 3, "coco_url": "http://host/a.png"}


def test_read_images_keeps_the_keys_that_find_images(tmp_path: Path) -> None:
    url = {"id": 2, "coco_url": "http://host/b.png", "neg_category_ids": [1]}
    document = {"info": {"year": 1}, "images": [IMAGE, url], "annotations": [{"id": 1, "image_id": 1}], "categories": [{"id": 1}]}
    entries = [{"id": 1, "file_name": "a.png", "height": 4, "width": 5}, {"id": 2, "coco_url": "http://host/b.png"}]
    assert read_heading(written(tmp_path, document))["images"] == entries


BAD_LISTS: tuple[Any, ...] = (
    *([], 3, {}, {"images": 3}, {"images": [3]}, {"images": [{"id": 1}]}, {"images": [{**IMAGE, "id": True}]}, {"images": [IMAGE, IMAGE]}),
    *({"images": [], "annotations": 3}, {"images": [], "categories": [{}]}, '{"images": [], "annotations": [1 2]}', '{"images": []} x'),
)


@pytest.mark.parametrize("bad", BAD_LISTS)
def test_read_images_gives_the_errors_of_read_annotations(tmp_path: Path, bad: Any) -> None:
    path, lines = written(tmp_path, bad), []
    for read in (read_annotations, read_heading):
        with pytest.raises(BPRError) as error:
            read(path)
        lines.append(str(error.value))
    assert lines[0] == lines[1]


def test_refining_keeps_the_order_of_the_file(small_set: SmallSet, tmp_path: Path) -> None:
    results = small_set.write("spread.json", small_set.records[::2] + small_set.records[1::2])
    out = tmp_path / "out.json"
    options = ["--img-dir", str(small_set.images), "--ann", str(small_set.ann), "--model", "identity", "--out", str(out)]
    assert main(["refine", str(results), *options]) == 0
    assert out.read_text() == json.dumps(json.loads(results.read_text()))
