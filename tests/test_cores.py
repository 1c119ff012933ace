"""The cores that a process may use, in containers of both versions of control groups."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bpr import cores

MACHINE = 8


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of eight cores without any group."""
    monkeypatch.setattr(os, "cpu_count", lambda: MACHINE)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(MACHINE)), raising=False)
    monkeypatch.setattr(cores, "GROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(cores, "OWN_GROUPS", tmp_path / "own")
    return tmp_path


def grouped(machine: Path, own: str, **files: str) -> None:
    (machine / "own").write_text(own)
    for name, text in files.items():
        path = machine / "cgroup" / name.replace("__", "/").replace("_max", ".max").replace("cpu_cfs", "cpu.cfs")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_no_group_is_no_limit() -> None:
    assert (cores.usable_cores(), cores.limited_cores()) == (MACHINE, None)


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ("200000 100000", 2),
        ("150000 100000", 2),
        ("50000 100000", 1),
        ("1000 100000", 1),
        ("max 100000", MACHINE),
        ("3200000 100000", MACHINE),
        ("", MACHINE),
        ("two of them", MACHINE),
    ],
)
def test_version_2(machine: Path, limit: str, expected: int) -> None:
    grouped(machine, "0::/\n", cpu_max=limit)
    assert cores.usable_cores() == expected
    assert cores.limited_cores() == (None if expected == MACHINE else expected)


def test_the_tightest_group_around_the_process_counts(machine: Path) -> None:
    files = {"pod__cpu_max": "300000 100000", "pod__one__cpu_max": "max 100000", "cpu_max": "500000 100000"}
    grouped(machine, "0::/pod/one\n", **files)
    assert cores.usable_cores() == 3


@pytest.mark.parametrize("folder", ["cpu", "cpu,cpuacct"])
@pytest.mark.parametrize("path", ["/", "/docker/0f3a"])
def test_version_1_also_where_the_path_is_that_of_the_host(machine: Path, folder: str, path: str) -> None:
    files = {f"{folder}__cpu_cfs_quota_us": "250000", f"{folder}__cpu_cfs_period_us": "100000"}
    grouped(machine, f"4:memory:/docker/0f3a\n1:{folder}:{path}\n0::/\n", **files)
    assert cores.usable_cores() == 3


def test_version_1_without_a_quota(machine: Path) -> None:
    grouped(machine, "1:cpu:/\n", cpu__cpu_cfs_quota_us="-1", cpu__cpu_cfs_period_us="100000")
    assert cores.limited_cores() is None


def test_affinity_counts_too(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 5}, raising=False)
    grouped(machine, "0::/\n", cpu_max="400000 100000")
    assert cores.usable_cores() == 2


def test_a_system_without_affinity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    assert (cores.usable_cores(), cores.limited_cores()) == (MACHINE, None)
