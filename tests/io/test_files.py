import errno
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from bpr.errors import BPRError
from bpr.io.files import atomic_open, check_writable, inside, read_json, write_json
from bpr.io.folders import MARK, atomic_folder, would_replace


def test_json_comes_back_and_folders_are_made(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "value.json"
    write_json(path, {"name": "Größe", "list": [1, 2.5, None]})
    assert read_json(path, "a value") == {"name": "Größe", "list": [1, 2.5, None]}


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "value.json"
    write_json(path, "old")
    with pytest.raises(TypeError):
        write_json(path, {"good": 1, "bad": object()})
    assert json.loads(path.read_text()) == "old"
    assert os.listdir(tmp_path) == ["value.json"]


def test_a_write_that_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(TypeError), atomic_open(tmp_path / "new.txt") as file:
        file.writelines(["half", None])
    assert os.listdir(tmp_path) == []


def test_the_file_gets_the_users_ordinary_rights(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    write_json(tmp_path / "written.json", 1)
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("plain", "written.json")]
    assert modes[0] == modes[1]


def test_the_umask_of_the_process_is_never_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Setting it, even for a moment, would change the rights of files that other threads create at that moment."""
    before = os.umask(0o027)
    try:
        with monkeypatch.context() as patched:
            patched.setattr(os, "umask", None)
            write_json(tmp_path / "written.json", 1)
            with atomic_folder(tmp_path / "folder") as folder:
                (folder / "inside").touch()
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "written.json").stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "folder").stat().st_mode) == 0o750


def test_bytes_are_written_as_they_are(tmp_path: Path) -> None:
    with atomic_open(tmp_path / "data.bin", "wb") as file:
        file.write(b"\x00\r\n\xff")
    assert (tmp_path / "data.bin").read_bytes() == b"\x00\r\n\xff"


def test_an_output_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BPRError, match="cannot write there"):
        write_json(tmp_path / "file" / "value.json", 1)


@pytest.mark.parametrize("content", [b"{", b"", b"\xff\xfe\x00", b"[" * 100_000])
def test_invalid_json_is_a_one_line_error(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "bad.json"
    path.write_bytes(content)
    with pytest.raises(BPRError, match=r"not valid JSON.*expected a value"):
        read_json(path, "a value")


def test_missing_files_and_folders_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(BPRError, match="no such file; expected a value"):
        read_json(tmp_path / "missing.json", "a value")
    with pytest.raises(BPRError, match="is a folder; expected a value"):
        read_json(tmp_path, "a value")


def test_a_folder_comes_whole_and_replaces_only_its_own_kind(tmp_path: Path) -> None:
    for content in ("old", "new"):
        with atomic_folder(tmp_path / "out") as folder:
            (folder / content).touch()
    assert sorted(os.listdir(tmp_path / "out")) == [MARK, "new"]
    assert os.listdir(tmp_path) == ["out"]


def test_a_folder_that_fails_half_way_leaves_the_old_one_and_no_litter(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "out") as folder:
        (folder / "old").touch()
    with pytest.raises(FileNotFoundError), atomic_folder(tmp_path / "out") as folder:
        (folder / "missing" / "half").touch()
    assert sorted(os.listdir(tmp_path / "out")) == [MARK, "old"]
    assert os.listdir(tmp_path) == ["out"]


def test_an_empty_folder_is_replaced_and_a_file_is_not(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with atomic_folder(tmp_path / "empty") as folder:
        (folder / "new").touch()
    assert sorted(os.listdir(tmp_path / "empty")) == [MARK, "new"]
    (tmp_path / "file").touch()
    with pytest.raises(BPRError, match="expected a folder to write to, got a file"), atomic_folder(tmp_path / "file"):
        pass
    with pytest.raises(BPRError, match="expected a file to write, got a folder"):
        write_json(tmp_path / "empty", 1)


def pipe(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    """A device node with the numbers of /dev/null."""
    try:
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("making a device needs root")


def circle(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize(("make", "kind"), [(pipe, "a pipe"), (device, "a device"), (circle, "a link to itself")])
@pytest.mark.parametrize("linked", [False, True])
def test_what_is_neither_file_nor_folder_is_left_alone(tmp_path: Path, make: Callable[[Path], None], kind: str, linked: bool) -> None:
    target = out = tmp_path / "out"
    make(target)
    if linked:
        out = tmp_path / "link"
        out.symlink_to(target)
    before = target.lstat()
    for write in (check_writable, lambda out: write_json(out, 1)):
        with pytest.raises(BPRError, match=f"{out}: expected a file to write, got {kind}; choose another output"):
            write(out)
    with pytest.raises(BPRError, match=f"{out}: expected a folder to write to, got {kind}"), atomic_folder(out):
        pass
    assert (target.lstat().st_ino, target.lstat().st_mode) == (before.st_ino, before.st_mode)


@pytest.mark.parametrize("there", [False, True])
def test_a_link_stays_and_what_it_names_is_written(tmp_path: Path, there: bool) -> None:
    (tmp_path / "elsewhere").mkdir()
    for name, target in (("file.json", "elsewhere/kept.json"), ("folder", "elsewhere/kept")):
        (tmp_path / name).symlink_to(target)
    if there:
        (tmp_path / "elsewhere" / "kept.json").write_text("old")
        (tmp_path / "elsewhere" / "kept").mkdir()
    write_json(tmp_path / "file.json", "new")
    with atomic_folder(tmp_path / "folder") as folder:
        (folder / "new").touch()
    assert (tmp_path / "file.json").is_symlink()
    assert (tmp_path / "folder").is_symlink()
    assert read_json(tmp_path / "elsewhere" / "kept.json", "a value") == "new"
    assert sorted(os.listdir(tmp_path / "elsewhere" / "kept")) == [MARK, "new"]
    assert sorted(os.listdir(tmp_path / "elsewhere")) == ["kept", "kept.json"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_one_line_that_names_the_output(tmp_path: Path, number: int) -> None:
    def full() -> None:
        raise OSError(number, os.strerror(number))

    line = rf"cannot write \({os.strerror(number)}\); the old content is kept; free some space, or choose another output"
    with pytest.raises(BPRError, match=f"^{tmp_path / 'out.json'}: {line}"), atomic_open(tmp_path / "out.json"):
        full()
    with (
        pytest.raises(BPRError, match=f"^{tmp_path / 'out'}: {line}"),
        atomic_folder(tmp_path / "out") as folder,
        atomic_open(folder / "a.txt"),
    ):
        full()
    assert os.listdir(tmp_path) == []


def written(out: Path, *names: str, command: str = "bpr refine") -> None:
    with atomic_folder(out, command) as folder:
        for name in names:
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).touch()


def own_file(out: Path) -> None:
    (out / "sub" / "notes.txt").write_text("mine")


def own_link(out: Path) -> None:
    (out / "sub" / "notes.txt").symlink_to(out.parent)


@pytest.mark.parametrize("add", [own_file, own_link])
def test_a_folder_with_files_of_the_user_is_not_replaced(tmp_path: Path, add: Callable[[Path], None]) -> None:
    out = tmp_path / "out"
    written(out, "b", "sub/a\n\udc80")
    written(out, "sub/c")
    add(out)
    with pytest.raises(BPRError, match=r"out: the folder holds other files, 'sub/notes.txt' is one; move them"):
        written(out, "b")
    assert sorted(os.listdir(out / "sub")) == ["c", "notes.txt"]
    (out / "sub" / "notes.txt").unlink()
    written(out, "b")
    assert sorted(os.listdir(out)) == [MARK, "b"]


def test_files_that_appear_during_the_writing_are_kept(tmp_path: Path) -> None:
    written(tmp_path / "out", "a")
    late = pytest.raises(BPRError, match=r"'late' is one; .*; the new files are in .*\.out\.")
    with late, atomic_folder(tmp_path / "out", "bpr refine"):
        (tmp_path / "out" / "late").touch()
    assert sorted(os.listdir(tmp_path / "out")) == [MARK, "a", "late"]


def test_files_of_the_operating_system_do_not_prevent_replacing(tmp_path: Path) -> None:
    written(tmp_path / "out", "a")
    for name in (".DS_Store", "Thumbs.db", ".nfs0001", "._a"):
        (tmp_path / "out" / name).touch()
    written(tmp_path / "out", "b")
    assert sorted(os.listdir(tmp_path / "out")) == [MARK, "b"]
    assert os.listdir(tmp_path) == ["out"]


def test_a_command_replaces_its_own_folders_only(tmp_path: Path) -> None:
    for _ in range(2):
        written(tmp_path / "out", "a", command="bpr report")
    with pytest.raises(BPRError, match="out: the folder was written by bpr report; delete it"):
        written(tmp_path / "out", "a")


def test_what_lies_at_an_output_or_in_a_folder_that_it_replaces_would_be_lost(tmp_path: Path) -> None:
    written(tmp_path / "out", "a", "sub/b")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a").touch()
    (tmp_path / "link").symlink_to(tmp_path / "out" / "a")
    assert would_replace(tmp_path / "out", tmp_path / "out" / "sub" / "b")
    assert would_replace(tmp_path / "out", tmp_path / "link")
    assert would_replace(tmp_path / "other" / "a", tmp_path / "other" / "a")
    assert not would_replace(tmp_path / "other", tmp_path / "other" / "a"), "BPR did not write this folder, so it does not replace it"
    assert not would_replace(tmp_path / "new", tmp_path / "out")


@pytest.mark.parametrize("mark", ["", "{", "[1]", '{"command": "Python"}'])
def test_a_mark_that_does_not_list_the_files_keeps_the_folder(tmp_path: Path, mark: str) -> None:
    written(tmp_path / "out", "a")
    (tmp_path / "out" / MARK).write_text(mark)
    with pytest.raises(BPRError, match="the folder does not say which files bpr wrote"):
        written(tmp_path / "out", "b")
    assert sorted(os.listdir(tmp_path / "out")) == [MARK, "a"]


@pytest.mark.parametrize("name", ["a.png", "city/a b.png", "..a.png", "測試.png"])
def test_names_inside_the_folder(tmp_path: Path, name: str) -> None:
    assert inside(tmp_path, name, "list") == tmp_path / name


@pytest.mark.parametrize("name", ["../a", "a/../../b", "/etc/passwd", "C:\\a", "..\\a", "\\\\host\\a", "", " ", None, 3, "a\0b"])
def test_names_that_lead_out_of_the_folder(tmp_path: Path, name: object) -> None:
    with pytest.raises(BPRError, match="list: expected a file name inside its folder"):
        inside(tmp_path, name, "list")
