"""Folders that are written whole or not at all, and that replace only files of the same command."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bpr.errors import BPRError, shown
from bpr.io.files import SYSTEM_FILE, followed, full_disk_errors, is_own_file, kind_of, name_beside, read_whole, temporary_name, write_json

MARK = ".bpr"
"""The file in every output folder that records which command wrote it and which files: only those may be replaced."""


@contextmanager
def atomic_folder(path: str | Path, command: str = "Python") -> Iterator[Path]:
    """Yield a temporary folder next to ``path``, and rename it to ``path`` when the block ends without an error.

    Args:
        command: which command writes the folder; a command replaces only folders that it wrote itself.

    Raises:
        BPRError: ``path`` must not be replaced (:func:`check_replaceable`), cannot be written, or the disk is full.
    """
    with full_disk_errors(path):
        check_replaceable(Path(path), command)
        path = followed(Path(path))
        with name_beside(path) as temporary:
            temporary.mkdir()
        try:
            yield temporary
            mark = {"command": command, "files": sorted(_files_below(temporary))}
            write_json(temporary / MARK, mark, indent=0)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        if not path.is_dir():
            os.replace(temporary, path)
            return
        try:
            check_replaceable(path, command)  # again: hours may have passed since the first check
        except BPRError as error:
            raise BPRError(f"{error}; the new files are in {temporary}") from None
        # Two renames, because a rename replaces only an empty folder.
        old = temporary_name(path)
        os.replace(path, old)
        os.replace(temporary, path)
        shutil.rmtree(old)


def check_replaceable(folder: Path, command: str = "Python") -> None:
    """Check that replacing ``folder`` deletes only files that the same command wrote.

    Raises:
        BPRError: it is not a folder, or holds files of the user, of another command, or of a version of this package
            that did not record its files.
    """
    kind = kind_of(folder)
    if kind not in (None, "a folder"):
        raise BPRError(f"{folder}: expected a folder to write to, got {kind}; choose another output")
    if kind is None or not any(folder.iterdir()):
        return
    if not (folder / MARK).exists():
        raise BPRError(f"{folder}: the folder holds other files; choose an empty or a new output folder")
    try:
        mark = json.loads(read_whole(folder / MARK))
        writer, files = str(mark["command"]), set(mark["files"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        lacking = "the folder does not say which files bpr wrote (0.2.0 did not note them)"
        raise BPRError(f"{folder}: {lacking}; delete it, or choose an empty or a new output folder") from None
    if writer != command:
        remedy = "delete it, or choose an empty or a new output folder"
        raise BPRError(f"{folder}: the folder was written by {writer}; {remedy}")
    other = min((name for name in _files_below(folder) if name not in files), default=None)
    if other is not None:
        remedy = "move them, or choose a new output folder"
        raise BPRError(f"{folder}: the folder holds other files, {shown(other)} is one; {remedy}")


def would_replace(out: Path, path: str | Path) -> bool:
    """Whether writing ``out`` would replace ``path``: it lies there, or in a folder there that BPR wrote."""
    if not (os.path.exists(out) and os.path.exists(path)):
        return False
    return ((out / MARK).is_file() and is_own_file(out, Path(path))) or os.path.samefile(out, path)


def check_outside(out: Path, given: str | Path) -> None:
    """Raise a BPRError if ``out`` lies in the folder ``given``, whose files would then be both input and output."""
    if os.path.isdir(given) and os.path.realpath(out) != os.path.realpath(given) and is_own_file(given, out):
        raise BPRError(f"{out}: expected an output outside of {given}, got one inside, which a later run would read; choose another output")


def _files_below(folder: Path) -> Iterator[str]:
    """The paths, relative to ``folder``, of all files and links below it.

    Links are listed and not followed. The mark, and files that operating systems leave behind, are not listed.
    """
    for root, folders, files in os.walk(folder):
        links = [name for name in folders if os.path.islink(os.path.join(root, name))]
        prefix = "" if Path(root) == folder else f"{Path(root).relative_to(folder).as_posix()}/"
        kept = (name for name in (*files, *links) if not SYSTEM_FILE.fullmatch(name))
        yield from (prefix + name for name in kept if prefix + name != MARK)
