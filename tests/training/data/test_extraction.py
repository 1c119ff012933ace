"""`bpr extract-patches`: what goes into a store, and what is refused."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from bpr.cli.main import main
from bpr.errors import BPRError
from bpr.geometry.rle import decode_mask
from bpr.training.data.patch_store import PatchStore, stores_in
from tests.conftest import SmallSet
from tests.test_errors import turned_photo

FILES = ("patches.npy", "targets.npy", "origins.npy", "manifest.json")


def extract(data: SmallSet, out: Path, *options: str, results: Path | None = None) -> int:
    files = [str(results or data.results), "--ann", str(data.ann), "--img-dir", str(data.images), "--out", str(out)]
    return main(["extract-patches", *files, *options])


def test_patches_targets_and_origins_belong_together(small_set: SmallSet, tmp_path: Path) -> None:
    assert extract(small_set, tmp_path / "store") == 0
    store = PatchStore(tmp_path / "store")
    assert len(store) == len(store.targets) == len(store.origins) > 8
    assert sorted(set(store.origins[:, 0].tolist())) == [0, 1, 2, 3]
    for patch, target, (record, *box) in zip(store.patches, store.targets, store.origins.tolist(), strict=True):
        x0, y0, x1, y1 = box
        coarse = decode_mask(small_set.records[record]["segmentation"]).to_frame()
        truth = decode_mask(small_set.document["annotations"][record]["segmentation"]).to_frame()
        assert np.array_equal(patch[..., 3] > 0, coarse[y0:y1, x0:x1])
        assert np.array_equal(target > 0, truth[y0:y1, x0:x1])


@pytest.mark.parametrize("kind", ["grid", "instance"])
def test_patches_of_another_scheme(small_set: SmallSet, tmp_path: Path, kind: str) -> None:
    config = tmp_path / "config.py"
    config.write_text(f"refinement = dict(patch=dict(side=32, padding=4), train=dict(scheme={kind!r}))")
    assert extract(small_set, tmp_path / "store", "--config", str(config)) == 0
    store = PatchStore(tmp_path / "store")
    assert store.placement.scheme == kind
    assert store.patches.shape[1:] == (40, 40, 4)
    assert store.targets.shape == store.patches.shape[:3]
    assert len(store) == 4 if kind == "instance" else len(store) > 4
    # The coarse masks are the truth, grown: what is true is in the mask, at any scale.
    assert (store.targets <= store.patches[..., 3]).all()


def test_unmatched_crowd_and_other_classes_stay_out(small_set: SmallSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small_set.document["annotations"][0]["iscrowd"] = 1
    small_set.write("instances.json", small_set.document)
    other_class = {**small_set.records[1], "category_id": 8}
    results = small_set.write("some.json", [small_set.records[0], other_class, *small_set.records[2:]])
    assert extract(small_set, tmp_path / "store", results=results) == 0
    assert capsys.readouterr().out.startswith("4 records: 2 matched, 2 without a match, 0 unreadable")


def test_the_result_does_not_depend_on_workers(small_set: SmallSet, tmp_path: Path) -> None:
    for workers in ("1", "4"):
        assert extract(small_set, tmp_path / workers, "--workers", workers) == 0
    for name in FILES:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "4" / name).read_bytes()


def test_a_missing_image_is_counted(small_set: SmallSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (small_set.images / "000001.png").unlink()
    assert extract(small_set, tmp_path / "store") == 0
    assert capsys.readouterr().out.startswith("4 records: 2 matched, 0 without a match, 2 unreadable")


def test_a_finished_store_is_never_overwritten(small_set: SmallSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert extract(small_set, tmp_path / "store") == 0
    assert extract(small_set, tmp_path / "store") == 1
    assert "already holds a patch store" in capsys.readouterr().err


# Dies with its third instance half written: two of the three files have not seen it, and the second image is not finished.
KILLED = """
import os, signal, sys
from bpr.cli.main import main
from bpr.training.data.patch_store import PatchStoreWriter

append, seen = PatchStoreWriter.append, []

def dying(store, *rows):
    append(store, *rows)
    seen.append(rows)
    if len(seen) == 3:
        store._patches.flush()
        os.kill(os.getpid(), signal.SIGKILL)

