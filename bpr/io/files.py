"""Files that are written whole or not at all, names that stay inside their folder, and JSON with one-line errors."""

from __future__ import annotations

import codecs
import errno
import hashlib
import json
import os
import re
import secrets
import shutil
import stat
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, Any

from bpr.errors import BPRError, shown
from bpr.limits import LARGEST_FILE, LARGEST_TEXT, LONGEST_ROW, check_depth

DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""Error numbers that mean that a disk, a quota or a file system is full."""
KINDS = {stat.S_IFREG: "a file", stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
"""The name of a kind of file in error messages; all other kinds are devices."""
SYSTEM_FILE = re.compile(r"\.DS_Store|Thumbs\.db|desktop\.ini|\.nfs.*|\._.*", re.DOTALL)
"""Names of files that operating systems leave behind. macOS puts files ``._NAME`` beside others on foreign disks and in
archives; they hold nothing of ``NAME``.
"""
LONGEST_NAME = 255
"""Bytes that common file systems allow for one part of a path."""


# Writing.


@contextmanager
def atomic_open(path: str | Path, mode: str = "w") -> Iterator[IO[Any]]:
    """Open a temporary file next to ``path``, and rename it to ``path`` when the block ends without an error.

    A link stays a link; the file that it points to is replaced.

    Args:
        mode: ``w`` for text in UTF-8, ``wb`` for bytes.

    Raises:
        BPRError: ``path`` is not a file, cannot be written, or the disk is full.
    """
    with full_disk_errors(path):
        path = _output_file(Path(path))
        with name_beside(path) as name:
            file = open(name, mode.replace("w", "x"), encoding=None if "b" in mode else "utf-8")  # noqa: SIM115
        try:
            with file:
                yield file
            os.replace(name, path)
        except BaseException:
            name.unlink(missing_ok=True)
            raise


def check_writable(path: str | Path) -> None:
    """Check that :func:`atomic_open` can write ``path``, so that a command fails before its work and not after.

    Raises:
        BPRError: ``path`` is not a file or cannot be written.
    """
    with name_beside(_output_file(Path(path))) as name:
        open(name, "xb").close()
        name.unlink()


def _output_file(path: Path) -> Path:
    """The file that writing ``path`` replaces. Pipes and devices are refused: a rename would replace them by a file."""
    kind = kind_of(path)
    if kind not in (None, "a file"):
        raise BPRError(f"{path}: expected a file to write, got {kind}; choose another output")
    return followed(path)


def kind_of(path: Path) -> str | None:
    """The kind of file that ``path`` leads to after following links; None if there is none or it cannot be read."""
    try:
        return KINDS.get(stat.S_IFMT(os.stat(path).st_mode), "a device")
    except OSError as error:
        return "a link to itself" if error.errno == errno.ELOOP else None


def followed(path: Path) -> Path:
    """The target of a link, whether it exists or not; any other path unchanged."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


@contextmanager
def name_beside(path: Path) -> Iterator[Path]:
    """A new name in the folder of ``path``, so that a rename within one disk can replace ``path``.

    The folder of ``path`` is created where it is missing. The block creates what has the new name.

    Raises:
        BPRError: the folder or the new name cannot be created.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary_name(path)
    except OSError as error:
        raise BPRError(f"{path}: cannot write there ({error.strerror}); choose another output") from error


def temporary_name(path: Path) -> Path:
    """A hidden name next to ``path`` that no other writer uses."""
    return path.parent / f".{path.name}.{secrets.token_hex(4)}"


@contextmanager
def full_disk_errors(path: str | Path) -> Iterator[None]:
    """Turn the errors of a full disk into one line that names ``path``.

    Around an atomic folder the line names the folder, although the error came from a file inside it.
    """
    try:
        yield
    except (OSError, BPRError) as error:
        cause = error if isinstance(error, OSError) else error.__cause__
        if not isinstance(cause, OSError) or cause.errno not in DISK_FULL:
            raise
        remedy = "the old content is kept; free some space, or choose another output"
        raise BPRError(f"{path}: cannot write ({cause.strerror}); {remedy}") from cause


def write_json(path: str | Path, value: Any, indent: int | None = None) -> None:
    """Write ``value`` as JSON, atomically."""
    with atomic_open(path) as file:
        json.dump(value, file, indent=indent)


def write_json_list(path: str | Path, items: Iterable[Any]) -> None:
    """Write the bytes that :func:`write_json` writes for a list, but hold only one item in memory at a time."""
    with atomic_open(path) as file:
        file.write("[")
        for index, item in enumerate(items):
            file.write(f"{', ' if index else ''}{json.dumps(item)}")
        file.write("]")


def link_or_copy(file: Path, target: Path) -> None:
    """Give a file another name, which costs no space; across disks it is copied."""
    target.parent.mkdir(parents=True, exist_ok=True)
    real = os.path.realpath(file)
    try:
        os.link(real, target)
    except OSError:
        shutil.copyfile(real, target)


def files_below(folder: str | Path, endings: Collection[str]) -> list[Path]:
    """The files of a folder and of those in it whose names end so, in any case, sorted, without system files."""
    found = Path(folder).rglob("*")
    return sorted(path for path in found if path.suffix.lower() in endings and not SYSTEM_FILE.fullmatch(path.name))


# Names that come from a file.


def inside(folder: str | Path, name: object, where: object) -> Path:
    """``folder / name`` for a ``name`` that was read from a file and must not lead out of the folder.

    Raises:
        BPRError: ``name`` is not a string, is empty or absolute, or contains ``..``; ``where`` names the file that
            holds it.
    """
    if not isinstance(name, str) or not name.strip() or not _stays_below(name):
        raise BPRError(f"{where}: expected a file name inside its folder, got {shown(name)}; names must not be absolute or hold ..")
    return Path(folder) / name


def _stays_below(name: str) -> bool:
    """Whether ``name`` is a valid path below a folder under the rules of POSIX and of Windows."""
    posix, windows = PurePosixPath(name), PureWindowsPath(name)
    try:
        longest = max((len(os.fsencode(part)) for part in posix.parts), default=0)
    except UnicodeEncodeError:  # JSON can spell half a surrogate pair; a file name cannot hold it
        return False
    climbs = ".." in (*posix.parts, *windows.parts)
    return not climbs and "\0" not in name and not windows.anchor and longest <= LONGEST_NAME


def own_file(folder: str | Path, path: Path) -> Path:
    """``path``, if it still lies in ``folder`` after links are followed; the folder itself may be a link.

    Raises:
        BPRError: a link leads out of the folder.
    """
    if not is_own_file(folder, path):
        raise BPRError(f"{path}: expected a file inside its folder, got a link out of it; copy the file or name its folder")
    return path


def is_own_file(folder: str | Path, path: Path) -> bool:
    """Whether ``path`` still lies in ``folder`` after links are followed."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


