"""Files written whole or not at all, JSON read with one clear line when it cannot be."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, Any, TypeVar

from bpr.errors import BPRError, shown
from bpr.limits import LARGEST_FILE, LARGEST_TEXT, LONGEST_ROW, check_depth

Made = TypeVar("Made")


NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""What a disk says that cannot take what is written."""
KINDS = {stat.S_IFREG: "a file", stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
"""What an error calls what lies at a path; anything else is a device."""


@contextmanager
def atomic_open(path: str | Path, mode: str = "w") -> Iterator[IO[Any]]:
    """Open a temporary file beside ``path`` and move it there once the block has ended well; a link leads on to what it names.

    Raises:
        BPRError: ``path`` is no file, cannot be written, or the disk is full.
    """
    with full_disk_errors(path):
        path = _place_of_file(Path(path))
        handle, temporary = make_beside(path, tempfile.mkstemp)
        try:
            with os.fdopen(handle, mode, encoding=None if "b" in mode else "utf-8") as file:
                yield file
            os.chmod(temporary, 0o666 & ~umask())
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def check_writable(path: str | Path) -> None:
    """Fail before the work and not after it.

    Raises:
        BPRError: ``path`` is no file or cannot be written.
    """
    handle, temporary = make_beside(_place_of_file(Path(path)), tempfile.mkstemp)
    os.close(handle)
    os.unlink(temporary)


def _place_of_file(path: Path) -> Path:
    """Where a file written to ``path`` comes to lie; a pipe or device is left alone, as a rename would replace it."""
    kind = kind_of(path)
    if kind not in (None, "a file"):
        raise BPRError(f"{path}: expected a file to write, got {kind}; choose another output")
    return followed(path)


def kind_of(path: Path) -> str | None:
    """What lies at ``path`` when its links are followed; None where nothing is, or nothing can be seen."""
    try:
        return KINDS.get(stat.S_IFMT(os.stat(path).st_mode), "a device")
    except OSError as error:
        return "a link to itself" if error.errno == errno.ELOOP else None


def followed(path: Path) -> Path:
    """What a link names, be it there or not; any other path as it is written."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def make_beside(path: Path, make: Callable[..., Made]) -> Made:
    """What ``tempfile`` makes next to ``path``, on the same disk, so that a rename puts it there."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return make(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise BPRError(f"{path}: cannot write there ({error.strerror}); choose another output") from error


@contextmanager
def full_disk_errors(path: str | Path) -> Iterator[None]:
    """One line that names ``path`` for a disk without room; of a file in an atomic folder, the folder is named."""
    try:
        yield
    except (OSError, BPRError) as error:
        cause = error if isinstance(error, OSError) else error.__cause__
        if not isinstance(cause, OSError) or cause.errno not in NO_ROOM:
            raise
        remedy = "what was there stays; make room, or choose another output"
        raise BPRError(f"{path}: cannot write ({cause.strerror}); {remedy}") from cause


LONGEST_NAME = 255
"""Bytes of one part of a path, on the file systems of today."""


def inside(folder: str | Path, name: object, where: object) -> Path:
    """``folder / name``; a name that a file of ours or another's brought must not lead out of the folder.

    Raises:
        BPRError: ``name`` is absolute, climbs (``..``) or is no name at all; ``where`` says which file holds it.
    """
    if not isinstance(name, str) or not name.strip() or not _leads_down(name):
        raise BPRError(f"{where}: expected a file name inside its folder, got {shown(name)}; names must not be absolute or hold ..")
    return Path(folder) / name


def _leads_down(name: str) -> bool:
    """Whether any system takes ``name`` for a file in or below the folder."""
    posix, windows = PurePosixPath(name), PureWindowsPath(name)
    try:
        longest = max((len(os.fsencode(part)) for part in posix.parts), default=0)
    except UnicodeEncodeError:  # half a surrogate pair, which JSON can spell and no file can be called
        return False
    return ".." not in (*posix.parts, *windows.parts) and "\0" not in name and not windows.anchor and longest <= LONGEST_NAME


def own_file(folder: str | Path, path: Path) -> Path:
    """``path``, if it lies in ``folder`` when its links are followed; the folder itself may be a link.

    Raises:
        BPRError: a link leads out of the folder.
    """
    if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder)):
        raise BPRError(f"{path}: expected a file inside its folder, got a link out of it; copy the file or name its folder")
    return path


def open_regular(path: str | Path) -> IO[bytes]:
    """Open a file to read its bytes.

    Raises:
        OSError: it cannot be read, or is a pipe or device, which may have no end.
    """
    kept = os.stat(path)
    if not stat.S_ISREG(kept.st_mode):
        folder = stat.S_ISDIR(kept.st_mode)
        raise OSError(errno.EISDIR if folder else errno.EINVAL, "Is a directory" if folder else "not a regular file")
    return open(path, "rb")


def read_whole(path: str | Path, largest: int = LARGEST_FILE) -> bytes:
    """The bytes of a file.

    Raises:
        OSError: it cannot be read, is larger than ``largest``, or is a pipe or device.
    """
    with open_regular(path) as file:
        if os.fstat(file.fileno()).st_size > largest:
            raise OSError(errno.EFBIG, f"larger than {largest} bytes")
        return file.read()


def read_rows(path: Path) -> list[str]:
    """The lines of a label file.

    Raises:
        BPRError: it cannot be read as text, or a line is too long to be one.
    """
    try:
        rows = read_whole(path, LARGEST_TEXT).decode("utf-8").splitlines()
    except OSError as error:
        raise BPRError(f"{path}: cannot read the labels ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise BPRError(f"{path}: cannot read the labels as text ({error.reason})") from None
    longest = max(map(len, rows), default=0)
    if longest > LONGEST_ROW:
        raise BPRError(f"{path}: expected lines of at most {LONGEST_ROW} characters, got one of {longest}")
    return rows


def umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextmanager
def json_errors(path: str | Path, what: str) -> Iterator[None]:
    """Make one line of whatever goes wrong while ``path`` is read as JSON; ``what`` names what it should hold."""
    try:
        yield
    except FileNotFoundError:
        raise BPRError(f"{path}: no such file; expected {what}") from None
    except IsADirectoryError:
        raise BPRError(f"{path}: is a folder; expected {what}") from None
    except OSError as error:
        raise BPRError(f"{path}: cannot read it ({error.strerror}); expected {what}") from None
    except (ValueError, RecursionError) as error:
        raise BPRError(f"{path}: not valid JSON ({error}); expected {what}") from None


def read_json(path: str | Path, what: str) -> Any:
    """Parse ``path``; ``what`` names it in the error."""
    with json_errors(path, what), open(path, encoding="utf-8-sig") as file:
        value = json.load(file)
    check_depth(value, path)
    return value


def sha256_of(path: str | Path) -> str:
    """The SHA-256 of a file's content in hexadecimal: which model, which weights, which records."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def write_json(path: str | Path, value: Any, indent: int | None = None) -> None:
    """Write ``value`` atomically."""
    with atomic_open(path) as file:
        json.dump(value, file, indent=indent)


def write_json_list(path: str | Path, items: Iterable[Any]) -> None:
    """Write a list atomically, each item when it comes: the bytes of :func:`write_json`, in the memory of one item."""
    with atomic_open(path) as file:
        file.write("[")
        for index, item in enumerate(items):
            file.write(f"{', ' if index else ''}{json.dumps(item)}")
        file.write("]")
