"""Refining from file to file in Python: what `bpr refine` does, who may resume a run, and how a run is reopened."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

import bpr
from bpr.cli.main import main
from bpr.errors import BPRError
from bpr.job import RefineJob, Unfinished
from bpr.refinement.sharing.workers import Shard
from tests.conftest import SmallSet


def job_of(data: SmallSet, **fields: Any) -> RefineJob:
    """The refinement of the small set by the identity."""
    defaults = {"images": data.images, "ann": data.ann, "model": "identity", "workers": 1}
    return RefineJob(data.results, data.folder / "out.json", **{**defaults, **fields})


def interrupt(job: RefineJob) -> None:
    """Begin a run and stop it before the first image."""
    with pytest.raises(
        Unfinished, match=r"interrupted; 0 of 2 images are done; finished images are kept; continue with resume=True"
    ):
        job.run(stopped=lambda: True)


def test_a_function_does_what_the_command_does(small_set: SmallSet) -> None:
    by_command, by_function = small_set.folder / "command.json", small_set.folder / "function.json"
    files = [str(small_set.results), "--img-dir", str(small_set.images), "--ann", str(small_set.ann)]
    assert main(["refine", *files, "--model", "starter-fast", "--keep", "0.5", "--out", str(by_command)]) == 0
    done: list[int] = []
    report = bpr.refine_file(
        str(small_set.results),
        by_function,
        images=str(small_set.images),
        ann=small_set.ann,
        model="starter-fast",
        keep=0.5,
        on_progress=done.append,
    )
    assert by_function.read_bytes() == by_command.read_bytes() != small_set.results.read_bytes()
    verdict = "verdict: 3 changed as proposed, 1 in part, 0 not at all"
    assert report.summary == f"4 of 4 records refined; could not be refined: none; {verdict}"
    assert report.left_out > 0
    assert done == [0, 2, 4]
    assert {path.name for path in small_set.folder.iterdir() if path.name.startswith(".")} == set()


def test_the_oracle_is_a_model_of_a_job(small_set: SmallSet) -> None:
    job_of(small_set, model="oracle", options={"scheme": "grid"}).run()
    refined = json.loads((small_set.folder / "out.json").read_text())
    assert [record["segmentation"] for record in refined] == [
        t["segmentation"] for t in small_set.document["annotations"]
    ]


def test_strict_decides_whether_a_run_with_a_bad_record_has_failed(small_set: SmallSet) -> None:
    small_set.write("results.json", [*small_set.records, {**small_set.records[0], "segmentation": None}])
    for strict in (False, True):
        report = job_of(small_set, strict=strict).run()
        assert (report.refined, dict(report.kept), report.failed) == (4, {"bad mask": 1}, strict)


def test_an_interrupted_run_goes_on_only_when_it_is_told_to(small_set: SmallSet) -> None:
    job = job_of(small_set)
    interrupt(job)
    with pytest.raises(BPRError, match="there is an unfinished run in"):
        job.run()
    assert job.run(resume=True).refined == 4


def test_what_is_guessed_is_a_warning(small_set: SmallSet) -> None:
    with pytest.warns(UserWarning, match=r"images: by their ids, 1 is 000001\.png; --ann can name the files"):
        job_of(small_set, ann=None).run()


@pytest.mark.parametrize("name", ["results", "ann", "images"])
def test_an_input_is_never_replaced(small_set: SmallSet, name: str) -> None:
    job = job_of(small_set)
    lost = getattr(job, name)
    with pytest.raises(BPRError, match=r"expected an output that is not an input, got .*, which would be overwritten"):
        replace(job, out=lost).run()


def test_a_folder_with_the_name_of_the_model_is_no_input(small_set: SmallSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(small_set.folder)
    Path("identity").mkdir()
    Path("yolo").mkdir()
    Path("yolo", "000001.txt").write_text("7 0.1 0.1 0.5 0.1 0.5 0.5\n")
    job = RefineJob("yolo", "identity", images="images", model="identity")
    for _ in range(2):
        assert job.run().refined == 1


def test_a_preset_has_no_model_beside_it(small_set: SmallSet) -> None:
    with pytest.raises(BPRError, match="expected no model, config or backend with it; leave them out, it sets them"):
        job_of(small_set, preset="fast").run()


def test_a_misspelt_setting_is_guessed(small_set: SmallSet) -> None:
    with pytest.raises(BPRError, match=r"min_score, .*, got 'min_scores'; did you mean min_score\?"):
        bpr.refine_file(small_set.results, small_set.folder / "out.json", images=small_set.images, min_scores=0.5)


def test_an_option_that_does_not_exist_is_named(small_set: SmallSet) -> None:
    with pytest.raises(BPRError, match=r"expected options of scheme, .*, got 'img_dir'; leave it out"):
        bpr.refine_file(
            small_set.results, small_set.folder / "out.json", img_dir=small_set.images, images=small_set.images
        )


# Who may resume a run.


@dataclass(frozen=True)
class LaterJob(RefineJob):
    """A job of a later version, which has one more field."""

    later: int = 0


def test_a_field_that_is_added_is_compared(small_set: SmallSet) -> None:
    job = LaterJob(
        small_set.results, small_set.folder / "out.json", images=small_set.images, model="identity", ann=small_set.ann
    )
    interrupt(job)
    with pytest.raises(BPRError, match=r"began with other later; use the same, or delete that folder"):
        replace(job, later=1).run(resume=True)
    assert job.run(resume=True).refined == 4


CHANGES = {
    "model": {"model": "starter-fast"},
    "min_score": {"min_score": 0.5},
    "options": {"options": {"keep": 0.5}},
    "format": {"format": "coco"},
}


@pytest.mark.parametrize("name", CHANGES)
def test_another_job_does_not_go_on(small_set: SmallSet, name: str) -> None:
    interrupt(job_of(small_set))
    with pytest.raises(BPRError, match=rf"began with other \S*{name}"):
        job_of(small_set, **CHANGES[name]).run(resume=True)


@pytest.mark.parametrize("name", ["results", "ann"])
def test_files_are_compared_by_their_content(small_set: SmallSet, name: str) -> None:
    job = job_of(small_set)
    interrupt(job)
    path = Path(getattr(job, name))
    copy = path.with_suffix(".copy.json")
    shutil.copy(path, copy)
    path.write_text(path.read_text() + "\n")
    with pytest.raises(BPRError, match=f"began with other {name};"):
        job.run(resume=True)
    assert replace(job, **{name: copy}).run(resume=True).refined == 4


def test_what_does_not_decide_the_result_may_change(small_set: SmallSet, monkeypatch: pytest.MonkeyPatch) -> None:
    """The options are compared by their effect: the default, named, is the same."""
    interrupt(job_of(small_set))
    monkeypatch.chdir(small_set.folder)
    changed = job_of(small_set, workers=2, strict=True, images="images", options={"keep": 1.0})
    assert changed.run(resume=True).refined == 4


# Reopening a run.


def test_shards_are_merged_from_anywhere(small_set: SmallSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as moved:
        moved.chdir(small_set.folder)
        job = RefineJob(
            "results.json", "out.json", images="images", ann="instances.json", model="identity", strict=True
        )
        assert job.run(Shard(2, 2)).refined == 2
        with pytest.raises(BPRError, match=r"2 of 4 records are not finished; run the shards 1/2 with --resume"):
            job.merge()
        assert job.run(Shard(1, 2)).refined == 2
    out = small_set.folder / "out.json"
    reopened = RefineJob.of(out)
    assert reopened.strict
    assert reopened.merge().refined == 4
    assert json.loads(out.read_text()) == small_set.records
    with pytest.raises(BPRError, match=r"expected an unfinished run in .*, got none"):
        RefineJob.of(out)


def test_a_run_is_reopened_and_finished(small_set: SmallSet) -> None:
    job = job_of(small_set, min_score=0.5, options={"scheme": "grid", "keep": 0.5})
    interrupt(job)
    reopened = RefineJob.of(job.out)
    assert reopened.options == {"scheme": "grid", "keep": 0.5}
    assert reopened.run(resume=True).refined == 4


def test_an_input_that_changed_since_the_run_began_is_not_merged(small_set: SmallSet) -> None:
    job = job_of(small_set)
    for number in (1, 2):
        job.run(Shard(number, 2))
    small_set.write("results.json", small_set.records[:2])
    with pytest.raises(BPRError, match="began with other results;"):
        job.merge()


def test_a_job_of_a_later_version_is_one_line(small_set: SmallSet) -> None:
    interrupt(job_of(small_set))
    state = small_set.folder / ".out.json.run" / "run.json"
    state.write_text(re.sub('"job": {', '"job": {"later": 1,', state.read_text()))
    remedy = "finish the run with the version that began it"
    with pytest.raises(BPRError, match=rf"expected a job of this version, got another \(.*later.*\); {remedy}"):
        RefineJob.of(small_set.folder / "out.json")
