"""What a journal keeps through torn ends, flipped bytes and restarts, who may join a run, and how it is divided."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bpr.errors import BPRError
from bpr.io.checked_lines import checked_line
from bpr.refinement.grouping import group_by_image
from bpr.refinement.outcome import FinishedImage, Kept, StageClock
from bpr.refinement.sharing.journal import Journal, JournalIndex
from bpr.refinement.sharing.run_folder import RunFolder
from bpr.refinement.sharing.workers import Shard, chunks, shards

RECORDS = [
    {"image_id": index // 2, "segmentation": {"size": [4, 4], "counts": "a"}, "note": index} for index in range(8)
]
REFINED = [{**record, "segmentation": {"size": [4, 4], "counts": "é\n"}, "bbox": [0.1, 1, 2, 3]} for record in RECORDS]


def image(number: int, **changed: Any) -> FinishedImage:
    """The two records of an image; of image 3 the second stays as it was."""
    own, kept = [2 * number, 2 * number + 1], [Kept("bad mask", [7], "no mask", "record id 70")] if number == 3 else []
    records = [RECORDS[index] if kept and index == 7 else {**REFINED[index], **changed} for index in own]
    return FinishedImage(own, records, 5, 1, kept)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal of four images."""
    write(tmp_path / "shard-1-of-1.journal", range(4))
    return tmp_path / "shard-1-of-1.journal"


def write(path: Path, images: Any) -> None:
    journal = Journal(path)
    for number in images:
        journal.add(image(number))
    journal.close()


