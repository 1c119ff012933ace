"""A patch store: training patches in three memory-mapped arrays and a manifest, instead of a million PNGs.

Legend: N patches, S window side, C channels of a patch.

    manifest.json   how patches were cut, counts, source (the files that the store was made from); written last, so a
                    folder without it is unfinished
    patches.npy     (N, S, S, C) uint8 network input
    targets.npy     (N, S, S) uint8 ground truth, 0 or 1
    origins.npy     (N, 5) int32 record index in the results file, then the patch box XYXY
    building.txt    only while the store is built: see bpr.training.data.build_journal
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from bpr.errors import BPRError, shown
from bpr.geometry.options import PatchSpec, Placement, from_dict, to_dict
from bpr.io.files import read_json, write_json
from bpr.training.data.build_journal import BuildJournal, Progress

FORMAT = "bpr-patch-store"
VERSION = 1
HEADER_BYTES = 128


class PatchStore:
    """A finished store, opened for reading.

    Raises:
        BPRError: missing, unfinished, of another version, or cut in another way than ``expected``.
    """

    def __init__(self, folder: str | Path, expected: PatchSpec | None = None) -> None:
        folder = Path(folder)
        self._opened_with = folder, expected
        if not (folder / "manifest.json").is_file():
            unfinished = "no finished patch store (manifest.json is missing)"
            raise BPRError(f"{folder}: {unfinished}; build it with bpr extract-patches")
        self.manifest = read_json(folder / "manifest.json", "the manifest of a patch store")
        _check_manifest(self.manifest, folder)
        try:
            self.spec, options = from_dict(self.manifest["scheme"])
        except ValueError as error:
            raise BPRError(f"{folder}: {error}; extract again") from None
        self.placement = options.placement
        # The IoU of the suppression may differ between a store and a config (paper: .25 and .55), the patches may not.
        if expected is not None and expected != self.spec:
            difference = f"the store was cut with {asdict(self.spec)}, the config expects {asdict(expected)}"
            raise BPRError(f"{folder}: {difference}; extract again or change the config")
        arrays = (_opened(folder / name, *row) for name, row in _rows(self.spec).items())
        self.patches, self.targets, self.origins = arrays
        if not len(self.patches) == len(self.targets) == len(self.origins) == self.manifest["count"]:
            count = shown(self.manifest["count"])
            raise BPRError(f"{folder}: expected arrays of {count} patches, as the manifest says; extract again")

    def __len__(self) -> int:
        return len(self.patches)

    def read(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        """Copies of one row: (S, S, C) patch and (S, S) ground truth. Only the bytes of this row are read from disk."""
        return _read_row(self.patches, row), _read_row(self.targets, row)

    def __reduce__(self) -> tuple[Any, ...]:
        """A spawned process opens the files itself; pickling the memory maps would send it gigabytes."""
        return PatchStore, self._opened_with


def _rows(spec: PatchSpec) -> dict[str, tuple[tuple[int, ...], type[np.generic]]]:
    """The arrays of a store by file: the shape of a row, and the type."""
    window = (spec.window, spec.window)
    return {
        "patches.npy": ((*window, spec.channels), np.uint8),
        "targets.npy": (window, np.uint8),
        "origins.npy": ((5,), np.int32),
    }


def _check_manifest(manifest: Any, folder: Path) -> None:
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT or manifest.get("version") != VERSION:
        version = shown(manifest.get("version")) if isinstance(manifest, dict) else "no manifest"
        raise BPRError(f"{folder}: expected a patch store of version {VERSION}, got {version}; extract again")
    missing = {"scheme", "source", "count", "built"} - manifest.keys()
    if missing:
        raise BPRError(f"{folder}: expected a manifest with {', '.join(sorted(missing))}, got none; extract again")


def _opened(path: Path, row: tuple[int, ...], dtype: type[np.generic]) -> np.memmap:
    """A memory map of the rows of a store's array."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # numpy parses the header as a Python literal and lets all of its exceptions through
        raise BPRError(f"{path}: cannot open the array ({error}); extract again") from None
    if not isinstance(array, np.memmap) or array.shape[1:] != row or array.dtype != dtype:
        raise BPRError(f"{path}: expected rows of {row} {np.dtype(dtype)}, got another array; extract again")
    return array


def _read_row(array: np.memmap, row: int) -> np.ndarray:
    """A copy of a row.

    Its pages are requested explicitly. Otherwise the system would read ahead, which is wasted in a shuffled epoch.
    """
    view = array[row]
    if hasattr(mmap, "MADV_WILLNEED"):  # not on Windows
        start = array.offset % mmap.ALLOCATIONGRANULARITY + row * view.nbytes
        page = start - start % mmap.PAGESIZE
        array.base.madvise(mmap.MADV_WILLNEED, page, start - page + view.nbytes)  # type: ignore[union-attr]
    return np.array(view)


