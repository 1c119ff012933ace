import copy
import subprocess
import sys
from collections.abc import Iterable, Iterator
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

import numpy as np
import pytest

from bpr.errors import BPRError
from bpr.geometry.options import PatchSpec, Placement
from bpr.training.data.patch_store import PatchStore, PatchStoreWriter

SPEC, PLACEMENT = PatchSpec(side=8), Placement(cover_margin=2)
Rows = tuple[np.ndarray, np.ndarray, np.ndarray]


def rows(count: int, seed: int = 0) -> Rows:
    rng = np.random.default_rng(seed)
    patches = rng.integers(0, 256, (count, 8, 8, 4), np.uint8)
    return patches, rng.integers(0, 2, (count, 8, 8), np.uint8), rng.integers(0, 99, (count, 5)).astype(np.int32)


def interrupted() -> Iterator[Rows]:
    yield rows(3)
    raise KeyboardInterrupt


def build(folder: Path, parts: Iterable[Rows]) -> Path:
    with PatchStoreWriter(folder, SPEC, PLACEMENT, {"made by": "a test"}) as store:
        for part in parts:
            store.append(*part)
    return folder


def test_what_goes_in_comes_out_in_order(tmp_path: Path) -> None:
    parts = rows(3), rows(0), rows(130, seed=1)
    store = PatchStore(build(tmp_path / "store", parts))
    assert len(store) == store.manifest["count"] == 133
    assert (store.spec, store.placement) == (SPEC, PLACEMENT)
    assert store.manifest["source"] == {"made by": "a test"}
    for written, name in zip(zip(*parts, strict=True), ("patches", "targets", "origins"), strict=True):
        assert np.array_equal(getattr(store, name), np.concatenate(written))


def test_every_row_is_read_as_it_was_written(tmp_path: Path) -> None:
    patches, targets, origins = rows(300)  # pages hold some rows whole and parts of others
    store = PatchStore(build(tmp_path / "store", [(patches, targets, origins)]))
    for row in range(300):
        patch, target = store.read(row)
        assert np.array_equal(patch, patches[row])
        assert np.array_equal(target, targets[row])
        assert patch.flags.writeable


def test_arrays_are_mapped_and_read_by_numpy_alone(tmp_path: Path) -> None:
    folder = build(tmp_path / "store", [rows(5)])
    assert isinstance(PatchStore(folder).patches, np.memmap)
    assert np.array_equal(np.load(folder / "targets.npy"), rows(5)[1])
    assert sorted(path.name for path in folder.iterdir()) == ["manifest.json", "origins.npy", "patches.npy", "targets.npy"]


def test_equal_input_gives_equal_bytes(tmp_path: Path) -> None:
    first, second = (build(tmp_path / name, [rows(4)]) for name in ("a", "b"))
    for path in first.iterdir():
        assert path.read_bytes() == (second / path.name).read_bytes()


def test_an_interrupted_store_is_unfinished_and_can_be_built_again(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    with pytest.raises(KeyboardInterrupt):
        build(folder, interrupted())
    with pytest.raises(BPRError, match="no finished patch store"):
        PatchStore(folder)
    assert len(PatchStore(build(folder, [rows(2)]))) == 2


def test_a_finished_store_is_not_overwritten(tmp_path: Path) -> None:
    folder = build(tmp_path / "store", [rows(2)])
    with pytest.raises(BPRError, match="already holds a patch store"):
        PatchStoreWriter(folder, SPEC, PLACEMENT, {})
    assert len(PatchStore(folder)) == 2


def test_another_shape_of_patches_is_refused_another_suppression_is_not(tmp_path: Path) -> None:
    folder = build(tmp_path / "store", [rows(2)])
    PatchStore(folder, SPEC)
    for other in (SPEC.changed(side=16), SPEC.changed(padding=4), SPEC.changed(inputs=("rgb", "mask", "evidence"))):
        with pytest.raises(BPRError, match="extract again or change the config"):
            PatchStore(folder, other)


def test_another_version_is_refused(tmp_path: Path) -> None:
    folder = build(tmp_path / "store", [rows(1)])
    manifest = folder / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"version": 1', '"version": 99'))
    with pytest.raises(BPRError, match="expected a patch store of version 1, got 99"):
        PatchStore(folder)


def test_rows_of_a_wrong_shape_are_refused(tmp_path: Path) -> None:
    patches, targets, origins = rows(2)
    with PatchStoreWriter(tmp_path / "store", SPEC, PLACEMENT, {}) as store, pytest.raises(ValueError, match=r"expected \(n, 8, 8, 4\)"):
        store.append(patches[:, :4], targets, origins)


def test_an_empty_store_is_a_store(tmp_path: Path) -> None:
    store = PatchStore(build(tmp_path / "store", []))
    assert len(store) == 0
    assert store.patches.shape == (0, 8, 8, 4)


PARTS = rows(3), rows(0, seed=1), rows(2, seed=2), rows(4, seed=3)


def build_by_item(folder: Path, resume: bool = False) -> Path:
    with PatchStoreWriter(folder, SPEC, PLACEMENT, {}, resume) as store:
        for part in PARTS[store.progress.items :]:
            store.append(*part)
            store.end_item(unreadable=1)
    return folder


@pytest.mark.parametrize("name", ["patches.npy", "targets.npy", "origins.npy", "building.txt"])
def test_a_tail_torn_anywhere_is_cut_back(tmp_path: Path, name: str) -> None:
    """Whatever a crash left of one file, the build goes on to the same store."""
    undisturbed, torn = build_by_item(tmp_path / "undisturbed"), tmp_path / "torn"
    store = PatchStoreWriter(torn, SPEC, PLACEMENT, {})
    for part in PARTS:
        store.append(*part)
        store.end_item(unreadable=1)
    left = {path: path.read_bytes() for path in torn.iterdir()}
    whole = left[torn / name]
    for length in np.linspace(0, len(whole), 23).astype(int).tolist():
        for path, content in left.items():
            path.write_bytes(content[:length] if path.name == name else content)
        build_by_item(torn, resume=True)
        for path in undisturbed.iterdir():
            assert (torn / path.name).read_bytes() == path.read_bytes(), f"{name} torn at byte {length}"
        (torn / "manifest.json").unlink()


def test_a_process_that_is_spawned_opens_the_files_and_receives_no_arrays(tmp_path: Path) -> None:
    store = PatchStore(build(tmp_path / "store", [rows(200)]), SPEC)
    assert len(ForkingPickler.dumps(store)) < 1000 < store.patches.nbytes
    opened = copy.copy(store)
    assert isinstance(opened.patches, np.memmap)
    assert np.array_equal(opened.targets, store.targets)


def test_a_store_is_read_without_torch() -> None:
    code = "import sys, bpr.training.data.patch_store; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "False"
