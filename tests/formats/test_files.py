import json
import os
import stat
from pathlib import Path

import pytest

from bpr.errors import BPRError
from bpr.formats.files import MARK, atomic_folder, atomic_open, inside, read_json, write_json


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


def test_bytes_are_written_as_they_are(tmp_path: Path) -> None:
    with atomic_open(tmp_path / "data.bin", "wb") as file:
        file.write(b"\x00\r\n\xff")
    assert (tmp_path / "data.bin").read_bytes() == b"\x00\r\n\xff"


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BPRError, match="cannot write there"):
        write_json(tmp_path / "file" / "value.json", 1)


@pytest.mark.parametrize("content", [b"{", b"", b"\xff\xfe\x00", b"[" * 100_000])
def test_what_is_no_json_is_one_line(tmp_path: Path, content: bytes | None) -> None:
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


def test_an_empty_folder_is_taken_and_a_file_is_not(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with atomic_folder(tmp_path / "empty") as folder:
        (folder / "new").touch()
    assert sorted(os.listdir(tmp_path / "empty")) == [MARK, "new"]
    (tmp_path / "file").touch()
    with pytest.raises(BPRError, match="expected a folder to write to, got a file"), atomic_folder(tmp_path / "file"):
        pass
    with pytest.raises(BPRError, match="expected a file to write, got a folder"):
        write_json(tmp_path / "empty", 1)


@pytest.mark.parametrize("name", ["a.png", "city/a b.png", "..a.png", "測試.png"])
def test_names_inside_the_folder(tmp_path: Path, name: str) -> None:
    assert inside(tmp_path, name, "list") == tmp_path / name


@pytest.mark.parametrize("name", ["../a", "a/../../b", "/etc/passwd", "C:\\a", "..\\a", "\\\\host\\a", "", " ", None, 3, "a\0b"])
def test_names_that_leave_it(tmp_path: Path, name: object) -> None:
    with pytest.raises(BPRError, match="list: expected a file name inside its folder"):
        inside(tmp_path, name, "list")
