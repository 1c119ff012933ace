"""How many cores this process may use: a container and a launcher give it fewer than the machine has."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")
"""Where Linux shows the control groups that limit processes, such as those of a container."""
OWN_GROUPS = Path("/proc/self/cgroup")
"""Which of them this process belongs to, one a line: number, controllers, path."""


def usable_cores() -> int:
    """The cores that this process may use: those that it is bound to, or fewer where a container has a quota."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([cores, *_quotas()]))


def limited_cores() -> int | None:
    """The cores that this process may use if they are fewer than those of the machine; otherwise None."""
    cores = usable_cores()
    return cores if cores < (os.cpu_count() or 1) else None


def _quotas() -> Iterator[int]:
    """The quotas of the process's groups and of all groups around them, in whole cores, rounded up."""
    try:
        lines = OWN_GROUPS.read_text().splitlines()
    except OSError:  # no Linux
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        for top in (GROUPS / controllers, GROUPS / "unified", GROUPS):
            inner = top / path.lstrip("/")  # within a container the path of the host may lead nowhere
            for group in (inner, *inner.parents):
                if group.is_relative_to(top) and (quota := _quota(group)):
                    yield quota


def _quota(group: Path) -> int | None:
    """The quota of one group: version 2 keeps ``QUOTA PERIOD`` in one file, version 1 in two; ``max`` or -1 is none."""
    for files in (["cpu.max"], ["cpu.cfs_quota_us", "cpu.cfs_period_us"]):
        try:
            quota, period = " ".join((group / name).read_text() for name in files).split()
            return -(-int(quota) // int(period)) if int(quota) > 0 else None
        except (OSError, ValueError):
            continue
    return None