# Reading.


def open_regular(path: str | Path) -> IO[bytes]:
    """Open a file to read its bytes.

    Raises:
        OSError: it cannot be read, or is a pipe or device, which may never end.
    """
    try:
        mode = os.stat(path).st_mode
    except ValueError:  # a null character, or half a surrogate pair, which JSON can spell
        raise OSError(errno.EINVAL, "no file can have this name") from None
    if stat.S_ISDIR(mode):
        raise OSError(errno.EISDIR, "Is a directory")
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "not a regular file")
    return open(path, "rb")


def read_whole(path: str | Path, largest: int = LARGEST_FILE) -> bytes:
    """The bytes of a file.

    Raises:
        OSError: it cannot be read, is larger than ``largest`` bytes, or is a pipe or device.
    """
    with open_regular(path) as file:
        if os.fstat(file.fileno()).st_size > largest:
            raise OSError(errno.EFBIG, f"larger than {largest} bytes")
        return file.read()


def content_of(path: str | Path, what: str, largest: int = LARGEST_FILE) -> bytes:
    """:func:`read_whole`, whose errors become a BPRError that says ``what`` cannot be read."""
    try:
        return read_whole(path, largest)
    except OSError as error:
        raise BPRError(f"{path}: cannot read {what} ({error.strerror})") from None


def size_and_time(file: int | Path) -> tuple[int, int]:
    """The size and the time of the last change of a file, by its name or descriptor: whether it is still the same one."""
    status = os.stat(file)
    return status.st_size, status.st_mtime_ns


def decode_text(content: bytes) -> tuple[str, str]:
    """Text in UTF-8, or in UTF-16 with a byte order mark: the text without a mark, and its encoding without one."""
    for mark, encoding in ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        if content.startswith(mark):
            return content.removeprefix(mark).decode(encoding), encoding
    return content.decode("utf-8-sig"), "utf-8"


def read_rows(path: Path) -> list[str]:
    """The lines of a label file, which is text in UTF-8, or in UTF-16 with a byte order mark.

    Raises:
        BPRError: it cannot be read as text, or a line is longer than any real one.
    """
    try:
        rows = decode_text(content_of(path, "the labels", LARGEST_TEXT))[0].splitlines()
    except UnicodeDecodeError as error:
        raise BPRError(f"{path}: cannot read the labels as text ({error.reason})") from None
    longest = max(map(len, rows), default=0)
    if longest > LONGEST_ROW:
        raise BPRError(f"{path}: expected lines of at most {LONGEST_ROW} characters, got one of {longest}")
    return rows


@contextmanager
def json_errors(path: str | Path, expected: str) -> Iterator[None]:
    """Turn every error of reading ``path`` as JSON into one line; ``expected`` describes the content."""
    try:
        yield
    except FileNotFoundError:
        raise BPRError(f"{path}: no such file; expected {expected}") from None
    except IsADirectoryError:
        raise BPRError(f"{path}: is a folder; expected {expected}") from None
    except OSError as error:
        raise BPRError(f"{path}: cannot read it ({error.strerror}); expected {expected}") from None
    except (ValueError, RecursionError) as error:
        raise BPRError(f"{path}: not valid JSON ({error}); expected {expected}") from None


def read_json(path: str | Path, expected: str) -> Any:
    """The parsed JSON of ``path``; ``expected`` describes the content.

    Raises:
        BPRError: it cannot be read, is not JSON, or is nested too deeply.
    """
    with json_errors(path, expected), open(path, encoding="utf-8-sig") as file:
        value = json.load(file)
    check_depth(value, path)
    return value


def sha256_of(path: str | Path) -> str:
    """The SHA-256 digest of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def digest_of(path: str | Path) -> str:
    """The SHA-256 of a file, or of the names and contents of all files in a folder."""
    path = Path(path)
    if not path.is_dir():
        return sha256_of(path)
    files = sorted(file for file in path.rglob("*") if file.is_file())
    lines = [f"{file.relative_to(path).as_posix()}\t{sha256_of(file)}\n" for file in files]
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
