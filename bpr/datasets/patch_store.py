"""Training patches in three memory-mapped arrays and a manifest, not in a million PNGs.

Legend: N patches, S window side, C channels of the scheme.

    manifest.json   scheme, count, source (how it was made), written last: a folder without it is unfinished
    patches.npy     (N, S, S, C) uint8 network input
    targets.npy     (N, S, S) uint8 ground truth, 0 or 1
    origins.npy     (N, 5) int32 record index in the results file, then the patch box XYXY
"""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from bpr.errors import BPRError
from bpr.formats.files import read_json, write_json
from bpr.geometry.scheme import TRAINED, PatchScheme

FORMAT = "bpr-patch-store"
VERSION = 1


class PatchStore:
    """Read a finished store.

    Raises:
        BPRError: missing, unfinished, of another version, or cut with another scheme than ``expected``.
    """

    def __init__(self, folder: str | Path, expected: PatchScheme | None = None) -> None:
        folder = Path(folder)
        if not (folder / "manifest.json").is_file():
            raise BPRError(f"{folder}: no finished patch store (manifest.json is missing); build it with extract_patches")
        self.manifest = read_json(folder / "manifest.json", "the manifest of a patch store")
        if self.manifest.get("format") != FORMAT or self.manifest.get("version") != VERSION:
            raise BPRError(f"{folder}: expected a patch store of version {VERSION}, got {self.manifest.get('version')}; extract again")
        self.scheme = PatchScheme.from_dict(self.manifest["scheme"])
        if expected is not None and _shape_of(expected) != _shape_of(self.scheme):
            raise BPRError(
                f"{folder}: the store was cut with {_shape_of(self.scheme)}, the config expects {_shape_of(expected)};"
                " extract again or change the config"
            )
        self.patches, self.targets, self.origins = (
            np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in ("patches", "targets", "origins")
        )

    def __len__(self) -> int:
        return len(self.patches)


def _shape_of(scheme: PatchScheme) -> dict[str, Any]:
    """What must agree between a store and a training; the suppression may differ (paper: .25 and .55)."""
    values = scheme.to_dict()
    return {name: values[name] for name in TRAINED}


class PatchStoreWriter:
    """Append patches; memory stays flat. Leaving the ``with`` block without an error finishes the store.

    Raises:
        BPRError: the folder already holds a store.
    """

    def __init__(self, folder: str | Path, scheme: PatchScheme, source: dict[str, Any]) -> None:
        self.folder = Path(folder)
        if (self.folder / "manifest.json").exists():
            raise BPRError(f"{folder}: already holds a patch store; choose another --out or remove it")
        self.folder.mkdir(parents=True, exist_ok=True)
        self.scheme, self.source = scheme, source
        window = (scheme.window, scheme.window)
        self._patches = _GrowingArray(self.folder / "patches.npy", (*window, scheme.channels), np.uint8)
        self._targets = _GrowingArray(self.folder / "targets.npy", window, np.uint8)
        self._origins = _GrowingArray(self.folder / "origins.npy", (5,), np.int32)

    def append(self, patches: np.ndarray, targets: np.ndarray, origins: np.ndarray) -> None:
        """Add (n, S, S, C), (n, S, S) and (n, 5) rows of the same n patches."""
        self._patches.append(patches)
        self._targets.append(targets)
        self._origins.append(origins)

    @property
    def count(self) -> int:
        return self._patches.count

    def __enter__(self) -> PatchStoreWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for array in (self._patches, self._targets, self._origins):
            array.close()
        if kind is None:
            manifest = {"format": FORMAT, "version": VERSION, "count": self.count}
            write_json(self.folder / "manifest.json", {**manifest, "scheme": self.scheme.to_dict(), "source": self.source}, indent=1)


class _GrowingArray:
    """A ``.npy`` file that grows row by row; its header has room for any length and is set at the end."""

    def __init__(self, path: Path, row: tuple[int, ...], dtype: type[np.generic]) -> None:
        self.row, self.dtype, self.count = row, np.dtype(dtype), 0
        self._file = open(path, "wb")  # noqa: SIM115  (open until the store is finished)
        self._write_header()

    def append(self, rows: np.ndarray) -> None:
        if rows.shape[1:] != self.row:
            raise ValueError(f"rows: expected (n, {', '.join(map(str, self.row))}), got {rows.shape}")
        self._file.write(np.ascontiguousarray(rows, self.dtype).tobytes())
        self.count += len(rows)

    def close(self) -> None:
        self._file.seek(0)
        self._write_header()
        self._file.close()

    def _write_header(self) -> None:
        text = f"{{'descr': {json.dumps(self.dtype.str)}, 'fortran_order': False, 'shape': {(self.count, *self.row)}, }}"
        self._file.write(b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little") + text.ljust(117).encode() + b"\n")