PatchStoreWriter.append = dying
main(sys.argv[1:])
"""


@pytest.fixture
def killed(small_set: SmallSet, tmp_path: Path) -> Path:
    """A store whose build was killed in the second of two images."""
    files = [str(small_set.results), "--ann", str(small_set.ann), "--img-dir", str(small_set.images), "--out", str(tmp_path / "killed")]
    process = subprocess.run([sys.executable, "-c", KILLED, "extract-patches", *files], check=False)
    assert process.returncode == -signal.SIGKILL
    return tmp_path / "killed"


def test_results_that_are_missing_cost_one_line(small_set: SmallSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = tmp_path / "none.json"
    assert extract(small_set, tmp_path / "store", results=missing) == 1
    assert capsys.readouterr().err.startswith(f"bpr extract-patches: {missing}: no such file; expected ")


def test_a_killed_build_goes_on_to_the_same_bytes(
    small_set: SmallSet, killed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert extract(small_set, tmp_path / "undisturbed") == 0
    undisturbed = capsys.readouterr().out
    (small_set.images / "000001.png").unlink()  # what is finished is not made again
    assert extract(small_set, killed, "--resume") == 0
    assert capsys.readouterr().out.split("->")[1].split()[0] == undisturbed.split("->")[1].split()[0]
    assert sorted(path.name for path in killed.iterdir()) == sorted(FILES)
    for name in FILES:
        assert (killed / name).read_bytes() == (tmp_path / "undisturbed" / name).read_bytes()


def test_a_killed_build_is_made_anew_without_resume(small_set: SmallSet, killed: Path, tmp_path: Path) -> None:
    assert extract(small_set, killed) == 0
    assert extract(small_set, tmp_path / "undisturbed", "--resume") == 0  # nothing to go on with
    for name in FILES:
        assert (killed / name).read_bytes() == (tmp_path / "undisturbed" / name).read_bytes()


def other_config(data: SmallSet) -> str:
    """A config that suppresses other patches than the default."""
    config = data.folder / "other.py"
    config.write_text("refinement = dict(patch=dict(), train=dict(nms_iou=0.5))")
    return str(config)


def test_a_config_with_impossible_numbers_costs_one_line(
    small_set: SmallSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config.py"
    config.write_text("refinement = dict(patch=dict(side=7), train=dict())")
    assert extract(small_set, tmp_path / "store", "--config", str(config)) == 1
    assert capsys.readouterr().err == (
        f"bpr extract-patches: {config}: side: expected an even whole number of 8..4096 pixels, got 7\n"
    )


def test_only_the_same_build_goes_on(small_set: SmallSet, killed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (killed / "origins.npy").unlink()
    left = {path.name: path.read_bytes() for path in killed.iterdir()}
    assert extract(small_set, killed, "--resume", "--config", other_config(small_set)) == 1
    assert "holds a build of other detections, annotations or scheme" in capsys.readouterr().err
    less = small_set.write("less.json", small_set.records[:2])
    assert extract(small_set, killed, "--resume", results=less) == 1
    assert {path.name: path.read_bytes() for path in killed.iterdir()} == left, "what is refused changes nothing"
    assert extract(small_set, killed, "--resume") == 0


def test_resuming_a_finished_build_leaves_it_and_says_the_same(
    small_set: SmallSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (small_set.images / "000001.png").unlink()
    printed = []
    for _ in range(2):
        assert extract(small_set, tmp_path / "store", "--resume") == 0
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]
    assert printed[0].startswith("4 records: 2 matched, 0 without a match, 2 unreadable")
    assert extract(small_set, tmp_path / "store", "--resume", "--config", other_config(small_set)) == 1
    assert "already holds a patch store" in capsys.readouterr().err


def test_a_store_of_a_release_with_other_ways_of_refining_is_finished(small_set: SmallSet, tmp_path: Path) -> None:
    assert extract(small_set, tmp_path / "store") == 0
    manifest = tmp_path / "store" / "manifest.json"
    built = json.loads(manifest.read_text())
    built["scheme"]["keep"] = 0.5  # 0.2.0 wrote all of its scheme
    manifest.write_text(json.dumps(built))
    assert extract(small_set, tmp_path / "store", "--resume") == 0


def test_the_stores_of_shards_are_the_whole_one_after_the_other(
    small_set: SmallSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert extract(small_set, tmp_path / "whole") == 0
    assert extract(small_set, tmp_path / "parts", "--shard", "2/2") == 0
    assert "2 records: 2 matched" in capsys.readouterr().out
    with pytest.raises(BPRError, match=r"expected the patch stores of 2 shards, got none of 1-of-2; extract them too"):
        stores_in(tmp_path / "parts")
    assert extract(small_set, tmp_path / "parts", "--shard", "1/2") == 0
    whole, parts = PatchStore(tmp_path / "whole"), [PatchStore(folder) for folder in stores_in(tmp_path / "parts")]
    assert [len(part) > 4 for part in parts] == [True, True]
    for name in ("patches", "targets", "origins"):
        assert np.array_equal(getattr(whole, name), np.concatenate([getattr(part, name) for part in parts]))


def test_a_launcher_says_which_shard(small_set: SmallSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"SLURM_PROCID": "1", "SLURM_NTASKS": "2", "SLURM_LOCALID": "0"}.items():
        monkeypatch.setenv(name, value)
    assert extract(small_set, tmp_path / "store", "--launcher", "slurm") == 0
    assert [path.name for path in (tmp_path / "store").iterdir()] == ["2-of-2"]


def test_text_ids_and_turned_photos_give_the_same_store(small_set: SmallSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert extract(small_set, tmp_path / "store") == 0
    for image, name in zip(small_set.document["images"], ("a.jpg", "b.jpg"), strict=True):
        turned_photo(small_set.images / name, cv2.imread(str(small_set.images / image["file_name"])))
        (small_set.images / image["file_name"]).unlink()
        image["file_name"] = name
    extra = {**small_set.document["annotations"][0], "segmentation": []}
    for record in (*small_set.records, *small_set.document["annotations"]):
        record["image_id"] = str(record["image_id"])
    small_set.document["annotations"].append(extra)
    small_set.write("instances.json", small_set.document)
    assert extract(small_set, tmp_path / "turned", results=small_set.write("texts.json", small_set.records)) == 0
    assert "left out: 1 of 5 annotations, without a mask (first: annotation id 1)" in capsys.readouterr().err
    first, second = PatchStore(tmp_path / "store"), PatchStore(tmp_path / "turned")
    assert np.array_equal(first.targets, second.targets)
    assert np.array_equal(first.patches[..., 3], second.patches[..., 3])
    assert np.abs(first.patches[..., :3].astype(int) - second.patches[..., :3]).mean() < 30, "but for JPEG"