def images_in(*paths: Path) -> list[int]:
    """Those that count, each of which must be whole."""
    index = JournalIndex(paths, len(RECORDS))
    found = np.flatnonzero(group_by_image(RECORDS).images_where(index.finished)).tolist()
    for i, (record, merged) in enumerate(zip(RECORDS, index.merged(RECORDS), strict=True)):
        assert merged == (REFINED[i] if i // 2 in found and i != 7 else record)
    return found


def test_what_was_finished_comes_back_with_its_report(path: Path) -> None:
    assert images_in(path) == [0, 1, 2, 3]
    report = JournalIndex([path], len(RECORDS)).report(group_by_image(RECORDS), StageClock())
    assert (report.images, report.patches, report.left_out, report.refined, report.done) == (4, 20, 4, 7, 8)
    assert report.problems == ["record id 70: no mask; kept as it was"]


def test_a_tail_torn_anywhere_costs_the_image_it_lies_in_and_is_done_again(path: Path) -> None:
    whole = path.read_bytes()
    ends = [
        place + 1 for place, byte in enumerate(whole) if byte == 10 and whole[:place].rpartition(b"\n")[2][9:10] == b"="
    ]
    for length in range(0, len(whole) + 1, 7):
        path.write_bytes(whole[:length])
        before = images_in(path)
        assert before == list(range(sum(end <= length for end in ends)))
        write(path, sorted(set(range(4)) - set(before)))
        assert images_in(path) == [0, 1, 2, 3]


def test_a_flipped_byte_costs_the_image_it_lies_in(path: Path) -> None:
    whole = path.read_bytes()
    for place in np.random.default_rng(0).integers(0, len(whole), 60).tolist():
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        assert len(images_in(path)) >= 2, "the image, and, where a line break is gone, the one behind"
        assert len(images_in(path)) < 4


def test_an_image_that_is_finished_twice_counts_once(path: Path, tmp_path: Path) -> None:
    write(tmp_path / "shard-2-of-2.journal", [2, 0])
    write(path, [1])
    index = JournalIndex([path, tmp_path / "shard-2-of-2.journal"], len(RECORDS))
    assert index.report(group_by_image(RECORDS), StageClock()).images == 4
    assert list(index.merged(RECORDS)) == [*REFINED[:7], RECORDS[7]]


def test_lines_of_strangers_are_passed_over(path: Path) -> None:
    too_far = b'= {"indices": [99], "patches": 0, "left_out": 0, "kept": []}'
    foreign = (
        b"=",
        b"= {}",
        b"x y",
        b"\xff",
        b"= " + b"[" * 9999,
        too_far,
        too_far.replace(b"99", b"-1"),
        too_far.replace(b"99", b"9" * 99),
    )
    path.write_bytes(b"".join(map(checked_line, foreign)) + path.read_bytes())
    assert images_in(path) == [0, 1, 2, 3]


# The folder of a run.


STATE = {"fingerprint": {"results": "abc", "min_score": None}, "job": {}}


def test_only_the_same_run_goes_on_and_only_when_it_is_told_to(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "out.json")
    with folder.joined(Shard(), STATE, resume=False):
        pass
    with (
        pytest.raises(BPRError, match=r"there is an unfinished run in .*continue it with --resume, or delete that folder"),
        joined(folder),
    ):
        pass
    other = {"job": {}, "fingerprint": {**STATE["fingerprint"], "min_score": 0.5}}
    with pytest.raises(BPRError, match="began with other min_score"), folder.joined(Shard(), other, resume=True):
        pass
    with folder.joined(Shard(), STATE, resume=True):
        pass


def joined(folder: RunFolder, *shard: int) -> Any:
    return folder.joined(Shard(*shard), STATE, resume=False)


def test_two_runs_on_one_output_exclude_each_other(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "out.json")
    with (
        joined(folder),
        pytest.raises(BPRError, match="another run is writing it"),
        folder.joined(Shard(), STATE, resume=True),
    ):
        pass
    folder.remove()
    with joined(folder, 1, 3), joined(folder, 2, 3), folder.journal(Shard(1, 3)):
        with pytest.raises(BPRError, match="another run is writing it"), folder.locked(alone=True):
            pass
        with pytest.raises(BPRError, match="1 of 3 is already at work on it"), folder.journal(Shard(1, 3)):
            pass


def test_what_a_kill_left_of_an_earlier_writing_goes_with_the_folder(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "out.json")
    with joined(folder):
        (tmp_path / ".out.json.abcd1234").write_text("[")
        folder.remove()
    assert list(tmp_path.iterdir()) == []


# How the images are divided among the workers.


OLD_STATE = """{"version": 1, "token": "0123456789abcdef", "fingerprint": {"results": "abc", "annotations": "def"},
"arguments": {"results": "/r.json", "ann": null, "img_dir": "/images", "format": null, "min_score": 0.5}}"""


def test_the_state_that_bpr_0_2_0_wrote_is_read(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "out.json")
    folder.path.mkdir()
    (folder.path / "run.json").write_text(OLD_STATE)
    job = {"results": "/r.json", "ann": None, "images": "/images", "format": None, "min_score": 0.5}
    assert folder.state()["job"] == job
    folder.check({"results": "abc", "ann": "def"})
    with pytest.raises(BPRError, match="began with other ann;"):
        folder.check({"results": "abc", "ann": "changed"})


@pytest.mark.parametrize(
    "state", ["[]", "{}", '{"version": 3}', '{"version": 1}', '{"version": 2, "fingerprint": {}, "job": 5}']
)
def test_a_state_of_another_program_is_one_line(tmp_path: Path, state: str) -> None:
    folder = RunFolder(tmp_path / "out.json")
    folder.path.mkdir()
    (folder.path / "run.json").write_text(state)
    with pytest.raises(BPRError, match=r"expected the state of an unfinished run, version 2, got another; delete "):
        folder.state()


@pytest.mark.parametrize("count", [1, 2, 7, 40])
def test_every_image_is_in_one_shard_and_they_cost_about_the_same(count: int) -> None:
    costs = np.random.default_rng(0).lognormal(size=1000)
    numbers = shards(costs, count)
    assert np.array_equal(np.unique(numbers), np.arange(1, count + 1))
    assert (np.diff(numbers) >= 0).all()
    assert np.ptp(np.bincount(numbers, costs)[1:]) < 2 * costs.max()


@pytest.mark.parametrize(("images", "workers"), [(0, 2), (1, 4), (5, 8), (1000, 3)])
def test_chunks_are_all_images_once_and_shrink(images: int, workers: int) -> None:
    parts = chunks(np.random.default_rng(0).lognormal(size=images), workers)
    assert [image for part in parts for image in part] == list(range(images))
    assert all(len(part) == 1 for part in parts[-min(images, workers) :])