class PatchStoreWriter:
    """Appends patches to a new store, item by item; memory use does not grow with the store.

    Leaving the ``with`` block without an error finishes the store.

    Args:
        source: the files that the store is made from; a build is resumed only if they are the same.
        resume: continue a killed build, of which the first ``progress.items`` items are kept.

    Raises:
        BPRError: the folder already holds a store, or ``resume`` and a build of other patches or of another source.
    """

    def __init__(
        self, folder: str | Path, spec: PatchSpec, placement: Placement, source: dict[str, Any], resume: bool = False
    ) -> None:
        self.folder = Path(folder)
        if (self.folder / "manifest.json").exists():
            raise BPRError(f"{folder}: already holds a patch store; choose another --out or remove it")
        self.folder.mkdir(parents=True, exist_ok=True)
        self._made_of = _made_of(spec, placement, source)
        fingerprint = hashlib.sha256(json.dumps(self._made_of, sort_keys=True).encode()).hexdigest()
        self._arrays = [_GrowingArray(self.folder / name, *row, resume) for name, row in _rows(spec).items()]
        self._patches = self._arrays[0]
        rows = min(array.count for array in self._arrays) if resume else None
        self._journal = BuildJournal(self.folder / "building.txt", fingerprint, rows)
        for array in self._arrays:
            array.cut_back(self.progress.rows)

    def append(self, patches: np.ndarray, targets: np.ndarray, origins: np.ndarray) -> None:
        """Add (n, S, S, C), (n, S, S) and (n, 5) rows of the same n patches."""
        for array, rows in zip(self._arrays, (patches, targets, origins), strict=True):
            array.append(rows)

    def end_item(self, matched: int = 0, unreadable: int = 0) -> None:
        """Mark the rows appended since the last call as complete, so that resuming a killed build keeps it."""
        for array in self._arrays:
            array.flush()
        self._journal.add(self._patches.count - self.progress.rows, matched, unreadable)

    @property
    def progress(self) -> Progress:
        return self._journal.progress

    def __enter__(self) -> PatchStoreWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        for array in self._arrays:
            array.close()
        if kind is None:
            built = {"count": self._patches.count, "built": asdict(self.progress)}
            write_json(self.folder / "manifest.json", {**built, **self._made_of}, indent=1)
        self._journal.close(finished=kind is None)


def stores_in(folder: str | Path) -> list[Path]:
    """``folder`` if it is a store, else the stores of all shards that were extracted into it, in order.

    Raises:
        BPRError: a shard is missing.
    """
    found = {path.name: path for path in Path(folder).glob("*-of-*")}
    if not found or (Path(folder) / "manifest.json").is_file():
        return [Path(folder)]
    count = max(int(name.rpartition("-of-")[2]) for name in found if name.rpartition("-of-")[2].isdigit())
    wanted = [f"{number}-of-{count}" for number in range(1, count + 1)]
    if missing := sorted(set(wanted) - found.keys()):
        problem = f"expected the patch stores of {count} shards, got none of {', '.join(missing)}"
        raise BPRError(f"{folder}: {problem}; extract them too")
    return [found[name] for name in wanted]


def finished_build(
    folder: str | Path, spec: PatchSpec, placement: Placement, source: dict[str, Any]
) -> Progress | None:
    """The progress of a finished store of the same patches and source; None where there is none."""
    if not (Path(folder) / "manifest.json").is_file():
        return None
    store = PatchStore(folder)
    same = _made_of(store.spec, store.placement, store.manifest["source"]) == _made_of(spec, placement, source)
    return Progress(**store.manifest["built"]) if same else None


def _made_of(spec: PatchSpec, placement: Placement, source: dict[str, Any]) -> dict[str, Any]:
    return {"format": FORMAT, "version": VERSION, "scheme": to_dict(spec, placement), "source": source}


class _GrowingArray:
    """A ``.npy`` file that grows row by row. Its header has room for any length, and is written again at the end.

    Until :meth:`cut_back` the file is only looked at, so that a build that is refused changes nothing.
    """

    def __init__(self, path: Path, row: tuple[int, ...], dtype: type[np.generic], resume: bool) -> None:
        self._path, self.row, self.dtype = path, row, np.dtype(dtype)
        self._row_bytes = int(np.prod(row)) * self.dtype.itemsize
        size = path.stat().st_size if resume and path.exists() else 0
        self.count = max(0, size - HEADER_BYTES) // self._row_bytes

    def cut_back(self, count: int) -> None:
        """Open the file and keep its first ``count`` rows."""
        self.count = count
        self._file = open(self._path, "r+b" if count else "w+b")  # noqa: SIM115  (open until the store is finished)
        self._write_header()
        self._file.truncate(HEADER_BYTES + count * self._row_bytes)
        self._file.seek(0, os.SEEK_END)

    def append(self, rows: np.ndarray) -> None:
        if rows.shape[1:] != self.row:
            raise ValueError(f"rows: expected (n, {', '.join(map(str, self.row))}), got {rows.shape}")
        self._file.write(np.ascontiguousarray(rows, self.dtype).data)
        self.count += len(rows)

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.seek(0)
        self._write_header()
        self._file.close()

    def _write_header(self) -> None:
        shape, magic = (self.count, *self.row), b"\x93NUMPY\x01\x00"
        text = f"{{'descr': {json.dumps(self.dtype.str)}, 'fortran_order': False, 'shape': {shape}, }}"
        header = text.ljust(HEADER_BYTES - 11).encode() + b"\n"
        self._file.write(magic + (HEADER_BYTES - 10).to_bytes(2, "little") + header)
