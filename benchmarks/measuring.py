"""How every suite measures and what it writes: see benchmarks/README.md, the contract."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bpr.cli.options import versions_of

SCHEMA = 1
PACKAGES = ("bpr", "numpy", "opencv-python-headless", "pycocotools", "onnxruntime", "openvino", "numba", "torch")
PARTS = {"schema": int, "suite": str, "command": str, "provenance": dict, "rows": list, "ratios": list}
PROVENANCE = ("date", "commit", "processor", "cores", "python", "versions")


@dataclass(frozen=True)
class Timing:
    """Seconds of one side: median and quartiles."""

    median: float
    low: float
    high: float
    repeats: int

    @classmethod
    def of(cls, seconds: Sequence[float], per: float = 1) -> Timing:
        """Of some runs, each of which did ``per`` units of work."""
        low, median, high = (float(value) for value in np.percentile(np.asarray(seconds) / per, [25, 50, 75]))
        return cls(median, low, high, len(seconds))


@dataclass(frozen=True)
class Ratio:
    """How many times as fast ``name`` says it is; the target is the least to reach, where there is one."""

    name: str
    value: float
    target: float | None = None


@dataclass(frozen=True)
class Report:
    """What a suite found: rows with a ``name``, a ``seconds`` and what else they say, and the ratios made of them."""

    suite: str
    rows: list[dict[str, Any]]
    ratios: list[Ratio]
    settings: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        command = f"python tools/benchmark.py {self.suite}"
        ratios = [asdict(ratio) for ratio in self.ratios]
        body = {"schema": SCHEMA, "suite": self.suite, "command": command, "settings": self.settings}
        return {**body, "provenance": provenance(), "rows": self.rows, "ratios": ratios}


def row(name: str, seconds: Timing, **said: Any) -> dict[str, Any]:
    return {"name": name, "seconds": asdict(seconds), **said}


def in_turn(
    sides: Mapping[str, Callable[[], object]], repeats: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, list[float]]:
    """Seconds of every side: each once to warm up, then all of them one after the other, ``repeats`` times.

    >>> sorted(in_turn({"a": lambda: None, "b": lambda: None}, 3))
    ['a', 'b']
    """
    spent: dict[str, list[float]] = {name: [] for name in sides}
    for function in sides.values():
        function()
    for _ in range(repeats):
        for name, function in sides.items():
            spent[name].append(seconds_of(function, clock))
    return spent


def seconds_of(function: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    start = clock()
    function()
    return clock() - start


def provenance() -> dict[str, Any]:
    """What the numbers depend on."""
    machine = {"processor": processor(), "cores": os.cpu_count(), "python": platform.python_version()}
    return {"date": time.strftime("%Y-%m-%d"), "commit": _commit(), **machine, "versions": versions_of(PACKAGES)}


def processor() -> str:
    info = Path("/proc/cpuinfo")
    named = re.search(r"model name\s*: (.+)", info.read_text()) if info.is_file() else None
    return named[1] if named else platform.processor()


def _commit() -> str | None:
    asked = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=Path(__file__).parent, check=False)
    return asked.stdout.strip() or None


def check(report: dict[str, Any]) -> None:
    """Raise a ValueError where a report breaks the contract."""
    for key, kind in PARTS.items():
        if not isinstance(report.get(key), kind):
            raise ValueError(f"{key}: expected {kind.__name__}, got {report.get(key)!r}")
    if missing := [name for name in PROVENANCE if name not in report["provenance"]]:
        raise ValueError(f"provenance: {missing} missing")
    for one in report["rows"]:
        timing = Timing(**one["seconds"])
        if not 0 <= timing.low <= timing.median <= timing.high or timing.repeats < 1:
            raise ValueError(f"row {one['name']}: expected low <= median <= high of at least one run, got {timing}")
    for ratio in report["ratios"]:
        Ratio(**ratio)


def table(report: dict[str, Any]) -> str:
    """The report as Markdown: every row, and every ratio beside its target, met or missed."""
    said = [key for key in (report["rows"][0] if report["rows"] else {}) if key not in ("name", "seconds")]
    head = ["", "milliseconds", "quartiles", "runs", *said]
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *(_cells(one, said) for one in report["rows"])]
    where = report["provenance"]
    note = f"`{report['command']}`, {where['date']}, {where['cores']} cores of {where['processor']}, Python {where['python']}."
    found = [_ratio(ratio) for ratio in report["ratios"]]
    return "\n".join([note, "", *(f"| {' | '.join(line)} |" for line in lines), "", *found])


def _cells(one: dict[str, Any], said: Sequence[str]) -> list[str]:
    timing = Timing(**one["seconds"])
    middle = [f"{1000 * timing.median:.1f}", f"{1000 * timing.low:.1f} .. {1000 * timing.high:.1f}", str(timing.repeats)]
    return [one["name"], *middle, *(f"{one[key]:.4g}" if isinstance(one[key], float) else str(one[key]) for key in said)]


def _ratio(ratio: dict[str, Any]) -> str:
    if ratio["target"] is None:
        return f"- {ratio['name']}: {ratio['value']:.2f} times"
    verdict = "met" if ratio["value"] >= ratio["target"] else "**missed**"
    return f"- {ratio['name']}: {ratio['value']:.3g} times (target {ratio['target']:.3g}: {verdict})"
