"""`bpr extract-patches`: what goes into a store, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bpr.cli.main import main
from bpr.datasets.patch_store import PatchStore
from bpr.formats.rle import decode_mask
from tests.conftest import SmallSet


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
    assert extract(small_set, tmp_path / "store", "--scheme", kind, "--side", "32", "--padding", "4") == 0
    store = PatchStore(tmp_path / "store")
    assert store.scheme.kind == kind
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
    for workers in ("0", "4"):
        assert extract(small_set, tmp_path / workers, "--workers", workers) == 0
    for name in ("patches.npy", "targets.npy", "origins.npy", "manifest.json"):
        assert (tmp_path / "0" / name).read_bytes() == (tmp_path / "4" / name).read_bytes()


def test_a_missing_image_is_counted(small_set: SmallSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (small_set.images / "000001.png").unlink()
    assert extract(small_set, tmp_path / "store") == 0
    assert capsys.readouterr().out.startswith("4 records: 2 matched, 0 without a match, 2 unreadable")


def test_a_finished_store_is_never_overwritten(small_set: SmallSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert extract(small_set, tmp_path / "store") == 0
    assert extract(small_set, tmp_path / "store") == 1
    assert "already holds a patch store" in capsys.readouterr().err
